"""Watch the processes that a tool has started, and those that they start: how many, their memory, their CPU time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psutil

#: Seconds between two looks. A look costs a few milliseconds of one core, and a process that lives shorter is missed.
EVERY_S = 0.5
MIB = 2**20
#: What memory of a process means on this system.
MEMORY = "pss" if psutil.LINUX else "uss"


@dataclass(frozen=True)
class Member:
    """One process of a family.

    Args:
        process: itself.
        root: the name of the root that it descends from.
        is_root: is it that root?
        command: its command line now, which many tools rewrite as a title.
    """

    process: psutil.Process
    root: str
    is_root: bool
    command: str


#: Names the part of the tool that a process belongs to; None for one that is not the tool's.
PartOf = Callable[[Member], str | None]


@dataclass(frozen=True)
class Look:
    """What is there at one moment, by part."""

    #: Seconds of the monotonic clock.
    at: float
    count: Mapping[str, int] = field(default_factory=dict)
    #: None: not read at this look.
    memory_mib: Mapping[str, float] | None = field(default_factory=dict)
    #: CPU time since the watch began, that of processes that have ended included, up to the last look at each.
    cpu_s: Mapping[str, float] = field(default_factory=dict)

    def memory(self, parts: Iterable[str]) -> float:
        """MiB of some parts together; 0 where memory was not read."""
        return sum((self.memory_mib or {}).get(part, 0.0) for part in parts)

    def cpu(self, parts: Iterable[str]) -> float:
        """CPU seconds of some parts together."""
        return sum(self.cpu_s.get(part, 0.0) for part in parts)

    def processes(self, parts: Iterable[str]) -> int:
        """How many of some parts together."""
        return sum(self.count.get(part, 0) for part in parts)


class Family:
    """The processes that descend from some roots. One that was seen once stays known when its parent has ended.

    Args:
        roots: process ids by name, asked at each look: a tool starts one service after the other.
        part_of: which part a process belongs to.
        memory_every: read the memory at every so many looks, for it is the most of what a look costs; 0: never.
    """

    def __init__(self, roots: Callable[[], Mapping[str, int]], part_of: PartOf, *, memory_every: int = 1) -> None:
        self._roots, self._part_of, self._memory_every = roots, part_of, memory_every
        self._looks = 0
        self._known: dict[psutil.Process, tuple[str, bool]] = {}
        #: Processes of others, which need not be asked again whose children they are.
        self._others: set[int] = set()
        self._seen_roots: dict[str, int] = {}
        #: Part and CPU seconds of each process, as last seen.
        self._cpu: dict[psutil.Process, tuple[str, float]] = {}

    def look(self) -> Look:
        """See what is there now."""
        at = time.monotonic()
        reads_memory = bool(self._memory_every) and self._looks % self._memory_every == 0
        self._looks += 1
        count: dict[str, int] = {}
        memory: dict[str, float] = {}
        for member in self._living():
            part = self._part_of(member)
            if part is None:
                continue
            with contextlib.suppress(psutil.Error):
                with member.process.oneshot():
                    if member.process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    times = member.process.cpu_times()
                self._cpu[member.process] = part, times.user + times.system
                if reads_memory:
                    memory[part] = memory.get(part, 0.0) + _memory_mib(member.process)
                count[part] = count.get(part, 0) + 1
        cpu: dict[str, float] = {}
        for part, seconds in self._cpu.values():
            cpu[part] = cpu.get(part, 0.0) + seconds
        return Look(at, count, memory if reads_memory else None, cpu)

    def _living(self) -> Iterator[Member]:
        pids = set(psutil.pids())
        roots = dict(self._roots())
        if roots != self._seen_roots:  # what was started by a new one may have been taken for somebody else's
            self._others.clear()
            self._seen_roots = roots
        found = {process: each for process, each in self._known.items() if process.pid in pids and process.is_running()}
        known = {process.pid for process in found}
        children: dict[int, list[psutil.Process]] = {}
        for pid in pids - self._others - known:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                children.setdefault(process.ppid(), []).append(process)
                for name in [name for name, root in roots.items() if root == pid]:
                    found[process] = (name, True)
        waiting = list(found)
        while waiting:
            parent = waiting.pop()
            for child in children.get(parent.pid, []):
                if child not in found:
                    found[child] = (found[parent][0], False)
                    waiting.append(child)
        self._known = found
        self._others = pids - {process.pid for process in found}
        for process, (root, is_root) in found.items():
            with contextlib.suppress(psutil.Error):
                yield Member(process, root, is_root, " ".join(process.cmdline()))


def _memory_mib(process: psutil.Process) -> float:
    """What a process holds, with its share of what others hold too where the system tells that."""
    told = process.memory_full_info()
    return float(getattr(told, MEMORY)) / MIB


class Watch:
    """Looks at a family again and again, in a thread, for as long as it is open.

    Args:
        family: whom.
        every_s: seconds between two looks.
    """

    def __init__(self, family: Family, every_s: float = EVERY_S) -> None:
        self._family, self._every_s = family, every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._begin = time.monotonic()
        self.looks: list[Look] = []
        #: CPU seconds that watching itself has taken.
        self.own_cpu_s = 0.0

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    @property
    def own_percent(self) -> float:
        """CPU that watching itself takes, in per cent of one core."""
        return 100 * self.own_cpu_s / max(time.monotonic() - self._begin, 1e-9)

    def between(self, begin: float, end: float) -> list[Look]:
        """The looks of a stretch of the monotonic clock, and the last one before: CPU time is counted from there."""
        before = [each for each in self.looks if each.at < begin][-1:] or [Look(begin)]
        return [*before, *(each for each in self.looks if begin <= each.at <= end)]

    def _run(self) -> None:
        while not self._end.is_set():
            begin = time.monotonic()
            self.looks.append(self._family.look())
            self.own_cpu_s = time.thread_time()
            self._end.wait(max(0.0, self._every_s - (time.monotonic() - begin)))


def percent(looks: list[Look], parts: Iterable[str]) -> float:
    """CPU over all of the looks, in per cent of one core; 0 for less than two of them."""
    names = list(parts)
    if len(looks) < 2 or looks[-1].at <= looks[0].at:
        return 0.0
    return 100 * (looks[-1].cpu(names) - looks[0].cpu(names)) / (looks[-1].at - looks[0].at)
