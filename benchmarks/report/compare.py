"""Two results of one measure side by side: two machines, two versions, two days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from benchmarks import results
from benchmarks.measures import record
from benchmarks.measures.record import Result, ResultError
from benchmarks.measures.show import number
from benchmarks.report.figures import Cases, key, spread
from benchmarks.stats import Timing


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Difference(_Record):
    """Something that the two were not measured alike in."""

    what: str
    one: str
    other: str


class Row(_Record):
    """One figure of one case in both."""

    case: dict[str, str]
    figure: str
    one: Timing
    other: Timing
    #: The other's median less the one's, in the unit of the figure.
    difference: float
    #: Is there a value that lies between least and most of both?
    overlap: bool


class Single(_Record):
    """A case, or one of its figures, that only one of them has; the other may tell why."""

    case: dict[str, str]
    figures: tuple[str, ...]
    only: str
    cause: str = ""


class Comparison(_Record):
    """All of it."""

    measure: str
    one: str
    other: str
    #: Told before any figure.
    differences: tuple[Difference, ...]
    rows: tuple[Row, ...]
    singles: tuple[Single, ...]


def compare(one: Path, other: Path) -> Comparison:
    """Compare two files.

    Raises:
        ResultError: one of them cannot be read, or they are of different measures.
    """
    first, second = record.read(one), record.read(other)
    if first.measure != second.measure:
        what = f"these are results of different measures: {first.measure} and {second.measure}"
        raise ResultError(what, where=f"{one}, {other}", fix="name two results of one measure")
    names = (str(one), str(other))
    cases = (Cases(first), Cases(second))
    rows, singles = [], []
    for case in _cases(first, second):
        figures = [_figures(each, case) for each in cases]
        for figure in dict.fromkeys([*figures[0], *figures[1]]):
            if figure in figures[0] and figure in figures[1]:
                rows.append(_row(case, figure, figures[0][figure], figures[1][figure]))
        for mine, name, theirs, at in ((0, names[0], 1, cases[1]), (1, names[1], 0, cases[0])):
            alone = tuple(each for each in figures[mine] if each not in figures[theirs])
            if alone:
                singles.append(Single(case=case, figures=alone, only=name, cause=_cause(at, case)))
    return Comparison(
        measure=first.measure,
        one=names[0],
        other=names[1],
        differences=tuple(_differences(first, second)),
        rows=tuple(rows),
        singles=tuple(singles),
    )


def _cases(one: Result, other: Result) -> list[dict[str, str]]:
    return list({key(case): case for case in [*one.cases(), *other.cases()]}.values())


def _figures(cases: Cases, case: dict[str, str]) -> dict[str, Timing]:
    names = dict.fromkeys(name for each in cases.samples(case) for name in each.figures)
    found = {name: cases.timing(case, name) for name in names}
    return {name: timing for name, timing in found.items() if timing}


def _row(case: dict[str, str], figure: str, one: Timing, other: Timing) -> Row:
    return Row(
        case=case,
        figure=figure,
        one=one,
        other=other,
        difference=round(other.median - one.median, 4),
        overlap=one.min <= other.max and other.min <= one.max,
    )


def _cause(cases: Cases, case: dict[str, str]) -> str:
    """Why the other has no such figure."""
    if not cases.samples(case, warmups=True):
        return "the other has no such case"
    told, cause = cases.outcome(case)
    return "the other has no such figure" if told == "succeeded" else f"{told}: {cause}"


def _differences(one: Result, other: Result) -> Iterator[Difference]:
    told = [each.environment.model_dump() | {"profile": each.profile} for each in (one, other)]
    for what in [*results.Environment.model_fields, "profile"]:
        if told[0][what] != told[1][what]:
            yield Difference(what=what, one=str(told[0][what]), other=str(told[1][what]))
    for tool in dict.fromkeys([*one.versions, *other.versions]):
        mine, theirs = one.versions.get(tool, {}), other.versions.get(tool, {})
        for package in dict.fromkeys([*mine, *theirs]):
            pair = [each.get(package, "none") for each in (mine, theirs)]
            if pair[0] != pair[1]:
                yield Difference(what=f"{tool}: {package}", one=pair[0], other=pair[1])


def head(found: Comparison) -> Iterator[str]:
    """What to know before any figure."""
    yield f"{found.measure}: one is {found.one}, the other {found.other}"
    for each in found.differences:
        yield f"they differ in {each.what}: {each.one} | {each.other}"
    if not found.differences:
        yield "machine, code, versions, profile and date are the same"


def tables(found: Comparison) -> Iterator[Table]:
    """A table for each figure."""
    for figure in dict.fromkeys(each.figure for each in found.rows):
        shown = Table(title=figure, box=None, pad_edge=False, title_justify="left")
        shown.add_column("case")
        for heading in ("one", "other", "difference"):
            shown.add_column(heading, justify="right")
        shown.add_column("ranges")
        for each in found.rows:
            if each.figure == figure:
                ranges = "overlap" if each.overlap else "are apart"
                change = f"{'+' if each.difference > 0 else ''}{number(each.difference)}"
                shown.add_row(" ".join(each.case.values()), _cell(each.one), _cell(each.other), change, ranges)
        yield shown


def _cell(timing: Timing) -> str:
    return f"{spread(timing)}, n {len(timing.samples)}{' !' if timing.noisy else ''}"


def tail(found: Comparison) -> Iterator[str]:
    """What only one of them has, and how to read the rest."""
    for each in found.singles:
        yield f"only {each.only}: {' '.join(each.case.values())}: {', '.join(each.figures)} ({each.cause})"
    if any(each.one.noisy or each.other.noisy for each in found.rows):
        yield "!: least and most lie more than half a median apart"
    apart = sum(not each.overlap for each in found.rows)
    yield f"of {len(found.rows)} figures in both, the ranges of {apart} are apart; difference is the other less the one"
