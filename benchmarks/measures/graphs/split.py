"""Where the time of a run goes: to tasks, to waiting for a start, or to the tool finding what is next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from benchmarks.measures.rounds import Failed

#: When a task was ready, began and ended, in seconds since 1970.
Times = tuple[float, float, float]


@dataclass(frozen=True)
class Ran:
    """One run, by the tool's own timestamps (seconds since 1970).

    Args:
        called: when the tool was asked to run it.
        ended: when it had ended.
        tasks: of it.
    """

    called: float
    ended: float
    tasks: Sequence[Times]

    def whole(self, tasks: int) -> Ran:
        """This run, of so many tasks.

        Raises:
            Failed: of others the tool says nothing, so no figure would be right.
        """
        if len(self.tasks) == tasks:
            return self
        told = f"the tool tells the times of {len(self.tasks)} of {tasks} tasks"
        raise Failed(told, where="its API or log", fix="see there which task has not run")


def parts(ran: Ran) -> dict[str, float]:
    """The figures of a run that has tasks. All are 0 or more; start, schedule, execution, transition and end add up.

    Every moment counts once: to execution while any task runs, else to schedule while any waits for its start.
    """
    tasks = [_in_order(ran.called, *each) for each in ran.tasks]
    first, last = min(ready for ready, _, _ in tasks), max(ended for _, _, ended in tasks)
    execution = covered([(started, ended) for _, started, ended in tasks])
    busy = covered([(ready, ended) for ready, _, ended in tasks])
    end = max(ran.ended, last)
    return {
        "makespan_s": end - ran.called,
        "start_s": first - ran.called,
        "schedule_s": max(busy - execution, 0.0),
        "execution_s": execution,
        "transition_s": max(last - first - busy, 0.0),
        "end_s": end - last,
        "trigger_s": min(started for _, started, _ in tasks) - ran.called,
        "tasks_s": last - first,
        "latency_s": median(started - ready for ready, started, _ in tasks),
    }


def _in_order(called: float, ready: float, started: float, ended: float) -> Times:
    """Clocks of two processes, and cut-off milliseconds, may put a moment a little before the one before it."""
    ready = max(ready, called)
    started = max(started, ready)
    return ready, started, max(ended, started)


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """How long at least one of them goes on."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(end - max(begin, until), 0.0)
        until = max(until, end)
    return total


_EXECUTOR = re.compile(r"\[KFP Executor (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) INFO\]: Looking for component")


def begun_in_kfp_log(text: str) -> list[float]:
    """When the components' own processes began their work, their imports behind them, in seconds since 1970.

    Args:
        text: what `kfp.local` has printed, which includes what those processes print.
    """
    found = _EXECUTOR.findall(text)
    return sorted(datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").timestamp() + int(ms) / 1000 for moment, ms in found)
