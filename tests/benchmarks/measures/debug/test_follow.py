"""What a tool's API says, and what its user is told by that."""

from __future__ import annotations

import time

import pytest

from benchmarks.measures.debug import airflow, stacks, watcher
from benchmarks.measures.debug.catalogue import Edit
from benchmarks.stacks.follow import Attempt, Look
from benchmarks.stacks.rest import Silent
from shared.config import RetrainConfig


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch):
    for module in (airflow, watcher):
        monkeypatch.setattr(module, "POLL_S", 0.0)
    monkeypatch.setattr(watcher, "SILENT_S", 0.05)
    monkeypatch.setattr(stacks, "AGAIN_S", 0.0)
    monkeypatch.setattr(airflow, "WRITTEN_S", 0.0)


def attempt(state, number=1, ended=None):
    return Attempt(f"train {number}", "train", "", state, None, ended, {"try_number": number})


def silent(*_, **__):
    raise Silent("it does not answer", where="there", fix="start it")


class Api:
    """Gives one look after the other, the last one for ever; None is no answer."""

    def __init__(self, *looks):
        self.looks = list(looks)
        self.asked = []
        self.rest = self

    def trigger(self, config, request):
        return "r1"

    def look(self, run, config):
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return silent() if look is None else look

    def ask(self, *call, **more):
        self.asked.append((call, more))
        return {}


CONFIG = RetrainConfig(month="2013-03")
RUNNING = Look("running", "running", [attempt("running")])
WAITING = Look("waiting", "AwaitingRetry", [])
RETRIED = Look("running", "running", [attempt("failed", 1)])
AGAIN = Look("finished", "success", [attempt("finished", 2)])
WELL = Look("finished", "success", [attempt("finished")])
FAILED = Look("failed", "failed", [attempt("failed")])


def followers(*looks):
    return (
        airflow.Follow(Api(*looks), lambda config: {}),
        stacks.FollowPrefect(Api(*looks)),
    )


@pytest.mark.parametrize(
    ("looks", "alert", "sign"),
    [
        ([RUNNING, WELL], "succeeded", False),
        ([RUNNING, RETRIED, AGAIN], "recovered", True),
        ([RUNNING, None, None, FAILED], "failed", True),
        ([RUNNING], "running", False),
        ([RUNNING, None], "unreachable", False),
    ],
)
def test_what_the_user_is_told(monkeypatch, looks, alert, sign):
    monkeypatch.setattr(stacks, "_request", lambda config: {})
    for follower in followers(*looks):
        told = follower.run(CONFIG, 0.2)
        assert told.alert == alert
        assert (told.first_sign is not None) is sign
        assert told.began <= told.told


def test_a_server_that_takes_no_run_is_out_of_reach(monkeypatch):
    monkeypatch.setattr(stacks, "_request", lambda config: {})
    for follower in followers(WELL):
        follower.api.trigger = silent
        assert follower.run(CONFIG, 1).alert == "unreachable"


def test_a_run_that_goes_on_is_not_told_by_the_state_that_it_had():
    """A crash that the worker reports once more takes the retry back: it is asked for again."""
    follower = stacks.FollowPrefect(Api(FAILED, WAITING, FAILED, WAITING, RUNNING, WELL))
    before = airflow.Told("failed", "Crashed", 0.0, 1.0, CONFIG, "r1")
    told = follower.retry(before, 5)
    assert told.alert == "succeeded"
    assert [call for call, _ in follower.api.asked] == [("POST", "/api/flow_runs/r1/set_state")] * 2


def test_clearing_asks_for_the_failed_tasks_only():
    follower = airflow.Follow(Api(RUNNING, AGAIN), lambda config: {})
    told = follower.clear(airflow.Told("failed", "failed", 0.0, 1.0, CONFIG, "r1"), 5)
    [(call, more)] = follower.api.asked
    assert call == ("POST", "/api/v2/dags/retrain/clearTaskInstances")
    assert more["json"] == {"dag_run_id": "r1", "only_failed": True, "reset_dag_runs": True, "dry_run": False}
    assert told.alert in ("succeeded", "recovered")


def test_the_file_is_touched_and_waited_for_once_airflow_may_write_it_and_twice(monkeypatch):
    monkeypatch.setattr(airflow, "WRITTEN_S", 0.3)
    follower = airflow.Follow(Api(WELL), lambda config: {})
    parsed = iter(["one", "one", "two", "two", "two", "three"])
    follower.api.ask = lambda *_: {"last_parsed_time": next(parsed)}
    touched = []
    begin = time.monotonic()
    follower.until_parsed_anew(lambda: touched.append(1))
    assert touched == [1, 1]
    assert 0.2 < time.monotonic() - begin < 1


@pytest.mark.parametrize(
    ("files", "waits"),
    [
        (["airflow_impl/common.py", "shared/train.py"], True),
        (["airflow_impl/dags/retrain.py"], False),  # that it cannot be parsed is what is waited for
        (["shared/train.py"], False),
    ],
)
def test_only_changes_of_the_dag_are_waited_for(files, waits):
    edits = tuple(Edit(file=each, replace="a", by="b") for each in files)
    assert airflow.in_the_dag(edits) is waits
