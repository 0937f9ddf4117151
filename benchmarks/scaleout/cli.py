"""The command that measures how the tools scale out."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.stack_cli import DEFAULT, ComposeTool, EnvFile, err


def scale_out(
    tools: Annotated[list[ComposeTool] | None, typer.Argument(help="Whose stacks; both by default.")] = None,
    workers: Annotated[list[int] | None, typer.Option(min=1, max=16, help="How many; 1, 2 and 4 by default.")] = None,
    candidates: Annotated[int, typer.Option(min=1, max=40, help="Width of the fan-out.")] = 40,
    tasks: Annotated[int, typer.Option(min=1, max=1000, help="Tasks that do nothing.")] = 1000,
    env_file: EnvFile = DEFAULT,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results, for the documents.")] = False,
) -> None:
    """Scale out: a fan-out of candidates and many small tasks on 1, 2 and 4 workers; about an hour on two cores."""
    from benchmarks import results
    from benchmarks.scaleout import plot, records
    from benchmarks.scaleout.measure import measure
    from benchmarks.stacks.stack import Tool

    chosen = [Tool(tool) for tool in tools or ComposeTool]
    done = []
    for each in measure(chosen, workers or [1, 2, 4], candidates, tasks, env_file.absolute(), err):
        done.append(each)
        if save:  # each as it comes: an hour is long, and what is measured is kept
            result = records.merged(records.read(), done)
            results.write(result, records.FILE)
            plot.draw(result, plot.FILE)
    print(records.ScaleOut(spreads=tuple(done)).model_dump_json(indent=2))
    raise typer.Exit(1 if any(each.error for each in done) else 0)
