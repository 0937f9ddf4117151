"""All four arms for real, through the command line: interrupted, completed, compared, and made to fail."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from benchmarks.display import Display
from benchmarks.places import ARMS, ROOT, ArmName
from benchmarks.results import SAME_EVERYWHERE
from benchmarks.retraining import make_configs, run
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


@pytest.fixture
def attempt(make_config, small_repo, tmp_path):
    """Run one month of the small repository on an arm, by the harness."""

    def run_once(arm: ArmName, month: str, **settings: object):
        base = make_config(month).json_dict()
        wanted = {
            name: base[name] for name in ("data_repo", "contract", "candidates", "tracking_uri", "artifact_location")
        }
        configs = make_configs([month], tmp_path / "attempts", {**wanted, **settings})
        return run(arm, configs, Display(Console(file=io.StringIO()), [arm]))

    return run_once


@arms
def test_bad_data_fail_every_arm_with_the_same_cause_and_leave_the_champion(arm, attempt, spoil, make_config):
    from shared.pipeline import retrain

    retrain(make_config("2013-03"), "before")
    before = registry.promotion_log(make_config("2013-03"))
    spoil("2013-04", lambda frame: frame.rename(columns={"temp": "temperature"}))
    result = attempt(arm, "2013-04")
    assert result.status == "failed"
    assert "column temperature is not part of the contract; column temp is missing" in result.error
    assert "What to do:" in result.error
    assert registry.champion(make_config("2013-03")) == 1
    assert registry.promotion_log(make_config("2013-03")) == before


@arms
def test_a_changed_byte_fails_every_arm_at_ingest(arm, attempt, small_repo):
    path = small_repo / "data/flights/2013-02.parquet"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    result = attempt(arm, "2013-03")
    assert result.status == "failed"
    assert "the file of 2013-02 has changed" in result.error


@arms
def test_a_tracking_server_that_is_down_fails_every_arm(arm, attempt):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    result = attempt(arm, "2013-03", tracking_uri=address)
    assert result.status == "failed"
    assert "the tracking server does not answer" in result.error
    assert result.seconds < 130  # with the retries that the tool was told to make, after 5, 15 and 45 s
