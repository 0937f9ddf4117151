"""Cost against rows, drawn from the result file: seconds on the left, memory on the right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import scale
from benchmarks.scale import OVER_FRAME, Sample, ScaleResult
from benchmarks.scale_sample import Kind

_MIB = 2**20
_COLOURS = {"core": "#1f4e79", "bare": "#d1782b", "validation": "#5a9367", "read": "#8a8a8a"}


def draw(result: ScaleResult, path: Path) -> None:
    """Draw the result to a PNG file. Every point is a median, and every raw sample a dot."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    samples = result.samples
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    timed: list[tuple[str, str, Callable[[int], list[float]]]] = [
        ("core", "whole core, ingest to register", lambda rows: list(scale.seconds(samples, rows, "core").values())),
        ("bare", "bare fit and predict", lambda rows: list(scale.seconds(samples, rows, "bare").values())),
        ("validation", "validation", lambda rows: list(scale.validation_seconds(samples, rows).values())),
        ("read", "reading every file once", lambda rows: list(scale.seconds(samples, rows, "read").values())),
    ]
    for key, label, values in timed:
        _line(left, result.sizes, values, label, _COLOURS[key])
    _line(right, result.sizes, lambda rows: _memory(samples, rows, "core"), "whole core", _COLOURS["core"])
    _line(right, result.sizes, lambda rows: _memory(samples, rows, "bare"), "bare fit and predict", _COLOURS["bare"])
    frames = {rows: scale.frame_bytes(samples, rows) for rows in result.sizes}
    known = {rows: OVER_FRAME * size / _MIB for rows, size in frames.items() if size}
    right.plot(known.keys(), known.values(), "--", color="#444444", label=f"{OVER_FRAME:g} x loaded training frame")

    left.set(title="Wall time", ylabel="seconds")
    right.set(title="Most memory beyond interpreter and libraries", ylabel="MiB")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="rows", xticks=result.sizes)
        axes.set_xticklabels([f"{rows / 1e6:g} M" for rows in result.sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the library's version in it, the same result gives the same file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _line(axes: Any, sizes: list[int], values: Callable[[int], list[float]], label: str, colour: str) -> None:
    each = {rows: found for rows in sizes if (found := values(rows))}
    axes.plot(each.keys(), [median(found) for found in each.values()], color=colour, label=label)
    dots = [(rows, value) for rows, found in each.items() for value in found]
    axes.scatter(*zip(*dots, strict=True), s=14, color=colour) if dots else None


def _memory(samples: list[Sample], rows: int, kind: Kind) -> list[float]:
    found = (each.measured for each in scale.of(samples, rows, kind))
    return [(each.peak_bytes - each.floor_bytes) / _MIB for each in found if each]
