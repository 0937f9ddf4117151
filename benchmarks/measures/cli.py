"""The commands that measure: one for each measure, all with the same options, and one for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import results
from benchmarks.measures.catalog import Name, Where
from benchmarks.places import ArmName

Quick = Annotated[
    bool, typer.Option("--quick", help="Fewer samples and smaller cases: all measures in a quarter of an hour.")
]
Tools = Annotated[list[ArmName] | None, typer.Option("--tool", help="Only this arm; give it once for each.")]
Wheres = Annotated[
    list[Where] | None, typer.Option("--where", help="Only there; both by default, with --quick embedded alone.")
]
Rounds = Annotated[int | None, typer.Option(min=1, help="Samples of each case, instead of the profile's number.")]
Save = Annotated[bool, typer.Option("--save", help="Keep the result in benchmarks/results, for report and documents.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result on standard output.")]

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def run(
    names: list[Name],
    quick: bool,
    tools: list[ArmName] | None,
    where: list[Where] | None,
    rounds: int | None,
    save: bool,
    json: bool,
) -> None:
    """Measure one after the other, each told, shown and kept when it has ended.

    Raises:
        typer.Exit: with 1 where a sample has failed.
    """
    from benchmarks.display import Display
    from benchmarks.measures import catalog, record, show
    from benchmarks.measures import rounds as taking
    from benchmarks.places import STATE

    asked = catalog.asked("quick" if quick else "full", tools, where, rounds)
    measures = [catalog.load(name) for name in names]
    plans = [(each, each.groups(asked)) for each in measures]
    minutes = sum(taking.estimate_s(groups) for _, groups in plans) / 60
    err.print(
        f"about {minutes:.0f} minutes on two cores; Ctrl-C stops it, and the same command goes on", highlight=False
    )
    failed = False
    for measure, groups in plans:
        with Display(err, [group.name for group in groups]) as display:
            result = taking.take(measure.name, groups, asked.profile, display, versions=lambda: versions(asked.tools))
        file = record.path(measure.name, *(() if save else (STATE / "results",)))
        results.write(result, file)
        failed |= any(each.status == "failed" for each in result.samples)
        if json:
            print(result.model_dump_json(indent=2))
        else:
            for each in show.tables(measure, result):
                out.print(each)
            for line in show.failures(result):
                out.print(line, soft_wrap=True, highlight=False, markup=False)
        err.print(f"kept: {results.relative_path(file)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


def versions(tools: Sequence[ArmName]) -> dict[str, dict[str, str]]:
    """Of every arm that is installed."""
    from benchmarks import environments
    from benchmarks.places import ENVIRONMENT

    return {each.value: results.versions(each) for each in tools if environments.is_ready(ENVIRONMENT[each])}


def add_to(app: typer.Typer) -> None:
    """Add a command for each measure, and `all`."""
    for name in Name:
        app.command(name.value, help=HELP[name])(_command([name]))
    app.command("all", help="All measures, one after the other, each kept as it ends.")(_command(list(Name)))


def _command(names: list[Name]) -> Callable[..., None]:
    def bench(
        quick: Quick = False,
        tool: Tools = None,
        where: Wheres = None,
        rounds: Rounds = None,
        save: Save = False,
        json: Json = False,
    ) -> None:
        run(names, quick, tool, where, rounds, save, json)

    return bench


HELP = {
    Name.SETUP: "From nothing to a first registered model: download, install, start, first run, and what it takes.",
    Name.OVERHEAD: "Seconds beyond plain Python, of a retraining and of tasks that do nothing; latency, import, parse.",
    Name.FOOTPRINT: "Memory and CPU of each process or container, idle and busy; images.",
    Name.DEBUG: "Seeded faults: seconds until the tool tells, steps to the line that says why, what a retry repeats.",
    Name.MIGRATION: "What it takes to move from one tool to another: lines, names, settings, packages.",
    Name.PEERS: "Graphs as other benchmarks publish them, and the first run of other projects' quickstarts.",
}
