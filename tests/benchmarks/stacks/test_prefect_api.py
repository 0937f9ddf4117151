from __future__ import annotations

import pytest

from benchmarks.stacks.prefect_api import PrefectApi, look_of


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


class Server:
    """What Prefect's server answers, where no server is."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def ask(self, method, path, json=None):
        self.asked.append((method, path, json))
        return self.answers.get(path)


@pytest.fixture
def api():
    made = PrefectApi("http://127.0.0.1:4200", ("user", "password"))
    made.rest.close()
    return made


NOTICE = {"month": "2013-06", "data_rev": "abc", "settings": {"model_name": "mine", "seed": 1}}


def test_the_same_notice_is_the_same_event(api):
    api.rest = Server({})
    assert api.announce(NOTICE) == api.announce(dict(reversed(NOTICE.items())))
    assert api.announce(NOTICE) != api.announce({**NOTICE, "data_rev": "abd"})
    _, path, [event] = api.rest.asked[0]
    assert path == "/api/events"
    assert event["resource"] == {
        **{"prefect.resource.id": "bakeoff.dataset.flights", "bakeoff.month": "2013-06", "bakeoff.model": "mine"}
    }
    assert event["payload"]["config"] == {"month": "2013-06", "data_rev": "abc", "model_name": "mine", "seed": 1}


def test_a_notice_without_settings_is_about_the_model_of_the_data_set(api):
    api.rest = Server({})
    api.announce({"month": "2013-06", "data_rev": "abc"})
    [(_, _, [event])] = api.rest.asked
    assert event["resource"]["bakeoff.model"] == "late-flights"


def test_the_run_that_an_event_has_started_is_the_one_on_its_month(api):
    run = {"id": "2", "start_time": "2026-01-01T00:00:10Z", "parameters": {"config": {"month": "2013-06"}}}
    other = {**run, "id": "1", "parameters": {"config": {"month": "2013-05"}}}
    event = {"received": "2026-01-01T00:00:04Z", "resource": {"bakeoff.month": "2013-06"}}
    answers = {
        "/api/deployments/name/retrain/retrain": {"id": "d"},
        "/api/flow_runs/filter": [other, run],
        "/api/events/filter": {"events": [event]},
    }
    api.rest = Server(answers)
    found = api.started("2013-06", 0.0)
    assert (found["run"], found["started"] - found["occurred"]) == ("2", 6.0)
    assert found["page"].endswith("/runs/flow-run/2")
    assert api.started("2013-07", 0.0) is None
