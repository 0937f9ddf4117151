"""The forwarded ports: kept alive by a process of their own, which `down` ends, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

import httpx
import psutil
import pytest

from benchmarks import processes
from benchmarks.kind import forward
from benchmarks.kind.settings import FORWARDS
from benchmarks.places import ROOT
from benchmarks.stacks.engine import StackError


@pytest.fixture
def free(target):
    """The target with ports that nobody holds."""
    return replace(target, ports={each.variable: processes.free_port() for each in FORWARDS})


def until(true, seconds=15.0):
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds, "it did not come"
        time.sleep(0.1)


def serves(process):
    try:
        return "http.server" in process.cmdline()
    except psutil.Error:  # the other command's, which ends at once
        return False


def test_each_service_has_a_forward_of_this_machine_only(target, with_kubectl):
    for each, command in zip(FORWARDS, forward.commands(target), strict=True):
        assert command[1:5] == ["--context", "kind-test-kubeflow", "--namespace", "kubeflow"]
        assert command[5:8] == ["port-forward", "--address", "127.0.0.1"]
        assert command[8:] == [f"service/{each.service}", f"{each.port}:{each.service_port}"]


def test_a_forward_that_ends_is_started_again_and_none_is_left_behind(tmp_path):
    port = processes.free_port()
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    keeper = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.kind.keeper", json.dumps([server, ["false"]])], cwd=ROOT
    )
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: forward.answers(address))
        child = next(each for each in psutil.Process(keeper.pid).children() if serves(each))
        child.kill()
        child.wait(5)
        until(lambda: forward.answers(address))
    finally:
        keeper.terminate()
        assert keeper.wait(10) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)


def test_the_keeper_gives_up_when_the_cluster_is_gone(tmp_path):
    code = "from benchmarks.kind.keeper import keep; raise SystemExit(keep([['false']], give_up_s=1.0))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "giving up" in done.stdout


def test_forwards_outlive_the_command_and_are_started_once(free, tmp_path, monkeypatch):
    """With other servers in the place of kubectl's: what counts is the process that keeps them."""
    serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    monkeypatch.setattr(forward, "commands", lambda target: [[*serve, str(port)] for port in target.ports.values()])
    free.folder.mkdir(parents=True)
    try:
        forward.start(free, lambda line: None)
        keeper = forward.running(free)
        assert keeper is not None
        assert keeper.pid != psutil.Process().pid
        forward.start(free, lambda line: None)
        assert forward.running(free) == keeper
        assert all(forward.answers(free.address(each)) for each in FORWARDS)
    finally:
        assert forward.stop(free) is True
    assert not any(forward.answers(free.address(each)) for each in FORWARDS)
    assert not keeper.is_running()


def test_ports_that_do_not_come_are_told_and_leave_no_process(fake, free):
    fake("kubectl", "echo 'error: services \"ml-pipeline-ui\" not found' >&2; exit 1")
    free.folder.mkdir(parents=True)
    with pytest.raises(StackError, match=r"no answer through the forwarded ports from Kubeflow .*not found"):
        forward.start(free, lambda line: None, ready_s=2.0)
    assert forward.running(free) is None
    assert not [each for each in psutil.Process().children(recursive=True) if "keeper" in " ".join(each.cmdline())]


def test_a_pid_that_is_another_process_by_now_is_left_alone(target):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        target.folder.mkdir(parents=True)
        noted = {"pid": bystander.pid, "created": psutil.Process(bystander.pid).create_time() - 3600}
        (target.folder / "forward.json").write_text(json.dumps(noted))
        assert forward.running(target) is None
        assert forward.stop(target) is False
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_damaged_notes_are_no_forward(target):
    target.folder.mkdir(parents=True)
    for text in ("", "{", "{}", json.dumps({"pid": "x", "created": 1})):
        (target.folder / "forward.json").write_text(text)
        assert forward.running(target) is None
    assert forward.stop(target) is False
