from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import httpx
import pytest

from benchmarks import processes
from benchmarks.measures.catalog import Where
from benchmarks.measures.debug import catalogue, cell, inject, live
from benchmarks.measures.debug.embedded import Process
from benchmarks.measures.debug.ledger import Ledger
from benchmarks.places import ROOT, ArmName, Stack
from shared.errors import ConfigError


@pytest.fixture
def switch(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "STATE", tmp_path / "state")
    places = {"file": tmp_path / "broken.json", "folder": tmp_path / "broken"}

    def on(name, tool=ArmName.PLAIN):
        return live.switch_on(name, tool, Where.EMBEDDED, lambda line: None, **places)

    on.file = places["file"]
    on.folder = places["folder"]
    return on


def test_break_and_mend_leave_the_checkout_and_the_store_as_they_were(switch, tmp_path):
    code = (ROOT / "shared" / "train.py").read_bytes()
    done = switch("worker-lost")
    assert done.next_command == "./bakeoff retrain --on plain --month 2013-03"
    store = (tmp_path / "state" / "plain" / "mlflow.db").read_bytes()
    broken = live.is_on(ArmName.PLAIN, Stack.EMBEDDED, switch.file)
    assert "killed-once" in (broken.root / "shared" / "train.py").read_text()
    assert live.is_on(ArmName.PREFECT, Stack.EMBEDDED, switch.file) is None
    assert [each.fault for each in live.switch_off(switch.file)] == ["worker-lost"]
    assert live.switch_off(switch.file) == []
    assert (ROOT / "shared" / "train.py").read_bytes() == code
    assert (tmp_path / "state" / "plain" / "mlflow.db").read_bytes() == store
    assert not broken.root.exists()


def test_break_twice_is_once_and_another_fault_has_to_wait(switch):
    switch("gate-rejection")
    switch("gate-rejection")
    assert len(Ledger(switch.file).read()) == 1
    with pytest.raises(ConfigError, match=r"gate-rejection is on there already.*bakeoff mend"):
        switch("worker-lost")
    switch("gate-rejection", ArmName.KUBEFLOW)
    assert len(live.switch_off(switch.file)) == 2


def test_a_fault_that_cannot_be_made_leaves_nothing(switch, monkeypatch):
    def fails(breaking, fault):
        breaking.checkout()
        raise KeyboardInterrupt

    monkeypatch.setitem(inject._KINDS, "code", fails)
    with pytest.raises(KeyboardInterrupt):
        switch("worker-lost")
    assert Ledger(switch.file).read() == []
    assert not (switch.folder / "plain-embedded" / "checkout").exists()


@pytest.mark.parametrize(
    ("name", "told"), [("control", "no fault"), ("nonsense", "there is no fault"), ("wrong-image-tag", "no image")]
)
def test_what_cannot_be_broken_is_said(switch, name, told):
    with pytest.raises(ConfigError, match=told):
        switch(name)
    assert not switch.file.exists()


def test_every_fault_tells_where_it_can_be_switched_on():
    assert len(live.listed()) == len(catalogue.faults()) - 1
    assert all("embedded" in places or "compose" in places for _, _, places in live.listed())


def test_the_proxy_resets_so_many_connections_and_then_passes_all_on(tmp_path):
    (tmp_path / "index.html").write_text("here")
    ports = processes.free_port(), processes.free_port()
    target = f"http://127.0.0.1:{ports[0]}"
    serving = [sys.executable, "-m", "http.server", str(ports[0]), "--bind", "127.0.0.1", "--directory", tmp_path]
    proxying = [sys.executable, "-m", "benchmarks.measures.debug.proxy", str(ports[1]), target, "2"]
    log = tmp_path / "proxy.log"
    with log.open("wb") as stream:
        servers = [
            subprocess.Popen(serving, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
            subprocess.Popen(proxying, cwd=ROOT, stdout=stream),
        ]
    try:
        _until_it_listens(ports[0])
        while "listening" not in log.read_text():
            time.sleep(0.02)
        answers = []
        for _ in range(3):
            try:
                answers.append(httpx.get(f"http://127.0.0.1:{ports[1]}/index.html", trust_env=False).text)
            except httpx.TransportError:
                answers.append("reset")
        assert answers == ["reset", "reset", "here"]
    finally:
        for each in servers:
            each.kill()
            each.wait()


def _until_it_listens(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def test_a_real_fault_on_plain_python_from_making_it_to_going_on(tmp_path):
    """About fifteen seconds: a worker that is really killed, found, mended, and gone on with."""
    subject = Process(ArmName.PLAIN, tmp_path)
    [lost] = [each for each in catalogue.cells(ArmName.PLAIN, Where.EMBEDDED) if each.fault.id == "worker-lost"]
    try:
        subject.open(lambda line: None)
        code = (subject.root / "shared" / "train.py").read_bytes()
        taken = cell.take(lost, subject, lambda line: None)
    finally:
        subject.close()
    assert taken.texts["state"] == f"exit code {-9 if os.name == 'posix' else 1}"
    assert (taken.texts["cause_in"], taken.texts["champion_kept"]) == ("message", "yes")
    assert taken.texts["resumed"] == "exit code 0"
    assert taken.figures["repeated_steps"] == 2  # ingest and validate; MLflow knows nothing of train yet
    assert taken.figures["walk_steps"] == 1
    assert 0 < taken.figures["detect_s"] < taken.figures["detect_s"] + taken.figures["resume_s"]
    assert (subject.root / "shared" / "train.py").read_bytes() == code
    assert not subject.ledger.file.exists()


def test_the_command_lists_the_faults_and_has_nothing_to_mend(switch, monkeypatch):
    from typer.testing import CliRunner

    from benchmarks.cli import app
    from benchmarks.measures.debug import ledger

    monkeypatch.setattr(ledger.Ledger.__init__, "__defaults__", (switch.file,))
    monkeypatch.setattr(live.switch_off, "__defaults__", (switch.file,))
    listed = CliRunner().invoke(app, ["break"])
    assert listed.exit_code == 0
    assert all(each.id in listed.output for each in catalogue.faults() if each.id != catalogue.CONTROL)
    assert CliRunner().invoke(app, ["break", "--sheet"]).output == (ROOT / "docs" / "debug-sheet.md").read_text()
    assert "nothing is broken" in CliRunner().invoke(app, ["mend"]).output
    switch("gate-rejection")
    assert "mended: gate-rejection on plain, embedded" in CliRunner().invoke(app, ["mend"]).output
