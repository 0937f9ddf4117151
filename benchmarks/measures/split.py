"""One measurement that gives the samples of several cases, such as one run that tells of each of its processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.measures.rounds import Failed, Taken, Tell
from shared.errors import BakeoffError


class Split:
    """Measures when the first of its cases wants a sample, and hands the others of that round theirs from it.

    A case that has had its part of a measurement is given one of a new one. After an interruption the cases that still
    lack a sample are given those of a new measurement, too.

    Args:
        measure: given what the group has opened; what it gives, by the names of the parts. A failure is one of all
            parts, each of which keeps the figures that there are of it.
    """

    def __init__(self, measure: Callable[[Any, Tell], Mapping[str, Taken]]) -> None:
        self._measure = measure
        self._given: set[str] = set()
        self._made: Mapping[str, Taken] | BakeoffError | None = None

    def part(self, name: str) -> Callable[[Any, Tell], Taken]:
        """What takes the samples of one case."""

        def take(opened: Any, tell: Tell) -> Taken:
            if self._made is None or name in self._given:
                self._given = set()
                try:
                    self._made = self._measure(opened, tell)
                except BakeoffError as error:
                    self._made = error
            self._given.add(name)
            if isinstance(self._made, BakeoffError):
                raise self._made
            if name not in self._made:
                raise Failed("nothing was seen of it", where=name, fix="measure again")
            return self._made[name]

        return take
