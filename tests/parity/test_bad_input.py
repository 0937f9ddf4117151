"""All four arms for real, made to fail: each on its own, so they may run side by side, as most of it is waiting."""

from __future__ import annotations

import io
import socket

import pytest
from rich.console import Console

from benchmarks.display import Display
from benchmarks.places import ARMS, ArmName
from benchmarks.retraining import make_configs, run
from shared import registry

arms = pytest.mark.parametrize("arm", ARMS)


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
    assert result.seconds < 180  # with the retries that the tool was told to make, after 5, 15 and 45 s
