"""All four arms for real, through the command line: interrupted, completed, and compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

import psutil
import pytest

from benchmarks.places import ARMS, ROOT, ArmName
from benchmarks.results import SAME_EVERYWHERE
from shared import events, registry
from shared.config import RetrainConfig

MONTH = "2013-03"
arms = pytest.mark.parametrize("arm", ARMS)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("arms")


def start(arm: ArmName, state: Path, token: str) -> subprocess.Popen[str]:
    command = [ROOT / "bakeoff", "retrain", "--on", arm, "--month", MONTH, "--json", "--state", state]
    env = {**os.environ, "BAKEOFF_TEST_TOKEN": token}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def carrying(token: str) -> list[str]:
    """Every process that has inherited the token, however it was started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("BAKEOFF_TEST_TOKEN") == token and process.status() != "zombie":
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def wait_for_training(folder: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        told = [each for path in folder.glob("runs/*/events.jsonl") for each in events.read(path)]
        if any(each["step"] == "train" for each in told):
            return
        time.sleep(0.05)
    pytest.fail("training never began")


@pytest.fixture(scope="module")
def finished(state):
    """Each arm's result of the same month: interrupted in the middle first, then run again to its end."""
    done: dict[ArmName, dict] = {}

    def result(arm: ArmName) -> dict:
        if arm not in done:
            process = start(arm, state, str(uuid.uuid4()))
            output, told = process.communicate(timeout=240)
            assert process.returncode == 0, told
            done[arm] = json.loads(output)
        return done[arm]

    return result


@arms
def test_ctrl_c_in_the_middle_leaves_no_process_and_no_champion(arm, state):
    token = str(uuid.uuid4())
    process = start(arm, state, token)
    wait_for_training(state / arm)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=40)
    assert process.returncode == 130, told
    assert "no process is left behind" in told
    assert carrying(token) == []
    assert registry.champion(RetrainConfig(month=MONTH, state=state / arm)) is None


def test_being_ended_from_outside_cleans_up_too(tmp_path):
    token = str(uuid.uuid4())
    process = start(ArmName.KUBEFLOW, tmp_path, token)
    wait_for_training(tmp_path / ArmName.KUBEFLOW)
    process.terminate()
    _, told = process.communicate(timeout=40)
    assert process.returncode == 130, told
    assert carrying(token) == []


@arms
def test_after_an_interruption_the_month_is_retrained(arm, finished):
    result = finished(arm)
    assert result["status"] == "succeeded"
    [retraining] = result["retrainings"]
    assert retraining["promoted"] is True
    assert retraining["version"] == 1
    assert result["versions"]["scikit-learn"]


@arms
def test_every_arm_agrees_with_plain_bit_for_bit(arm, finished):
    def identity(result):
        return {name: result["retrainings"][0][name] for name in SAME_EVERYWHERE}

    assert identity(finished(arm)) == identity(finished(ArmName.PLAIN))
