"""What a change takes, for a terminal and for docs/ci.md, where it comes from the result file (cog)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from benchmarks import docs
from benchmarks.changes.records import FILE, Change, Changes, Command, Measured, read
from benchmarks.changes.scenarios import FEEDS, HERE, Scenario, Way
from benchmarks.ci.pipelines import Part

TITLES = {Part.PREFECT: "Prefect", Part.AIRFLOW: "Airflow", Part.KUBEFLOW: "Kubeflow Pipelines"}
WORDS = {
    Scenario.LINE: "a line of a step",
    Scenario.ROLLBACK: "roll back",
    Scenario.CORE_LINE: "a line of the core",
    Scenario.DEPENDENCY: "a dependency",
    Scenario.STEP: "a step",
    Scenario.SCHEDULE: "a schedule",
}
#: Where nothing has been kept to go by: minutes on two cores, a guess.
GUESS_MIN = 15.0


def estimate(tool: Part, chosen: list[tuple[Way, list[Scenario]]], kept: Changes | None) -> str:
    """How long it will take, from what was kept."""
    took = {each.way: _seconds(each) / 60 for each in (kept.measured if kept else ()) if each.tool is tool}
    minutes = sum(took.get(way, GUESS_MIN) for way, _ in chosen)
    by = "by what was kept" if {way for way, _ in chosen} <= {*took} else "a guess: it has not been kept yet"
    return f"about {minutes:.0f} minutes at most ({by}); Ctrl-C ends it and removes what it has started"


def table(measured: Measured) -> Table:
    """One way, for a terminal."""
    title = f"{TITLES[measured.tool]}, by {measured.way}"
    shown = Table(
        box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", title=title, title_justify="left"
    )
    for heading in ("change", "commands", "deployed s", "ran s", "image", "files", "lines"):
        shown.add_column(heading, justify="left" if heading == "change" else "right")
    shown.add_column("seen by")
    for change in measured.changes:
        last = change.evidence if change.status == "passed" else change.status
        shown.add_row(change.scenario, *_figures(change), escape(last))
    return shown


def failures(measured: Measured) -> list[str]:
    """Why each change has failed that has."""
    return [f"{each.scenario}: {each.cause}" for each in measured.changes if each.status == "failed"]


def markdown(path: Path = FILE) -> str:
    """All that was kept: a row a change and way, so that the ways of all tools stand below each other."""
    result = read(path)
    if result is None:
        return "Not measured yet."
    rows = [
        "| change | tool | by | commands | deployed s | ran s | image built | files | lines | seen by |",
        "|---|---|---|---:|---:|---:|---|---:|---:|---|",
    ]
    for scenario in Scenario:
        for measured, change in _of(result, scenario):
            figures = " | ".join(_figures(change))
            rows.append(f"| {WORDS[scenario]} | {measured.tool} | {measured.way} | {figures} | {_seen(change)} |")
    machines = "  \n".join(dict.fromkeys(docs.machine(each.environment) for each in result.measured))
    return "\n".join([*rows, "", f"{machines}; n = 1."])


def commands(path: Path = FILE) -> str:
    """What was typed, word for word."""
    result = read(path)
    if result is None:
        return "Not measured yet."
    rows = ["| change | tool | by | typed, with seconds | started again |", "|---|---|---|---|---|"]
    for scenario in Scenario:
        for measured, change in _of(result, scenario):
            typed = "<br>".join(map(_typed, change.commands))
            again = ", ".join(change.restarted) or "nothing"
            rows.append(f"| {WORDS[scenario]} | {measured.tool} | {measured.way} | {typed} | {again} |")
    return "\n".join(rows)


def start(path: Path = FILE) -> str:
    """What comes before the first change, and what a way costs the repository."""
    result = read(path)
    if result is None:
        return "Not measured yet."
    rows = ["| tool | by | typed before the first change, with seconds | patch for this way |", "|---|---|---|---|"]
    for each in result.measured:
        typed = "<br>".join(map(_typed, each.start))
        base = each.base
        cost = f"{len(base.files)} files, +{base.added} -{base.removed}" if base.files else "none"
        rows.append(f"| {each.tool} | {each.way} | {typed} | {cost} |")
    return "\n".join(rows)


def _of(result: Changes, scenario: Scenario) -> Iterator[tuple[Measured, Change]]:
    """One scenario of all that was kept, in the order of the ways."""
    order = list(FEEDS)
    for measured in sorted(result.measured, key=lambda each: order.index((each.tool, each.way))):
        for change in measured.changes:
            if change.scenario is scenario:
                yield measured, change


def _figures(change: Change) -> tuple[str, ...]:
    typed = [each for each in change.commands if each.line != HERE]  # which only stands in
    left = sum(each.status == "not run" for each in typed)
    count = f"{len(typed)} ({left} not run)" if left else str(len(typed))
    ran = _number(change.ran_s) + (" (no server)" if change.ran_on == "containers" else "")
    lines = f"+{change.touched.added} -{change.touched.removed}"
    image = "yes" if change.image_built else "no"
    return count, _number(change.deployed_s), ran, image, str(len(change.touched.files)), lines


def _number(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"


def _seen(change: Change) -> str:
    if change.status != "passed":
        return f"**{change.status}**: {_cell(change.cause.splitlines()[0])}"
    return f"`{_cell(change.evidence)}`"


def _typed(command: Command) -> str:
    took = f"{command.seconds:.1f}" if command.seconds is not None else command.status
    return f"`{_cell(command.line)}` {took}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("\n", "<br>")


def _seconds(measured: Measured) -> float:
    typed = [*measured.start, *(command for change in measured.changes for command in change.commands)]
    return sum(each.seconds or 0 for each in typed)
