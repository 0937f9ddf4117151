"""What docs/stacks.md shows of `bakeoff bench scale-out`, from its result file (cog)."""

from __future__ import annotations

from pathlib import Path

from benchmarks import docs
from benchmarks.scaleout.records import FILE, Spread, read


def table(path: Path = FILE) -> str:
    """Every run in one row; and where they were measured."""
    result = read(path)
    if result is None:
        return "Not measured yet."
    rows = [
        "| what | tool | workers | makespan s | a task's share ms | its start to its end, median s | most at once |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for what in ("candidates", "candidates in one run", "small tasks"):
        rows += [_row(each) for spreads in result.of(what).values() for each in spreads]
    about = {_about(each): None for each in result.spreads}
    return "\n".join([*rows, "", "  \n".join(about)])


def _row(run: Spread) -> str:
    head = f"| {run.asked:,} {run.what} | {run.tool.title()} | {run.workers} | "
    if run.makespan_s is None or run.per_task_s is None or run.inside_s is None:
        cause = " ".join((run.error or f"{len(run.tasks):,} tasks have run").split()).replace("|", "/")
        return f"{head}failed: {cause} | | | |"
    return f"{head}{run.makespan_s:.1f} | {1000 * run.per_task_s:,.0f} | {run.inside_s:.2f} | {run.at_once} |"


def _about(run: Spread) -> str:
    named = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return f"{run.tool.title()}: {docs.machine(run.environment)}; {named}; n = 1."
