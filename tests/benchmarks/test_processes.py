from __future__ import annotations

import os
import socket
import sys
import time

import psutil
import pytest

from benchmarks import processes
from shared.errors import StorageError

#: A parent that ignores SIGTERM, with a child that does too and a grandchild whose parent has gone.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"]
child = subprocess.Popen(sleep)
orphan = subprocess.run([sys.executable, "-c",
    f"import subprocess; print(subprocess.Popen({sleep!r}, stdout=subprocess.DEVNULL).pid)"],
    stdout=subprocess.PIPE, text=True)
print(child.pid, orphan.stdout.strip(), flush=True)
time.sleep(60)
"""


def test_stop_leaves_nobody_behind(tmp_path):
    log = tmp_path / "log"
    process = processes.start([sys.executable, "-c", STUBBORN], log, dict(os.environ), tmp_path)
    deadline = time.monotonic() + 20
    while not log.read_text().strip() and time.monotonic() < deadline:
        time.sleep(0.05)
    family = [process.pid, *map(int, log.read_text().split())]
    assert len(family) == 3
    assert all(psutil.pid_exists(pid) for pid in family)
    start = time.monotonic()
    processes.stop(process, patience_s=0.5)
    assert time.monotonic() - start < 10
    assert not [pid for pid in family if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_stop_lets_a_process_clean_up(tmp_path):
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('up'); time.sleep(60)"
    )
    log = tmp_path / "log"
    process = processes.start([sys.executable, "-uc", code], log, dict(os.environ), tmp_path)
    while "up" not in log.read_text():
        time.sleep(0.05)
    processes.stop(process)
    assert process.returncode == 7


def test_a_port_in_use_is_told_with_its_owner():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(StorageError, match=rf"port {port} is in use by .*pid {os.getpid()}"):
            processes.free_port(port)
    assert processes.free_port(port) == port
    assert processes.free_port() > 0


def test_the_last_exceptions_of_a_log_are_found_each_once(tmp_path):
    """As `kfp.local` tells of a step in a container that was tried again."""
    log = tmp_path / "log"
    tried = """12:00:01 - INFO - Task 'train' is running
        [executor] Traceback (most recent call last):
        [executor] ModuleNotFoundError: No module named 'matplotlib'
    """
    log.write_text(
        "ValueError: of an earlier run\n" + tried * 3 + "RuntimeError: Pipeline finished with status FAILURE\nbye\n"
    )
    expected = "ModuleNotFoundError: No module named 'matplotlib'; RuntimeError: Pipeline finished with status FAILURE"
    assert processes.raised(log) == expected
    assert processes.raised(log, 1) == "RuntimeError: Pipeline finished with status FAILURE"
    log.write_text("all is well, no Error: here\n")
    assert processes.raised(log) == ""
    assert processes.raised(tmp_path / "none") == ""
