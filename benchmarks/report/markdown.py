"""What the documents show of the measures, from their result files (cog)."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measures import catalog
from benchmarks.measures.catalog import Name, Where, asked
from benchmarks.measures.rounds import estimate_s
from benchmarks.measures.show import number
from benchmarks.places import RESULTS
from benchmarks.report import beside, collect, flags, headline, matrix
from benchmarks.report.collect import Collected, Load, Measured
from benchmarks.report.figures import TOOLS, show, spread
from benchmarks.report.page import unmeasured

_SYMBOLS = {"message": "●", "log": "◐", "hidden": "○", "failed": "✕", "none": "✓", "absent": "·", "not run": "-"}


def summary(folder: Path = RESULTS, load: Load = catalog.load) -> str:
    """The headline table, and below it what to know of it and where it was measured."""
    collected = collect.collect(folder, load)
    rows = [f"| figure | where | {' | '.join(TOOLS.values())} |", f"|---|---|{'---:|' * len(TOOLS)}"]
    rows += [_line(each) for each in headline.lines(collected)]
    told = [f"- {flag}" for flag in flags.flags(collected)]
    return "\n".join([*rows, "", *told, *([""] if told else []), *_measured_on(collected)])


def plan(load: Load = catalog.load) -> str:
    """What each measure asks, by which command, and how long it says that it takes.

    The servers are reckoned in where no container can be started as well: documents are the same on every machine.
    """
    heads = ("minutes, quick", "full, embedded alone", "full, with servers")
    rows = [f"| measure | what it asks | {' | '.join(heads)} |", f"|---|---|{'---:|' * len(heads)}"]
    wanted = (asked("quick"), asked("full", where=[Where.EMBEDDED]), asked("full"))
    for name in Name:
        measure = load(name)
        minutes = (estimate_s(measure.groups(each), elsewhere=True) / 60 for each in wanted)
        told = " | ".join(f"{max(each, 1):.0f}" for each in minutes)
        rows.append(f"| `./bakeoff bench {name}` | {measure.question} | {told} |")
    return "\n".join(rows)


def measure(name: str, folder: Path = RESULTS, load: Load = catalog.load, root: str = "../") -> str:
    """Every figure of one measure: its definition, its cases, what failed, and how to measure it again.

    Args:
        name: of the measure.
        folder: of the result files.
        load: gives a measure.
        root: from the document to the repository, for the link to the result file.
    """
    measured = collect.collect(folder, load).measured.get(Name(name))
    if measured is None:
        return f"Not measured yet: `{headline.command(Name(name))}`."
    parts = []
    for shown in show(measured):
        unit = "" if shown.unit == "count" else f" ({shown.unit})"
        parts += [f"**{shown.title}**{unit}: {shown.definition}", "", "| case | tool | n | median (least - most) |"]
        parts.append("|---|---|---:|---:|")
        for panel in shown.panels:
            for mark in panel.marks:
                figure, count = (spread(mark.timing), len(mark.timing.samples)) if mark.timing else (mark.told, 0)
                noisy = " !" if mark.timing and mark.timing.noisy else ""
                parts.append(f"| {panel.title or 'all'} | {mark.label or mark.title} | {count} | {figure}{noisy} |")
        parts.append("")
    parts += [f"- {note}" for note in flags.of_measure(measured)]
    parts += [f"- {limit}" for limit in measured.measure.limits]
    return "\n".join([*parts, "", failures(measured), "", _source(measured, root)]).replace("\n\n\n", "\n\n")


def debug_matrix(folder: Path = RESULTS, load: Load = catalog.load, root: str = "../") -> str:
    """Fault by tool and place: where the cause stands, seconds until it is told, steps to it; no cell is empty."""
    measured = collect.collect(folder, load).measured.get(Name.DEBUG)
    if measured is None:
        return f"Not measured yet: `{headline.command(Name.DEBUG)}`."
    found = matrix.make(measured)
    heads = [f"{TOOLS.get(tool, tool)}, {where}" for tool, where in found.columns]
    rows = [f"| fault | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for fault in found.faults:
        rows.append(f"| {fault} | {' | '.join(_cell(found.cells[fault, *column]) for column in found.columns)} |")
    legend = [f"- {_SYMBOLS[kind]} **{kind}**: {meaning}." for kind, meaning in matrix.KINDS.items()]
    return "\n".join([*rows, "", *legend, "", _source(measured, root)])


def published(folder: Path = RESULTS, load: Load = catalog.load) -> str:
    """What others publish of the same graphs, beside ours."""
    measured = collect.collect(folder, load).measured.get(Name.PEERS)
    return beside.table(measured) if measured else f"Not measured yet: `{headline.command(Name.PEERS)}`."


def failures(measured: Measured) -> str:
    """What failed, and what was not run, with the cause."""
    rows = [f"| {each.case} | {each.status} | {each.count} | {_text(each.cause)} |" for each in unmeasured(measured)]
    return "\n".join(["| case | became | samples | cause |", "|---|---|---:|---|", *rows]) if rows else ""


def _line(line: headline.Line) -> str:
    if line.missing:
        what, _, command = line.missing.partition(": ")
        return f"| {line.what} | | {what}: `{command}` |" + " |" * (len(TOOLS) - 1)
    cells = []
    for tool in TOOLS:
        cell = line.cells.get(tool)
        if cell is None:
            cells.append(headline.NONE)
        elif cell.timing:
            noisy = " !" if cell.timing.noisy and not cell.over else ""
            cells.append(f"{spread(cell.timing)}{noisy}")
        else:
            cells.append(cell.text)
    unit = "" if line.unit == "count" else f", {line.unit}"
    return f"| {line.what}{unit} | {line.where} | {' | '.join(cells)} |"


def _cell(cell: matrix.Cell) -> str:
    parts = [f"{_SYMBOLS[cell.kind]} {', '.join([cell.kind, *cell.also])}"]
    if cell.untold:
        parts.append(f"told nothing in {number(cell.untold.median)} s")
    if "detect_s" in cell.figures:
        parts.append(f"{number(cell.figures['detect_s'].median)} s")
    if "walk_steps" in cell.figures:
        steps = cell.figures["walk_steps"].median
        parts.append(f"{number(steps)} step{'s' * (steps != 1)}")
    return ", ".join(parts)


def _source(measured: Measured, root: str) -> str:
    environment = measured.result.environment
    where = f"{collect.machine(environment)}, {flags.software(environment)}"
    file = f"[{measured.file.name}]({root}benchmarks/results/{measured.file.name})"
    return f"`{headline.of(measured)}` on {environment.date[:10]}, {where}: {file}."


def _measured_on(collected: Collected) -> list[str]:
    by: dict[str, list[str]] = {}
    for name, each in collected.measured.items():
        environment = each.result.environment
        where = f"{environment.date[:10]} ({collect.machine(environment)}, {flags.software(environment)})"
        by.setdefault(where, []).append(name)
    return [f"{', '.join(names)}: measured on {where}.  " for where, names in by.items()]


def _text(cause: str) -> str:
    return " ".join(cause.split()).replace("|", "\\|")[:300]
