"""The debug matrix: each seeded fault with each tool, where it stands, and no cell without an answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from benchmarks.measures.debug.catalogue import faults
from benchmarks.report.collect import Measured
from benchmarks.report.figures import TOOLS, Cases
from benchmarks.stats import Timing

#: Where the cause stood; "failed": the walk did not find it; "none": no fault was seeded, or none was told.
Kind = Literal["message", "log", "hidden", "failed", "none", "absent", "not run"]
KINDS: dict[Kind, str] = {
    "message": "the cause stands in the message that the tool shows first",
    "log": "the cause stands in a log",
    "hidden": "the tool shows the cause nowhere",
    "failed": "the fault was not told, or the walk did not end at its cause",
    "none": "no cause was looked for: no fault, or none that has to be told",
    "absent": "there is no such fault with this tool in this place; the reason is listed",
    "not run": "not measured here; the reason is listed",
}


#: What a tool says of a run that has failed, or of a file that it cannot read. What refuses the request itself is none.
TOLD = ("failed", "not_parsed")


@dataclass(frozen=True)
class Cell:
    """One fault with one tool at one place."""

    kind: Kind
    #: Other answers of other rounds.
    also: tuple[str, ...] = ()
    figures: dict[str, Timing] = field(default_factory=dict)
    #: Seconds in which the tool told nothing, where it still said that all goes well when the harness waited no longer.
    untold: Timing | None = None
    #: What the tool told: "failed", "not_parsed", ...
    alert: str = ""
    cause: str = ""
    state: str = ""


@dataclass(frozen=True)
class Matrix:
    """Faults in rows; tools, at each place, in columns."""

    faults: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    cells: dict[tuple[str, str, str], Cell]

    @property
    def rows(self) -> list[str]:
        """The faults that are one: not the control."""
        return [each for each in self.faults if not is_control(each)]

    @property
    def tools(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(tool for tool, _ in self.columns))

    @property
    def wheres(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(where for _, where in self.columns))

    def column(self, tool: str, where: str) -> list[Cell]:
        """One tool's answers to the faults."""
        if (tool, where) not in self.columns:
            return []
        return [self.cells[fault, tool, where] for fault in self.rows]

    def told_by_all(self, where: str) -> list[str]:
        """The faults that every tool at a place told of itself: only of those are the seconds compared."""
        run = [tool for tool, place in self.columns if place == where and not self._is_not_run(tool, where)]
        return [
            fault for fault in self.rows if run and all(self.cells[fault, tool, where].alert in TOLD for tool in run)
        ]

    def _is_not_run(self, tool: str, where: str) -> bool:
        return {each.kind for each in self.column(tool, where)} <= {"absent", "not run"}


def is_control(fault: str) -> bool:
    """Is it the run without a fault?"""
    return fault.lower() in ("none", "no fault", "no-fault", "control")


def make(measured: Measured) -> Matrix:
    """Out of the samples; a combination that the file does not have is told as such."""
    cases = Cases(measured.result)
    by = {(case.get("fault", ""), case["tool"], case.get("where", "")): case for case in cases.cases if "tool" in case}
    order = [*TOOLS, *dict.fromkeys(tool for _, tool, _ in by)]
    catalogue = [each.id for each in faults()]
    rows = dict.fromkeys(fault for fault, _, _ in by)
    ordered = (*(each for each in catalogue if each in rows), *(each for each in rows if each not in catalogue))
    columns = sorted({(tool, where) for _, tool, where in by}, key=lambda each: (_place(each[1]), order.index(each[0])))
    cells = {
        (fault, tool, where): _cell(cases, by[fault, tool, where], measured)
        if (fault, tool, where) in by
        else Cell("not run", cause="it is not in the result file")
        for fault in ordered
        for tool, where in columns
    }
    return Matrix(ordered, tuple(columns), cells)


def _place(where: str) -> int:
    known = ("embedded", "compose", "kind")
    return known.index(where) if where in known else len(known)


def _is_absent(case: dict[str, str]) -> bool:
    """Does the catalogue say that the fault does not exist there?"""
    absent = {(each.id, tool, where) for each in faults() for tool in each.cannot for where in each.cannot[tool]}
    return (case.get("fault"), case["tool"], case.get("where")) in absent


def _cell(cases: Cases, case: dict[str, str], measured: Measured) -> Cell:
    samples = cases.samples(case)
    figures = {
        each.name: timing for each in measured.measure.figures if (timing := cases.timing(case, each.name)) is not None
    }
    found = cases.texts(case, "cause_in")
    state, line, alert = (next(iter(cases.texts(case, name)), "") for name in ("state", "cause_line", "alert"))
    known = Cell("none", (), figures, cases.least(case, "detect_s"), alert, line, state)
    if not any(each.status == "succeeded" for each in samples):
        told, cause = cases.outcome(case)
        kind: Kind = "failed" if told == "failed" else "absent" if _is_absent(case) else "not run"
        return replace(known, kind=kind, cause=cause)
    kinds: list[Kind] = [kind for kind in KINDS if kind in found]
    if not kinds:
        return known
    first = next(kind for text in found for kind in kinds if kind == text)
    return replace(known, kind=first, also=tuple(each for each in found if each != first))
