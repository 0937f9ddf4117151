"""Start processes in groups of their own, and leave none behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import psutil

from shared.errors import StorageError

#: What Python prints of an exception; the message of one that has none of its own says nothing here.
_RAISED = re.compile(r"\b[A-Z]\w*(?:Error|Exception): \S.*")


def start(
    command: list[str | Path], log: Path, env: dict[str, str], cwd: Path, *, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, which Ctrl-C reaches through us only; its output goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            command, stdin=stdin, stdout=stream, stderr=stream, env=env, cwd=cwd, start_new_session=True
        )


def stop(process: subprocess.Popen[bytes], *, patience_s: float = 10.0) -> None:
    """Ask a process, then its whole family, to end; kill what stays.

    Args:
        process: started by `start`.
        patience_s: seconds it is given to clean up.
    """
    family = _family(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience_s)
    for member in family | _family(process.pid) | _group(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.kill()  # does nothing when it has ended
    process.wait()
    psutil.wait_procs(list(family), timeout=5)


def finish(process: subprocess.Popen[bytes], patience_s: float) -> int | None:
    """Wait for a process, and end what is left of its family: its exit code, or None where it did not end in time."""
    try:
        return process.wait(timeout=patience_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        stop(process)


def _family(pid: int) -> set[psutil.Process]:
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _group(pid: int) -> set[psutil.Process]:
    """Processes of the group that `pid` leads, children that lost their parent among them."""
    members = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if process.pid != pid and os.getpgid(process.pid) == pid:
                members.add(process)
    return members


def free_port(wanted: int = 0) -> int:
    """A port on 127.0.0.1 that nobody listens on: the wanted one, or any.

    Raises:
        StorageError: the wanted port is taken, naming by whom.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise StorageError(
                f"port {wanted} is in use{listener(wanted)}",
                where=f"127.0.0.1:{wanted}",
                fix="stop that process, or choose another port with --port",
            ) from error
        return int(probe.getsockname()[1])


def listener(port: int) -> str:
    """Who listens on a port, as ` by NAME (pid N)`; empty when that may not be seen."""
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, to go with an error."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def raised(log: Path, most: int = 2) -> str:
    """The last exceptions that a log tells of, each once: the cause, and what it led to; '' where there is none."""
    text = log.read_text(errors="replace") if log.exists() else ""
    last = {found.strip(): None for found in reversed(_RAISED.findall(text))}
    return "; ".join(reversed(list(last)[:most]))
