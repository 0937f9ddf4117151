"""A measure in the terminal: tables with a row a case, medians with their least and most."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from benchmarks.measures.catalog import Measure
from benchmarks.measures.record import Result, Sample

#: More columns of figures than this do not fit into a terminal, and make another table.
WIDEST = 4


def tables(measure: Measure, result: Result) -> Iterator[Table]:
    """A table, or some, for each set of figures that some cases share."""
    shared: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for case in result.cases():
        names = tuple(each.name for each in measure.figures if result.timing(each.name, **case))
        shared.setdefault(names, []).append(case)
    for names, cases in shared.items():
        for first in range(0, len(names), WIDEST):
            yield _table(measure, result, names[first : first + WIDEST], cases)


def _table(measure: Measure, result: Result, names: tuple[str, ...], cases: list[dict[str, str]]) -> Table:
    labels = list(dict.fromkeys(label for case in cases for label in case))
    same = [label for label in labels if len({case.get(label) for case in cases}) == 1] if len(cases) > 1 else []
    labels = [label for label in labels if label not in same]
    title = f"{measure.title}: {', '.join(cases[0][label] for label in same)}" if same else measure.title
    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    for label in labels:
        table.add_column(label)
    table.add_column("n", justify="right")
    for name in names:
        figure = measure.figure(name)
        table.add_column(f"{figure.title} {figure.unit}" if figure.unit != "count" else figure.title, justify="right")
    for case in cases:
        row = [case.get(label, "") for label in labels]
        count = sum(each.status == "succeeded" for each in result.of(**case))
        table.add_row(*row, str(count), *(_cell(result, name, case) for name in names))
    return table


def _cell(result: Result, figure: str, case: dict[str, str]) -> str:
    found = result.timing(figure, **case)
    if found is None:
        return ""
    if number(found.min) == number(found.max):
        return number(found.median)
    return f"{number(found.median)} ({number(found.min)} - {number(found.max)}){' !' if found.noisy else ''}"


def number(value: float) -> str:
    """A figure with as many digits as it has meaning."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:,.{digits}f}"


def failures(result: Result) -> Iterator[str]:
    """A line for each sample that failed or was not run, and one where the spread tells of a busy machine."""
    for each in result.samples:
        if each.status != "succeeded":
            yield f"{each.status}: {named(each)}: {each.error}"
    wide = [
        case
        for case in result.cases()
        for name in _figures(result, case)
        if (t := result.timing(name, **case)) and t.noisy
    ]
    if wide:
        yield "!: least and most lie more than half a median apart: the machine was not quiet, or the tool is not even"


def _figures(result: Result, case: dict[str, str]) -> set[str]:
    return {name for each in result.of(**case) for name in each.figures}


def named(sample: Sample) -> str:
    """A sample by its labels."""
    return f"{' '.join(sample.case.values())}, round {sample.round + 1}{' (warm-up)' if sample.warmup else ''}"
