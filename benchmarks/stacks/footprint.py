"""What a stack takes while nothing runs on it: memory and CPU of each container over quiet seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import BaseModel

from benchmarks.stacks import engine, report
from benchmarks.stacks.engine import Container, StackError
from benchmarks.stats import Timing, timing

Role = Literal["base", "control plane", "workers"]
SETTLE_S = 30.0
QUIET_S = 60.0
EVERY_S = 5.0
#: In the container, for cgroups of version 2 and 1: then it works on every engine, one in a virtual machine too.
_USAGE = "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpuacct/cpuacct.usage"


class ServiceIdle(BaseModel):
    """One container; its own health checks are part of it."""

    service: str
    role: Role
    memory_mib: Timing  # raw samples, without the file cache, as `docker stats` tells it
    cpu_percent: float  # of one core, over the whole time


class Idle(BaseModel):
    """A stack on which nothing runs."""

    settle_s: float
    seconds: float
    services: list[ServiceIdle]

    def memory_mib(self, *roles: Role) -> float:
        """Sum of the medians."""
        return round(sum(each.memory_mib.median for each in self.services if each.role in roles), 1)

    def cpu_percent(self, *roles: Role) -> float:
        """Sum, in per cent of one core."""
        return round(sum(each.cpu_percent for each in self.services if each.role in roles), 2)


def role(service: str) -> Role:
    """What a service is for; LocalExecutor's workers are processes of the scheduler, which is control plane."""
    if service in ("postgres", "mlflow"):
        return "base"
    return "workers" if "-worker" in service else "control plane"


def measure(
    found: list[Container],
    tell: Callable[[str], None],
    *,
    settle_s: float = SETTLE_S,
    quiet_s: float = QUIET_S,
    every_s: float = EVERY_S,
) -> Idle:
    """Watch the running containers of a stack.

    Raises:
        StackError: there is none, or one of them went away or was started anew meanwhile.
    """
    running = [each for each in found if each.state == "running"]
    if not running:
        raise StackError("nothing runs that could be measured", where="the stack", fix="measure again")
    tell(f"idle: {settle_s:.0f} s to settle, then {quiet_s:.0f} s of measuring")
    time.sleep(settle_s)
    memory: dict[str, list[float]] = {each.id: [] for each in running}
    begin = {each.id: usage(each) for each in running}
    start = time.monotonic()
    while (spent := time.monotonic() - start) < quiet_s:
        used = report.memory(running)
        for each in running:
            memory[each.id].append(used[each.id])
        pause = min(every_s, quiet_s - spent) - (time.monotonic() - start - spent)  # docker itself takes two seconds
        time.sleep(max(0.0, pause))
    end = {each.id: usage(each) for each in running}
    services = [
        ServiceIdle(
            service=each.title,
            role=role(each.service),
            memory_mib=timing(memory[each.id]),
            cpu_percent=percent(each.service, begin[each.id], end[each.id]),
        )
        for each in running
    ]
    return Idle(settle_s=settle_s, seconds=round(time.monotonic() - start, 1), services=services)


def percent(service: str, begin: tuple[float, int], end: tuple[float, int]) -> float:
    """CPU in per cent of one core between two readings of (clock in s, CPU in ns).

    Raises:
        StackError: the counter has gone back.
    """
    if end[1] < begin[1]:
        raise StackError(f"{service} was started anew while it was measured", where=service, fix="measure again")
    return round(100 * (end[1] - begin[1]) / 1e9 / (end[0] - begin[0]), 2)


def cpu_ns(text: str) -> int:
    """CPU time that a cgroup has used, out of `cpu.stat` (version 2, microseconds) or `cpuacct.usage` (version 1)."""
    lines: Iterable[list[str]] = (line.split() for line in text.splitlines())
    for words in lines:
        if words[:1] == ["usage_usec"]:
            return int(words[1]) * 1000
        if len(words) == 1 and words[0].isdecimal():
            return int(words[0])
    raise StackError(f"no CPU time in: {text[:200]}", where="/sys/fs/cgroup", fix="see that the engine counts CPU time")


def usage(each: Container) -> tuple[float, int]:
    """What a container has used of the CPU: clock in s, CPU in ns.

    Raises:
        StackError: it cannot be asked.
    """
    text = engine.docker("exec", each.id, "sh", "-c", _USAGE)
    return time.monotonic(), cpu_ns(text)
