from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time

import psutil
import pytest
from rich.console import Console

from benchmarks import replay, results, timeline
from benchmarks.places import ROOT, ArmName
from shared import events, registry
from shared.config import RetrainConfig
from shared.errors import ConfigError, RegistryError


@pytest.fixture
def small_replay(make_config, tmp_path):
    """Replay the small repository by the plain arm, in one store."""
    base = make_config().json_dict()
    settings = {name: base[name] for name in ("data_repo", "contract", "candidates")}

    def run(first, last, **more):
        console = Console(file=io.StringIO())
        return replay.replay(
            console, ArmName.PLAIN, first, last, state=tmp_path / "replay", settings={**settings, **more}
        )

    return run


def test_each_month_is_retrained_once_however_often_it_is_asked_for(small_replay):
    once = small_replay("2013-02", "2013-03")
    assert [row.status for row in once.retrainings] == ["succeeded"] * 2
    assert all(row.seconds for row in once.retrainings)
    twice = small_replay("2013-02", "2013-04")
    assert [row.seconds is None for row in twice.retrainings] == [True, True, False]
    assert [row.model_copy(update={"seconds": None}) for row in once.retrainings] == twice.retrainings[:2]
    first = twice.retrainings[0]
    assert (first.champion_auc, first.frozen_auc, first.drift) == (None, None, None)
    last = twice.retrainings[2]
    assert last.frozen_auc is not None
    assert last.last_month_passes is False
    assert last.every_auc is not None
    assert set(twice.mean_auc) == set(replay.RULES)


def test_the_champion_that_was_never_replaced_is_the_frozen_model(small_replay):
    assert small_replay("2013-02", "2013-02").retrainings[0].promoted
    kept = small_replay("2013-02", "2013-04", gate={"min_auc_gain": 0.9}).retrainings[1:]
    for row in kept:
        assert row.champion_version == 1
        assert row.frozen_auc == pytest.approx(row.champion_auc, abs=1e-9)
        assert not row.promoted


def test_a_missing_month_fails_alone_and_loses_nothing(small_replay):
    result = small_replay("2013-03", "2013-05")  # the small repository ends in April
    assert [row.status for row in result.retrainings] == ["succeeded", "succeeded", "failed"]
    assert result.status == "failed"
    assert "DVC has no data for 2013-01 to 2013-05" in result.retrainings[2].error
    again = small_replay("2013-03", "2013-04")
    assert again.status == "succeeded"
    assert all(row.seconds is None for row in again.retrainings)


def test_data_that_changed_since_a_verdict_are_not_mixed_with_it(small_replay, spoil):
    before = small_replay("2013-02", "2013-03")
    spoil("2013-03", lambda frame: frame.iloc[:-100])
    after = small_replay("2013-02", "2013-03")
    assert [row.data_changed for row in after.retrainings] == [False, True]
    assert after.retrainings[1].auc == before.retrainings[1].auc
    assert after.retrainings[1].frozen_auc is None
    assert any("2013-03: the data have changed since its verdict" in line for line in replay.summary(after))


def test_a_month_that_was_left_out_can_be_made_up_for(small_replay):
    small_replay("2013-02", "2013-02")
    small_replay("2013-04", "2013-04", gate={"min_auc_gain": 0.9})
    rows = small_replay("2013-02", "2013-04", gate={"min_auc_gain": 0.9}).retrainings
    assert [(row.month, row.status, row.seconds is None) for row in rows] == [
        ("2013-02", "succeeded", True),
        ("2013-03", "succeeded", False),
        ("2013-04", "succeeded", True),
    ]


def test_a_replay_into_the_past_of_a_champion_is_told_before_work_starts(small_replay):
    small_replay("2013-04", "2013-04")
    with pytest.raises(RegistryError, match="is no holdout for it"):
        small_replay("2013-03", "2013-04")


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2013-01", "2013-05", "no month 2013-01 to retrain on"),
        ("2013-02", "2014-05", "no month 2014-05"),
        ("2013-05", "2013-03", "2013-05 comes after 2013-03"),
    ],
)
def test_months_that_make_no_range_are_told(small_replay, first, last, message):
    with pytest.raises(ConfigError, match=message):
        small_replay(first, last)


def test_picture_and_page_tell_failures_too(small_replay, tmp_path):
    result = small_replay("2013-02", "2013-05")
    png, html = timeline.save(result, tmp_path, 0.002)
    assert png.read_bytes()[:4] == b"\x89PNG"
    page = html.read_text()
    assert "DVC has no data" in page
    assert page.count("<tr>") == 1 + len(result.retrainings)
    assert "data:image/png;base64," in page
    again, _ = timeline.save(result, tmp_path, 0.002)
    assert again.read_bytes() == png.read_bytes()
    buffer = io.StringIO()
    Console(file=buffer, width=100).print(replay.table(result))
    assert "2013-05 failed" in buffer.getvalue()
    assert any("2013-05 failed: DVC has no data" in line for line in replay.summary(result))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_replay_that_is_killed_half_way_goes_on_where_it_was(tmp_path, how):
    """By the command, on the real months: February, March and April."""
    command = [ROOT / "bakeoff", "replay", "--from", "2013-02", "--to", "2013-04", "--json", "--state", tmp_path]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ})
    deadline = time.monotonic() + 120
    while not any(
        each["label"] == "2013-03" and each["step"] == "retrain"
        for path in tmp_path.glob("plain/runs/*/events.jsonl")
        for each in events.read(path)
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    family = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(how)
    first.communicate(timeout=60)
    psutil.wait_procs(family, timeout=30)
    assert not [process for process in family if process.is_running()]  # nothing goes on unseen

    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["retrainings"]
    assert [(row["month"], row["promoted"], row["version"]) for row in rows] == [
        ("2013-02", True, 1),
        ("2013-03", True, 2),
        ("2013-04", False, None),
    ]
    assert rows[0]["seconds"] is None  # was done before the kill
    log = registry.promotion_log(RetrainConfig(month="2013-03", state=tmp_path / "plain"))
    assert [entry.month for entry in log] == ["2013-02", "2013-03", "2013-04"]


def test_the_committed_result_is_one_that_the_code_can_read():
    path = ROOT / "benchmarks" / "results" / "replay.json"
    result = replay.Replay.model_validate_json(path.read_text())
    assert [row.month for row in result.retrainings] == [f"2013-{month:02d}" for month in range(2, 13)]
    assert results.relative("sqlite:////elsewhere/mlflow.db") == "sqlite:////elsewhere/mlflow.db"
