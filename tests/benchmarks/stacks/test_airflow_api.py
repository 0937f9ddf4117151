from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.stacks.airflow_api import error_of, event_of, look_of, unhealthy
from benchmarks.stacks.follow import Follower

ANSWERS = Path(__file__).parent / "answers"


def recorded(name):
    return json.loads((ANSWERS / name).read_text())


def test_the_raised_error_is_found_in_a_tasks_log():
    error = error_of(recorded("airflow-log.json"))
    assert error.startswith("DataError: the data contract is broken: a month must have between")
    assert "What to do: correct the file at its source" in error


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([], ""),
        (["plain text of an old log"], ""),
        ([{"event": "all is well", "level": "info"}], ""),
        ([{"event": "Process terminated by signal", "level": "critical"}, {"event": "bye", "level": "info"}],
         "Process terminated by signal"),
    ],
)  # fmt: skip
def test_a_log_without_a_raised_error(lines, error):
    assert error_of(lines) == error


def test_a_task_that_wrote_no_log_is_explained_by_the_scheduler():
    """Recorded when the api-server was down for 12 s, so that a task's process never came up."""
    cause = event_of(recorded("airflow-events.json"))
    assert cause.startswith("state mismatch: Executor LocalExecutor(parallelism=4) reported")
    assert "Learn more" not in cause


def test_what_people_and_tasks_did_is_no_cause():
    assert (
        event_of([{"event": "running", "extra": '{"host_name": "worker"}'}, {"event": "failed", "extra": None}]) == ""
    )


def test_every_part_has_to_be_healthy():
    well = {part: {"status": "healthy"} for part in ("metadatabase", "scheduler", "dag_processor", "triggerer")}
    assert unhealthy(well) == []
    assert unhealthy(well | {"scheduler": {"status": "unhealthy"}}) == ["scheduler unhealthy"]
    assert unhealthy(well | {"triggerer": None}) == ["triggerer unknown"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (None, "waiting"), ("scheduled", "waiting"), ("queued", "waiting"), ("upstream_failed", "waiting"),
        ("skipped", "waiting"), ("running", "running"), ("success", "finished"), ("failed", "failed"),
        ("up_for_retry", "failed"), ("deferred", "running"), ("awaiting_input", "running"),
    ],
)  # fmt: skip
def test_task_states(said, state):
    task = {"task_id": "train", "map_index": 1, "try_number": 1, "state": said, "start_date": None, "end_date": None}
    [attempt] = look_of({"state": "running"}, [task], ["a", "b"]).attempts
    assert (attempt.state, attempt.label) == (state, "b")


def test_nothing_is_told_of_a_task_that_a_branch_has_left_out():
    task = {
        "task_id": "impute",
        "map_index": -1,
        "try_number": 0,
        "state": "skipped",
        "start_date": "2026-11-22T12:00:00Z",
    }
    look = look_of({"state": "running"}, [task | {"end_date": task["start_date"]}], [])
    assert Follower().events(look, 0) == []
    assert look.failed == []
