"""What was measured: tasks, each with when it could have begun, began and ended; and what that makes of a run."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from benchmarks import results
from benchmarks.places import RESULTS, ArmName

FILE = RESULTS / "scale-out.json"
What = Literal["candidates", "candidates in one run", "small tasks"]
#: Tasks that a worker runs at once: Celery's concurrency (celery.yaml), Prefect's limit (prefect.yaml).
SLOTS = 4


class Task(NamedTuple):
    """One task. Times in seconds since the first task of its run could begin, by the tool's own clock."""

    ready: float
    started: float
    ended: float


class Spread(BaseModel):
    """One run of many tasks; a failed one has an error and no tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: ArmName
    what: What
    workers: int
    environment: results.Environment
    versions: dict[str, str]
    #: How many tasks were asked for.
    asked: int
    tasks: tuple[Task, ...] = ()
    error: str | None = None

    @property
    def makespan_s(self) -> float | None:
        """From the first task's chance to begin until the last one's end."""
        if len(self.tasks) < self.asked:
            return None
        return max(each.ended for each in self.tasks) - min(each.ready for each in self.tasks)

    @property
    def per_task_s(self) -> float | None:
        """The makespan's share of one task."""
        return None if self.makespan_s is None else self.makespan_s / self.asked

    @property
    def inside_s(self) -> float | None:
        """Median time of a task from its start to its end, as the tool has it."""
        return median(each.ended - each.started for each in self.tasks) if self.tasks else None

    @property
    def at_once(self) -> int:
        """How many tasks went on at once, at most."""
        moments = [(each.started, 1) for each in self.tasks] + [(each.ended, -1) for each in self.tasks]
        now = most = 0
        for _, step in sorted(moments):
            now += step
            most = max(most, now)
        return most


class ScaleOut(BaseModel):
    """The result file of `bakeoff bench scale-out`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal["scale out"] = "scale out"
    slots: int = SLOTS
    spreads: tuple[Spread, ...]

    def of(self, what: What) -> dict[ArmName, list[Spread]]:
        """The runs of one kind, by tool, fewest workers first."""
        ordered = sorted((each for each in self.spreads if each.what == what), key=lambda run: (run.tool, run.workers))
        return {tool: list(runs) for tool, runs in groupby(ordered, key=lambda run: run.tool)}


def read(path: Path = FILE) -> ScaleOut | None:
    """A result file, where there is one."""
    return ScaleOut.model_validate_json(path.read_text()) if path.exists() else None


def merged(before: ScaleOut | None, new: list[Spread]) -> ScaleOut:
    """The new runs, with those of the former result that were not made anew."""
    measured = {(each.tool, each.what, each.workers) for each in new}
    old = before.spreads if before else ()
    return ScaleOut(spreads=(*(each for each in old if (each.tool, each.what, each.workers) not in measured), *new))


def since_the_first(times: list[tuple[float, float, float]]) -> tuple[Task, ...]:
    """Tasks out of (ready, started, ended) in seconds since 1970, the first to begin first."""
    if not times:
        return ()
    first = min(ready for ready, _, _ in times)
    shifted = sorted((started - first, ready - first, ended - first) for ready, started, ended in times)
    return tuple(Task(ready=round(r, 3), started=round(s, 3), ended=round(e, 3)) for s, r, e in shifted)
