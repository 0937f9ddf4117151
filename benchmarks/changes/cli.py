"""The command that measures what a change takes."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import results
from benchmarks.changes.scenarios import Scenario, Way
from benchmarks.ci.pipelines import Part
from benchmarks.stack_cli import ToolName

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def bench_changes(
    tool: Annotated[ToolName, typer.Option(help="Whose pipeline is changed.")],
    way: Annotated[Way | None, typer.Option(help="How it is fed; by default each way that the tool has.")] = None,
    scenario: Annotated[
        list[Scenario] | None, typer.Option(help="Only this one; give it once for each. By default all.")
    ] = None,
    host: Annotated[str, typer.Option(help="kubeflow: the server to deploy to.")] = "",
    registry: Annotated[str, typer.Option(help="kubeflow: where its image is pushed to.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the checkout and the logs.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results.")] = False,
) -> None:
    """A line, a dependency, a step, a schedule, a rollback: what is typed, and seconds until the server runs it.

    Each change is a patch on a clean checkout of HEAD, and each way of a tool gets a stack of its own, which is removed
    at the end: about a quarter of an hour a way.
    """
    from benchmarks.changes import measure, records, scenarios, show
    from benchmarks.ci.local import Asked

    asked = Asked(Part(tool), host=host, registry=registry)
    chosen = scenarios.chosen(asked.tool, way, scenario or ())
    measure.check(asked.tool)
    if results.environment().commit.endswith("-dirty"):
        err.print("what is not committed is not measured: it is HEAD that is checked out", highlight=False)
    err.print(show.estimate(asked.tool, chosen, records.read()), highlight=False, soft_wrap=True)
    done = []
    with contextlib.closing(measure.measure(asked, chosen, err, keep=keep)) as going:
        for each in going:
            done.append(each)
            if save:
                results.write(records.merged(records.read(), done), records.FILE)
    if json:
        print(records.Changes(measured=tuple(done)).model_dump_json(indent=2))
    else:
        for each in done:
            out.print(show.table(each))
            for line in show.failures(each):
                out.print(line, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if all(each.passed for each in done) else 1)
