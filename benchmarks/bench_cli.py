"""The commands that measure, each with a result file and its raw samples."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from benchmarks import core_cost, dataset, results, scale, stack_cli
from benchmarks.changes import cli as changes_cli
from benchmarks.ci import cli as ci_cli
from benchmarks.kubeflow import docker_cli
from benchmarks.measures import cli as measures_cli
from benchmarks.places import RESULTS, ROOT
from benchmarks.scaleout import cli as scaleout_cli

app = typer.Typer(no_args_is_help=True, help="Measures, each written to a result file with its raw samples.")
err = Console(stderr=True)
PLOT = ROOT / "docs" / "images" / "scale.png"


@app.command("core")
def bench_core(
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results, for the documents.")] = False,
) -> None:
    """The core against bare fit and predict on December 2013: five interleaved pairs, about three minutes."""
    dataset.ensure()
    result = core_cost.measure(lambda line: err.print(line, highlight=False))
    if save:
        results.write(result, RESULTS / "core.json")
    print(result.model_dump_json(indent=2))


@app.command("validation")
def bench_validation(
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results, for the documents.")] = False,
) -> None:
    """The core's validation beside Great Expectations and Evidently, on the same files: about ten minutes."""
    from benchmarks import validation_cost  # needs pandas, which no other command has to wait for

    dataset.ensure()
    result = validation_cost.measure(lambda line: err.print(line, highlight=False))
    if save:
        results.write(result, RESULTS / "validation.json")
    print(result.model_dump_json(indent=2))


@app.command("scale")
def bench_scale(
    rows: Annotated[list[int] | None, typer.Option(help="Only these sizes; give it once for each.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Samples of each kind; by default 3 to 1 by size.")] = None,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results and draw its plot.")] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Only draw the plot of the kept result again.")] = False,
) -> None:
    """Cost against rows, 0.3 to 10 million: reading, bare fit and predict, the whole core; goes on where it stopped."""
    from benchmarks import scale_docs, scale_plot  # matplotlib takes a second to import

    if plot:
        scale_plot.draw(scale_docs.read("scale"), PLOT)
        return
    dataset.ensure()
    sizes = rows or list(scale.ROWS)
    minutes = scale.estimate_s(sizes, repeats) / 60
    err.print(f"about {minutes:.0f} minutes; Ctrl-C stops it, and the same command goes on", highlight=False)
    result = scale.measure(sizes, lambda line: err.print(line, soft_wrap=True, highlight=False), repeats)
    if save:
        results.write(result, RESULTS / "scale.json")
        scale_plot.draw(result, PLOT)
    print(result.model_dump_json(indent=2))


app.command("scale-out")(scaleout_cli.scale_out)
app.command("stacks")(stack_cli.bench_stacks)
app.command("kubeflow")(docker_cli.bench_kubeflow)
app.command("ci")(ci_cli.bench_ci)
app.command("changes")(changes_cli.bench_changes)
measures_cli.add_to(app)
