"""What the three scripts have in common: a JSON request on standard input, a JSON answer on standard output."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_last = 0.0


def lap() -> float:
    """Seconds of wall time since the last call."""
    global _last
    now = time.perf_counter()
    spent, _last = now - _last, now
    return spent


def answer(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Read the request, do the work, print its answer as the last line, with the memory that the process has needed."""
    request = json.load(sys.stdin)
    import_s = time.monotonic() - request["started"]  # one clock for all processes of a machine
    lap()
    found = work(request)
    print(json.dumps({"import_s": import_s, "peak_mib": _peak_mib(), **found}))


def _peak_mib() -> float:
    """The most memory this process has held. `ru_maxrss` would include what the parent held when it forked."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024
