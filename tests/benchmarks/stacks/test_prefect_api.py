from __future__ import annotations

import pytest

from benchmarks.stacks.prefect_api import look_of


def state(kind, name, message=None):
    return {"type": kind, "name": name, "timestamp": "2026-01-01T00:00:05Z", "message": message}


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("SCHEDULED", "Scheduled", "waiting"),
        ("SCHEDULED", "Late", "waiting"),
        ("SCHEDULED", "AwaitingRetry", "waiting"),
        ("PENDING", "Pending", "waiting"),
        ("PAUSED", "Suspended", "waiting"),
        ("RUNNING", "Running", "running"),
        ("CANCELLING", "Cancelling", "running"),
        ("COMPLETED", "Rejected", "finished"),
        ("COMPLETED", "Promoted", "finished"),
        ("FAILED", "Failed", "failed"),
        ("CRASHED", "Crashed", "failed"),
        ("CANCELLED", "Cancelled", "failed"),
    ],
)
def test_flow_run_states(kind, name, expected):
    look = look_of({"state": state(kind, name, "why")}, [])
    assert (look.state, look.said, look.message) == (expected, name, "why")


def test_a_flow_run_that_has_no_state_yet_is_waited_for():
    assert look_of({"state": None}, []).state == "waiting"


def test_a_task_that_awaits_its_retry_has_failed_once():
    task = {
        **{"id": "1", "name": "train-random_forest", "task_key": "train-abc", "run_count": 1},
        **{"start_time": "2026-01-01T00:00:00Z", "end_time": None, "state": state("SCHEDULED", "AwaitingRetry")},
    }
    [attempt] = look_of({"state": state("RUNNING", "Running")}, [task]).attempts
    assert (attempt.step, attempt.label, attempt.state) == ("train", "random_forest", "failed")
    assert attempt.ended - attempt.started == 5


def test_the_second_try_starts_when_it_starts():
    task = {
        **{"id": "1", "name": "ingest-abc", "task_key": "ingest-abc", "run_count": 2},
        **{"start_time": "2026-01-01T00:00:00Z", "end_time": None, "state": state("RUNNING", "Running")},
    }
    [attempt] = look_of({"state": state("RUNNING", "Running")}, [task]).attempts
    assert attempt.started == 1767225605.0
    assert attempt.label == ""
