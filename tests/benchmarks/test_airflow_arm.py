"""How the arm follows a DAG run, against scripted answers; tests/parity runs the real one."""

from __future__ import annotations

import time

import httpx
import pytest

from benchmarks import airflow_arm
from benchmarks.airflow_arm import AirflowArm
from benchmarks.arms import ArmFailed
from shared import events
from shared.config import RetrainConfig

MADE = {"dag_run_id": "r", "state": "queued", "end_date": None}


@pytest.fixture
def follow(monkeypatch, tmp_path):
    """Run one config; the API answers with these, one after the other."""
    monkeypatch.setattr(airflow_arm, "ASK_S", 0.0)
    monkeypatch.setattr(airflow_arm, "SELDOM_S", 0.0)
    monkeypatch.setattr(airflow_arm, "POLL_S", 0.0)
    config = RetrainConfig(month="2013-03", events=tmp_path / "events.jsonl")

    def run(*answers):
        arm, left = AirflowArm(tmp_path), [MADE, *answers]

        def ask(method, path, **more):
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(arm, "_ask", ask)
        return arm._run(config), config

    return run


def test_a_run_ends_when_airflow_says_that_it_has_however_late_we_ask(follow):
    ended = {**MADE, "state": "success", "end_date": "2100-01-01T00:00:00Z"}
    told, _ = follow({**MADE, "state": "running"}, httpx.ReadTimeout("busy"), ended)
    first, last = told
    assert last["time"] == 4102444800.0
    assert last["seconds"] == last["time"] - first["time"]


def test_events_are_told_while_it_runs_and_the_last_ones_too(follow):
    told, config = follow({**MADE, "state": "running"}, {**MADE, "state": "success", "end_date": None})
    assert next(told)["state"] == "started"
    events.tell(config.events, step="ingest", label="", state="started")
    assert [each["step"] for each in told] == ["ingest", "retrain"]


@pytest.mark.parametrize(
    ("event", "often"),
    [
        ({"step": "train", "label": "a", "state": "finished"}, False),
        ({"step": "evaluate", "label": "", "state": "started"}, False),
        ({"step": "evaluate", "label": "", "state": "finished"}, True),
        ({"step": "register", "label": "", "state": "finished"}, True),
        ({"step": "ingest", "label": "", "state": "failed"}, True),
    ],
)
def test_airflow_is_asked_seldom_until_a_step_tells_that_the_end_is_near(follow, monkeypatch, event, often):
    monkeypatch.setattr(airflow_arm, "SELDOM_S", 0.5)
    monkeypatch.setattr(airflow_arm, "POLL_S", 0.01)
    told, config = follow({**MADE, "state": "success"})
    begin = time.monotonic()
    next(told)
    events.tell(config.events, **event)
    list(told)
    assert (time.monotonic() - begin < 0.5) is often


def test_a_run_that_fails_names_the_task(follow):
    tasks = {"task_instances": [{"task_id": "train", "state": "failed"}, {"task_id": "ingest", "state": "success"}]}
    told, _ = follow({**MADE, "state": "failed"}, tasks)
    with pytest.raises(ArmFailed, match="the DAG run failed in: train"):
        list(told)
