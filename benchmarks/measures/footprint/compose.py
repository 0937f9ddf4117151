"""What a tool's real servers take in containers: idle, while they retrain once, and their images."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from benchmarks.measures.footprint.embedded import Quiet
from benchmarks.measures.footprint.parts import Row, of_stack, rows
from benchmarks.measures.own_stack import OwnStack
from benchmarks.measures.rounds import Failed, Taken, Tell
from benchmarks.measures.setup.compose import retrain
from benchmarks.places import ArmName
from benchmarks.stacks import footprint, image_size, report
from benchmarks.stacks.engine import Container, StackError

#: Memory in MiB and CPU in per cent of one core, by service.
Used = Mapping[str, tuple[float, float]]


def measure(name: ArmName, quiet: Quiet, stack: OwnStack, tell: Tell) -> Mapping[str, Taken]:
    """Watch a stack that is healthy, idle and then busy.

    Returns:
        By the keys of its rows.

    Raises:
        BakeoffError: a container went away, or the run has failed.
    """
    found = stack.running()
    idle = footprint.measure(found, tell, settle_s=quiet.settle_s, quiet_s=quiet.seconds)
    told = {each.service: (each.memory_mib.median, each.cpu_percent) for each in idle.services}
    tell("busy")
    begin = {each.service: footprint.usage(each) for each in found}
    with MemoryWatch(found) as watch:
        result = retrain(name, stack, model_name=f"footprint-{time.time_ns()}")  # which no champion holds back
    end = {each.service: footprint.usage(each) for each in found}
    if result.status == "failed":
        raise Failed(f"the run has failed: {result.error}", where=name, fix="measure again")
    cpu = {each: footprint.percent(each, begin[each], end[each]) for each in begin}
    return {
        row.key: of_idle(row, told) if row.phase == "idle" else of_busy(row, watch.samples, cpu)
        for row in rows(of_stack(stack.tool))
    }


def of_idle(row: Row, used: Used) -> Taken:
    """Sums of medians, and of CPU."""
    return Taken(
        {
            "memory_mib": sum(used[part][0] for part in row.of),
            "cpu_percent": sum(used[part][1] for part in row.of),
            "processes": float(len(row.of)),
        },
        _texts(row),
    )


def of_busy(row: Row, samples: Sequence[Mapping[str, float]], cpu: Mapping[str, float]) -> Taken:
    """The most of the sums, and the sum of CPU.

    Args:
        row: which services.
        samples: MiB by service, each of one moment.
        cpu: per cent of one core, by service.

    Raises:
        Failed: it was too short to be looked at.
    """
    if not samples:
        raise Failed("nobody looked while it lasted", where=row.key, fix="measure again")
    return Taken(
        {
            "memory_mib": max(sum(each.get(part, 0.0) for part in row.of) for each in samples),
            "cpu_percent": sum(cpu[part] for part in row.of),
            "processes": float(len(row.of)),
        },
        _texts(row),
    )


def _texts(row: Row) -> dict[str, str]:
    return {"memory": "cgroup without file cache", "parts": ", ".join(row.of)}


def image(name: str, stack: OwnStack) -> Taken:
    """The size of the image of a service.

    Args:
        name: of the service.
        stack: whose.

    Raises:
        StackError: it does not run.
    """
    found = {each.service: each.image for each in stack.running()}
    if name not in found:
        raise StackError(f"{name} does not run", where=stack.up.project, fix="measure again")
    size = image_size.measure(found[name], stack.env.prefix)
    return Taken({"image_mb": size.mb}, {"image": size.name})


class MemoryWatch:
    """The memory of containers, again and again for as long as it is open: `docker stats` takes two seconds each time.

    Args:
        found: the containers.
    """

    def __init__(self, found: list[Container]) -> None:
        self._found = found
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[dict[str, float]] = []

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                used = report.memory(self._found)
            except StackError:  # one went away: the reading of its CPU tells
                continue
            self.samples.append({each.service: used[each.id] for each in self._found})
