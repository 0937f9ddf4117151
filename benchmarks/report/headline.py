"""The table at the head of the page: a row a question, a column a tool; no row is left away for want of a result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from benchmarks import stats
from benchmarks.measures.catalog import Name, Where
from benchmarks.report import matrix
from benchmarks.report.collect import Collected, Measured
from benchmarks.report.figures import ALL, OVER, TOOLS, Cases, Labels
from benchmarks.stats import Timing

#: Where a tool has no such case, or no such figure.
NONE = "-"


@dataclass(frozen=True)
class Cell:
    """A tool's figure, or a text that stands for it."""

    timing: Timing | None = None
    text: str = ""
    cause: str = ""
    #: What the samples are of, where they are not rounds of one case.
    over: str = ""


@dataclass(frozen=True)
class Line:
    """One row; without cells where the measure has no result."""

    measure: Name
    what: str
    unit: str
    cells: dict[str, Cell] = field(default_factory=dict)
    #: Where the tools ran, and what else sets rows of the same figure apart.
    where: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Wanted:
    """A figure of a measure, of cases with some labels; other labels than the tool's make rows of their own."""

    measure: Name
    what: str
    figure: str
    labels: dict[str, str] = field(default_factory=dict)
    #: Add up, in each round, the cases that differ in this label alone, unless the measure has a sum of its own.
    sum_over: str = ""
    #: By place: what has to be known to read the row.
    at: dict[str, str] = field(default_factory=dict)


#: Words for a fault's kinds; together they are all faults.
COUNTED: dict[str, tuple[str, ...]] = {
    "message": ("message",),
    "log": ("log",),
    "hidden": ("hidden",),
    "not found": ("failed",),
    "no cause to find": ("none", "absent", "not run"),
}
RETRAINING = {"work": "retraining"}
WANTED = (
    Wanted(Name.SETUP, "From nothing to a first registered model, cold caches", "tthw_s", {"cache": "cold"}),
    Wanted(Name.SETUP, "The same with warm caches", "tthw_s", {"cache": "warm"}),
    Wanted(Name.SETUP, "Disk that it takes", "disk_mb", {"cache": "cold"}),
    Wanted(
        Name.OVERHEAD,
        "One retraining",
        "makespan_s",
        RETRAINING,
        at={"embedded": "starting its services included", "compose": "servers up"},
    ),
    Wanted(Name.OVERHEAD, "Of it beyond plain Python, round by round", OVER, RETRAINING),
    Wanted(
        Name.OVERHEAD,
        "10 tasks that do nothing, one after the other",
        "makespan_s",
        {"work": "graph", "graph": "10 linear"},
    ),
    # A user's default is the default; what one setting changes stands beside it.
    Wanted(
        Name.OVERHEAD,
        "The same with the tool looking for work ten times as often, by a setting",
        "makespan_s",
        {"work": "setting", "graph": "10 linear"},
    ),
    Wanted(
        Name.OVERHEAD,
        "40 tasks that do nothing, one after the other",
        "makespan_s",
        {"work": "graph", "graph": "40 linear"},
    ),
    Wanted(
        Name.OVERHEAD,
        "40 tasks that do nothing, side by side",
        "makespan_s",
        {"work": "graph", "graph": "40 fan-out"},
        at={"embedded": "at once: Prefect 40, Airflow 4, kfp.local 2", "compose": "at once: Prefect 40, Airflow 8"},
    ),
    Wanted(
        Name.FOOTPRINT,
        "Memory while idle",
        "memory_mib",
        {"phase": "idle"},
        sum_over="part",
        at={"compose": "Postgres and MLflow included"},
    ),
    Wanted(
        Name.FOOTPRINT,
        "Memory during a retraining",
        "memory_mib",
        {"phase": "busy"},
        sum_over="part",
        at={"compose": "Postgres and MLflow included"},
    ),
    Wanted(Name.MIGRATION, "Code of the adapter", "adapter_lines", {"work": "adapter"}),
    Wanted(Name.MIGRATION, "Settings that go with it", "config_lines", {"work": "adapter"}),
    Wanted(Name.MIGRATION, "Settings of its servers", "server_config_lines", {"work": "adapter"}),
    Wanted(Name.MIGRATION, "Lines of the core that a move changes", "core_lines", {"work": "adapter"}),
)


def lines(collected: Collected) -> list[Line]:
    """All rows, in the order of the measures."""
    found = [line for wanted in WANTED for line in _lines(wanted, collected)]
    found += _debug(collected)
    found += [Line(name, name.title(), "", missing=not_yet(name)) for name in collected.missing]
    order = list(Name)
    merged: dict[tuple[Name, str, str], Line] = {}
    for each in found:  # one row says that a measure is missing
        merged.setdefault((each.measure, each.missing or each.what, each.where), each)
    return sorted(merged.values(), key=lambda each: order.index(each.measure))


def by_figure(found: list[Line]) -> list[tuple[Line, list[Line]]]:
    """The rows of each figure together, with the first of them."""
    groups = [list(rows) for _, rows in groupby(found, key=lambda each: (each.measure, each.what))]
    return [(rows[0], rows) for rows in groups]


def command(name: Name) -> str:
    """What measures it."""
    return f"./bakeoff bench {name}"


def not_yet(name: Name) -> str:
    """What stands where a measure has no result."""
    return f"not measured yet: {command(name)}"


def _lines(wanted: Wanted, collected: Collected) -> Iterator[Line]:
    measured = collected.measured.get(wanted.measure)
    if measured is None:
        yield Line(wanted.measure, wanted.what, "", missing=not_yet(wanted.measure))
        return
    cases = Cases(measured.result)
    rows: dict[Labels, dict[str, list[dict[str, str]]]] = {}
    for case in _wanted(wanted, cases):
        place = {"kind": Where.COMPOSE.value}
        apart = {
            k: place.get(v, v)
            for k, v in case.items()
            if k not in {"tool", wanted.sum_over, *wanted.labels} and v != ALL
        }
        rows.setdefault(tuple(apart.items()), {}).setdefault(case["tool"], []).append(case)
    order = {where: number for number, where in enumerate(Where)}
    for labels, tools in sorted(
        rows.items(), key=lambda row: order.get(Where(dict(row[0]).get("where", "embedded")), 0)
    ):
        cells = {tool: _cell(cases, some, wanted) for tool, some in tools.items()}
        if any(cell.timing for cell in cells.values()):
            told = wanted.at.get(dict(labels).get("where", ""), "")
            where = ", ".join([*(value for _, value in labels), *([told] if told else [])])
            unit = measured.measure.figure(wanted.figure).unit
            yield Line(wanted.measure, wanted.what, unit, cells, where)


def _wanted(wanted: Wanted, cases: Cases) -> list[dict[str, str]]:
    """Plain Python beside a tool on its servers is not among them: the measure's own part has it."""
    found = [
        case
        for case in cases.cases
        if wanted.labels.items() <= case.items() and case.get("tool") in TOOLS and "beside" not in case
    ]
    sums = [case for case in found if case.get(wanted.sum_over) == ALL]
    whole = [case for case in sums if case.get("role") == ALL]  # its parts are in the measure's own part
    return whole or sums or found


def _cell(cases: Cases, some: list[dict[str, str]], wanted: Wanted) -> Cell:
    timing = _sum(cases, some, wanted.figure) if wanted.sum_over else cases.timing(some[0], wanted.figure)
    if timing:
        return Cell(timing)
    told, cause = cases.outcome(some[0])
    return Cell(text=NONE if told == "succeeded" else told, cause=cause)


def _sum(cases: Cases, some: list[dict[str, str]], figure: str) -> Timing | None:
    """The sum over cases, round by round; only rounds in which all of them have the figure."""
    by_round: dict[int, list[float]] = {}
    for case in some:
        for each in cases.samples(case):
            if each.status == "succeeded" and figure in each.figures:
                by_round.setdefault(each.round, []).append(each.figures[figure])
    whole = [sum(values) for values in by_round.values() if len(values) == len(some)]
    return stats.timing(whole) if whole else None


def _debug(collected: Collected) -> Iterator[Line]:
    measured = collected.measured.get(Name.DEBUG)
    if measured is None:
        yield Line(Name.DEBUG, "Seeded faults", "", missing=not_yet(Name.DEBUG))
        return
    table = matrix.make(measured)
    counts = f"Where the cause of {len(table.rows)} seeded faults stands: {' / '.join(COUNTED)}"
    medians = (
        ("Until the tool tells of a fault: median over those that all tell of", "s", "detect_s"),
        ("Steps of the walk to the cause: median over the same", "count", "walk_steps"),
    )
    tools = {where: [tool for tool in table.tools if (tool, where) in table.columns] for where in table.wheres}
    for where in table.wheres:
        yield Line(Name.DEBUG, counts, "count", {t: _counts(table.column(t, where)) for t in tools[where]}, where)
    for what, unit, figure in medians:
        for where in table.wheres:
            told = table.told_by_all(where)
            cells = {
                tool: _median([table.cells[fault, tool, where] for fault in told], figure) for tool in tools[where]
            }
            yield Line(Name.DEBUG, what, unit, cells, f"{where}, {len(told)} faults")


def _counts(some: list[matrix.Cell]) -> Cell:
    kinds = [each.kind for each in some]
    if not kinds or set(kinds) <= {"absent", "not run"}:
        return Cell(text="not run", cause=some[0].cause if some else "")
    return Cell(text=" / ".join(str(sum(kind in of for kind in kinds)) for of in COUNTED.values()))


def _median(some: list[matrix.Cell], figure: str) -> Cell:
    found = [each.figures[figure].median for each in some if figure in each.figures]
    return Cell(stats.timing(found), over="faults") if found else Cell(text="not run")


def of(measured: Measured) -> str:
    """The command that makes a result again, with the profile it was made with."""
    quick = " --quick" if measured.result.profile == "quick" else ""
    return f"{command(Name(measured.result.measure))}{quick}"
