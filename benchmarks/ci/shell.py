"""Run one script as GitHub's runner does, in a process group of its own, and leave none of its processes behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import psutil

from benchmarks import processes

#: For a script that has to end: `./bakeoff` ends its own processes meanwhile.
PATIENCE_S = 20.0


def run(command: list[str | Path], *, log: Path, env: dict[str, str], folder: Path, limit_s: float) -> int | None:
    """Run a command until it ends; what it has left in the background is ended too.

    Args:
        command: program and words.
        log: receives what it prints.
        env: all of its environment.
        folder: where it runs.
        limit_s: seconds that it is given.

    Returns:
        The exit code; None when its time was up.
    """
    process = processes.start(command, log, env, folder)
    try:
        return process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process, its group and all that they have started to end; kill what stays."""
    family = _family(process)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=PATIENCE_S)
    _, left = psutil.wait_procs(family, timeout=PATIENCE_S)
    for member in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    processes.stop(process)  # what the group has got since


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """What it has started, in groups of their own too."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return list(psutil.Process(process.pid).children(recursive=True))
    return []
