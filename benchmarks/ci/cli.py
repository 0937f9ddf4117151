"""The command that counts what CI of each tool takes."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from benchmarks import results
from benchmarks.ci import counts, show
from benchmarks.ci.pipelines import Part
from benchmarks.places import RESULTS
from benchmarks.stack_cli import ToolName

out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def bench_ci(
    tool: Annotated[
        list[ToolName] | None, typer.Option(help="Only this one; give it once for each. By default all, and the core.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results.")] = False,
) -> None:
    """CI on GitHub Actions and GitLab, counted from the files: jobs, steps, lines, and what has to be there first."""
    result = counts.measure([Part(each) for each in tool] if tool else list(Part))
    if save:
        results.write(result, RESULTS / "ci.json")
    if json:
        print(result.model_dump_json(indent=2))
    else:
        out.print(show.table(result.counts))
