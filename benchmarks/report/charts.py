"""Where the marks of a chart go: positions in per cent of its width, so that text keeps its size on any screen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from textwrap import wrap

from benchmarks.measures.catalog import Where
from benchmarks.measures.show import number
from benchmarks.report.figures import Mark, Panel, Shown, spread, unit
from benchmarks.stats import Timing

#: From so many panels on, they become rows of one chart a place.
MANY = 17
#: From this ratio of the largest figure to the smallest on, a linear scale hides the small ones.
LOGARITHMIC = 200
#: The margin in per cent, so that a mark at an end is drawn whole.
MARGIN = 1.5
_ROW, _AXIS, _TITLE, _LANE, _LINE = 44, 30, 7, 11, 17
#: Characters that fit beside each other on a phone; what is longer goes on in a line of its own.
FITS = 44


@dataclass(frozen=True)
class Scale:
    """From figures to per cent of the width."""

    low: float
    high: float
    logarithmic: bool = False
    #: Of counts, which have no halves.
    whole: bool = False

    def at(self, value: float) -> float:
        """Where a figure stands."""
        low, high, here = (self._of(each) for each in (self.low, self.high, value))
        share = (here - low) / (high - low) if high > low else 0.5
        return round(MARGIN + (100 - 2 * MARGIN) * min(max(share, 0.0), 1.0), 2)

    def ticks(self) -> list[tuple[float, str]]:
        """Positions and texts of a few round figures."""
        if self.logarithmic:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            step = max(1, math.ceil((last - first) / 4))
            found = [10.0**exponent for exponent in range(first, last + 1, step)]
        else:
            step_size = max(_nice((self.high - self.low) / 4), 1.0 if self.whole else 0.0)
            found = [n * step_size for n in range(math.ceil(self.low / step_size), int(self.high / step_size) + 1)]
        return [(self.at(each), _tick(each)) for each in found]

    def _of(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.logarithmic else value


@dataclass(frozen=True)
class Drawn:
    """One mark: its line from least to most, its samples, its median."""

    mark: Mark
    y: float
    #: The text above the line, at its left and its right; none where the row is shared.
    left: tuple[str, ...] = ()
    right: str = ""
    low: float = 0.0
    high: float = 0.0
    median: float = 0.0
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """What several marks share."""

    lines: tuple[str, ...]
    y: float
    #: The tools without a figure, at the right of its last line.
    told: str = ""


@dataclass(frozen=True)
class Chart:
    """One picture."""

    id: str
    #: Above it; none where the figure has this chart alone.
    caption: str
    title: str
    description: str
    height: float
    axis_y: float
    ticks: tuple[tuple[float, str], ...]
    drawn: tuple[Drawn, ...]
    rows: tuple[Row, ...] = ()
    #: Names the scale where it is not linear from 0.
    scale: str = ""
    unit: str = ""

    @property
    def marks(self) -> int:
        """Marks, and texts that stand for one or more."""
        return len(self.drawn) + sum(bool(row.told) for row in self.rows)

    @property
    def tools(self) -> list[Mark]:
        """One mark of each tool, for the legend of a chart whose rows are shared."""
        return list({each.mark.tool: each.mark for each in self.drawn}.values()) if self.rows else []


class Charts:
    """Makes charts, each with an id of its own on the page."""

    def __init__(self) -> None:
        self._number = count(1)

    def of(self, shown: Shown) -> list[Chart]:
        """The charts of one figure, all on one scale: a chart a panel, or one of rows where there are many."""
        whole = shown.unit in ("count", "lines")
        scale = scale_of((mark.timing for mark in shown.marks if mark.timing), whole=whole)
        if len(shown.panels) < MANY and any(len(panel.marks) > 1 for panel in shown.panels):
            return [self._panel(shown, panel, scale) for panel in shown.panels]
        places: dict[str, list[Panel]] = {}
        for panel in shown.panels:
            where = next((each for each in Where if panel.title.startswith(each)), "")
            places.setdefault(where, []).append(replace(panel, title=panel.title.removeprefix(where).lstrip(", ")))
        return [self._rows(shown, where, panels, scale) for where, panels in places.items()]

    def _panel(self, shown: Shown, panel: Panel, scale: Scale) -> Chart:
        drawn, y = [], 0.0
        for mark in panel.marks:
            drawn.append(_draw(mark, y, scale, shown.unit))
            y = drawn[-1].y + _ROW - _LINE
        told = ". ".join(f"{' '.join(each.left)}: {_spoken(each, shown.unit)}" for each in drawn)
        named = ", ".join(part for part in (shown.title, panel.title) if part)
        return self._chart(panel.title, named, told, y, scale, tuple(drawn), (), shown.unit)

    def _rows(self, shown: Shown, where: str, panels: list[Panel], scale: Scale) -> Chart:
        rows, drawn, y = [], [], 0.0
        for panel in panels:
            told = "; ".join(f"{mark.told}: {mark.label or mark.title}" for mark in panel.marks if not mark.timing)
            lines = wrap(panel.title, FITS)
            if lines and len(lines[-1]) + len(told) > FITS:
                lines.append("")
            rows.append(Row(tuple(lines), y, told))
            y += _TITLE + _LINE * len(lines)
            for mark in (each for each in panel.marks if each.timing):
                drawn.append(_draw(mark, y, scale, shown.unit, shared=True))
                y += _LANE
            y += 6
        tools = ", ".join(dict.fromkeys(mark.title for panel in panels for mark in panel.marks))
        said = f"{len(rows)} rows with the figures of {tools}; all of them are in the table that follows"
        named = ", ".join(part for part in (shown.title, where) if part)
        return self._chart(where, named, said, y, scale, tuple(drawn), tuple(rows), shown.unit)

    def _chart(
        self,
        title: str,
        named: str,
        told: str,
        height: float,
        scale: Scale,
        drawn: tuple[Drawn, ...],
        rows: tuple[Row, ...],
        unit: str,
    ) -> Chart:
        what = "logarithmic scale" if scale.logarithmic else ""
        description = f"{named}, {unit}. {told}.{' Logarithmic scale.' if what else ''}"
        name, ticks = f"chart-{next(self._number)}", tuple(scale.ticks())
        return Chart(name, title, named, description, height + _AXIS, height + 4, ticks, drawn, rows, what, unit)


def scale_of(timings: Iterable[Timing], *, whole: bool = False) -> Scale:
    """One scale for all of them: from 0, or logarithmic where they lie very far apart."""
    found = list(timings)
    if not found:
        return Scale(0.0, 1.0)
    least, most = min(each.min for each in found), max(each.max for each in found)
    if least > 0 and most / least >= LOGARITHMIC:
        return Scale(10.0 ** math.floor(math.log10(least)), 10.0 ** math.ceil(math.log10(most)), logarithmic=True)
    low, high = min(0.0, least), max(0.0, most)
    if low == high:
        return Scale(0.0, 1.0, whole=whole)
    step = max(_nice((high - low) / 4), 1.0 if whole else 0.0)
    return Scale(math.floor(low / step + 1e-9) * step, high + 0.02 * (high - low), whole=whole)


def _draw(mark: Mark, y: float, scale: Scale, unit_of: str, *, shared: bool = False) -> Drawn:
    """A mark below its text, which starts at `y`; in a row of several it has none."""
    timing = mark.timing
    right = mark.told if timing is None else "" if shared else _value(timing, unit_of)
    left = [] if shared else wrap(mark.label or mark.title, FITS)
    if left and len(left[-1]) + len(right) > FITS:
        left.append("")
    y += _LINE * max(0, len(left))
    if timing is None:
        return Drawn(mark, y, tuple(left), right)
    low, high, middle = (scale.at(each) for each in (timing.min, timing.max, timing.median))
    return Drawn(mark, y, tuple(left), right, low, high, middle, tuple(map(scale.at, timing.samples)))


def _value(timing: Timing, unit_of: str) -> str:
    return f"{spread(timing)}{unit(unit_of)}{' !' if timing.noisy else ''}"


def _spoken(drawn: Drawn, unit_of: str) -> str:
    timing = drawn.mark.timing
    if timing is None:
        return drawn.mark.told
    told = f"median {number(timing.median)}{unit(unit_of)}"
    if len(timing.samples) == 1:
        return f"{told}, one sample"
    return f"{told}, from {number(timing.min)} to {number(timing.max)}, {len(timing.samples)} samples"


def _nice(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= step * 0.999)


def _tick(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1 or value == 0 else f"{value:g}"
