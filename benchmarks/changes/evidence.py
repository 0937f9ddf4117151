"""Look for what shows a change, in what the tool says of its run or of its schedule."""

from __future__ import annotations

import time

from benchmarks.changes.scenarios import Evidence
from benchmarks.changes.servers import Missing, Server

#: What a run has logged comes a moment after its end.
PATIENCE_S = 15.0
#: What would still come must not be taken for gone.
_SETTLE_S = 5.0
_POLL_S = 1.0
_SHOWN = 160


def find(server: Server, run: str, wanted: Evidence) -> str:
    """What shows the change, as the tool tells it.

    Args:
        server: of the tool.
        run: which has ended in success; none for a schedule.
        wanted: what to look for.

    Raises:
        Missing: it is not there or, for one that must be gone, still there.
    """
    if wanted.cron:
        return of_schedule(server, wanted.cron)
    if wanted.gone:
        time.sleep(min(PATIENCE_S, _SETTLE_S))
        return _gone(server.log(run), wanted.line, run)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = _step(server, run, wanted.step) if wanted.step else _line(server.log(run), wanted.line)
        if found or time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    if not found:
        what = f"no task {wanted.step} has run" if wanted.step else f"no line of the log has {wanted.line!r}"
        raise Missing(what, where=f"run {run}", fix="the former version has run: see the commands of this change")
    return found


def of_schedule(server: Server, cron: str) -> str:
    """The server's schedule.

    Raises:
        Missing: it is another one.
    """
    there, following = server.schedule()
    if there != cron:
        raise Missing(f"the schedule is {there or 'none'}", where="the server", fix=f"it should be {cron}")
    return f"{there}, next run {following}" if following else f"{there}; the server tells no next run"


def _line(log: str, text: str) -> str:
    found = next((line.strip() for line in log.splitlines() if text in line), "")
    return found[max(found.find(text) - _SHOWN // 2, 0) :][:_SHOWN]


def _step(server: Server, run: str, step: str) -> str:
    return f"task {step}: success" if step in server.look(run).steps else ""


def _gone(log: str, text: str, run: str) -> str:
    if not log.strip():
        raise Missing("the run has no log", where=f"run {run}", fix="so nothing says that the change is gone")
    if line := _line(log, text):
        raise Missing(f"the log still has {line!r}", where=f"run {run}", fix="the newer version has run")
    return f"{len(log.splitlines())} lines of log, none with {text!r}"
