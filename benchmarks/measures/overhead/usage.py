"""CPU of what is measured, and of who measures it."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measures.record import Figure

FIGURES = (
    Figure(
        name="cpu_s",
        title="CPU of what is measured",
        unit="s",
        definition="Of the retraining's processes, from the first one's start to the last one's end; of Airflow's "
        "services and the tasks that they run, over a fixed time from the trigger on, idle or not.",
    ),
    Figure(
        name="harness_cpu_s",
        title="CPU of the harness",
        unit="s",
        definition="Of the harness's own process meanwhile: reading events, asking the API.",
    ),
    Figure(
        name="harness_percent",
        title="harness over measured",
        unit="%",
        definition="CPU of the harness in per cent of the CPU of what is measured, which includes what answering the "
        "harness costs a server: read it with cpu_s of on against off. Where Airflow has it on, its tasks do nothing "
        "and it is asked every 2 s; in a retraining every 5 s, at its end every second, and events are read ten times.",
    ),
)


@contextmanager
def usage() -> Iterator[dict[str, float]]:
    """The figures of a piece of work; its processes count once they have ended."""
    told: dict[str, float] = {}
    before = cpu_s(resource.RUSAGE_CHILDREN), cpu_s(resource.RUSAGE_SELF)
    yield told
    after = cpu_s(resource.RUSAGE_CHILDREN), cpu_s(resource.RUSAGE_SELF)
    told |= figures(after[0] - before[0], after[1] - before[1])


def cpu_s(who: int = resource.RUSAGE_SELF) -> float:
    """CPU seconds so far of this process, or of its children that have ended (`resource.RUSAGE_CHILDREN`)."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def figures(measured_s: float, harness_s: float) -> dict[str, float]:
    """The figures of what was measured and of who measured it, both in CPU seconds."""
    percent = 100 * harness_s / measured_s if measured_s else 0.0
    return {"cpu_s": measured_s, "harness_cpu_s": harness_s, "harness_percent": percent}
