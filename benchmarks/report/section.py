"""A part of the page that is made of a result file of another command than the measures'."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchmarks.report.figures import Mark, Shown
from benchmarks.stats import timing


@dataclass(frozen=True)
class Section:
    """Tables and pictures, with what was asked and how to ask again."""

    id: str
    title: str
    question: str
    command: str
    #: Its result file; None where it is counted out of the repository as it is.
    file: Path | None
    definitions: tuple[tuple[str, str], ...]
    figures: tuple[Shown, ...]
    tables: tuple[Markup, ...]

    @property
    def missing(self) -> bool:
        """Is there nothing to show?"""
        return not self.tables


def once(tool: str, value: float) -> Mark:
    """One sample of one tool."""
    return Mark(tool, timing([value]))


def once_or_failed(tool: str, value: float | None, error: str | None) -> Mark:
    """The same, where it may have failed."""
    return Mark(tool, None, "failed", error or "") if value is None else once(tool, value)
