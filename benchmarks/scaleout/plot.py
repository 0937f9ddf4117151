"""Time against workers, from the result file: makespan of the fan-out on the left, cost of a task on the right."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.places import ROOT, ArmName
from benchmarks.scaleout.records import ScaleOut

FILE = ROOT / "docs" / "images" / "scale-out.png"
_COLOURS = {ArmName.AIRFLOW: "#1f4e79", ArmName.PREFECT: "#d1782b", ArmName.PLAIN: "#8a8a8a"}


def draw(result: ScaleOut, path: Path) -> None:
    """Draw the result to a PNG file; every point is one run."""
    figure = Figure(figsize=(10, 4.2), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2)
    ticks = sorted({each.workers for each in result.spreads})
    for arm, spreads in result.of("candidates").items():
        points = [(each.workers, each.makespan_s) for each in spreads if each.makespan_s is not None]
        if arm is ArmName.PLAIN:
            for _, seconds in points:
                left.axhline(seconds, color=_COLOURS[arm], linestyle="--", label="plain: one process, no tool")
        elif points:
            left.plot(*zip(*points, strict=True), "o-", color=_COLOURS[arm], label=arm.title())
    for arm, spreads in result.of("candidates in one run").items():
        for each in spreads:
            if each.makespan_s is not None:
                label = f"{arm.title()}: threads of one run"
                left.axhline(each.makespan_s, color=_COLOURS[arm], linestyle=":", label=label)
    for arm, spreads in result.of("small tasks").items():
        points = [(each.workers, 1000 * each.per_task_s) for each in spreads if each.per_task_s is not None]
        if points:
            right.plot(*zip(*points, strict=True), "o-", color=_COLOURS[arm], label=arm.title())
    left.set(title=f"Makespan of {_asked(result, 'candidates')} candidates", ylabel="seconds")
    right.set(title=f"{_asked(result, 'small tasks')} tasks that do nothing", ylabel="milliseconds a task")
    for axes in (left, right):
        axes.set(xlabel="workers", xticks=ticks, ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9) if axes.get_legend_handles_labels()[0] else None
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the library's version in it, the same result gives the same file.
    figure.savefig(path, metadata={"Software": None})


def _asked(result: ScaleOut, what: str) -> str:
    return " or ".join(f"{asked:,}" for asked in sorted({each.asked for each in result.spreads if each.what == what}))
