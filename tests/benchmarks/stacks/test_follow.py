"""Answers recorded from the real servers, run by run (answers/*.json), become the events that the harness knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.stacks import airflow_api, prefect_api
from benchmarks.stacks.follow import Attempt, Follower, Look, seconds

ANSWERS = Path(__file__).parent / "answers"
CANDIDATES = ["logistic_regression", "hist_gradient_boosting"]


def looks(tool, run):
    """The recorded run, moment by moment."""
    for answer in json.loads((ANSWERS / f"{tool}-{run}.json").read_text()):
        if tool == "airflow":
            yield airflow_api.look_of(answer["run"], answer["tasks"], CANDIDATES)
        else:
            yield prefect_api.look_of(answer["run"], answer["tasks"])


def play(moments):
    follower = Follower()
    return [event for look in moments for event in follower.events(look, now=0.0)]


@pytest.mark.parametrize("tool", ["airflow", "prefect"])
def test_a_run_becomes_the_events_of_an_embedded_one(tool):
    events = play(looks(tool, "rejected"))
    starts = [(event["step"], event["label"]) for event in events if event["state"] == "started"]
    ends = [(event["step"], event["label"]) for event in events if event["state"] == "finished"]
    assert len(set(starts)) == len(starts), "each step starts once"
    assert sorted(starts) == sorted(ends)
    assert starts[:2] == [("ingest", ""), ("validate", "")]
    assert {("train", name) for name in CANDIDATES} < set(starts)
    assert ("evaluate", "") in starts
    assert ("register", "") not in starts, "the gate has rejected"
    assert all(event["seconds"] >= 0 for event in events if event["state"] == "finished")
    assert all(event["time"] > 1.7e9 for event in events), "the server's times, not the harness's"


@pytest.mark.parametrize("tool", ["airflow", "prefect"])
def test_candidates_have_one_label_from_start_to_end(tool):
    """Airflow says `0` and `1` until a mapped task has ended, and the candidate's name then."""
    labels = {event["label"] for event in play(looks(tool, "rejected")) if event["step"] == "train"}
    assert labels == set(CANDIDATES)


@pytest.mark.parametrize("tool", ["airflow", "prefect"])
def test_a_failed_task_is_the_one_that_is_told(tool):
    moments = list(looks(tool, "failed"))
    assert moments[0].state == "waiting"
    assert moments[-1].state == "failed"
    assert [one.step for one in moments[-1].failed] == ["validate"]
    [failed] = [event for event in play(moments) if event["state"] == "failed"]
    assert failed["step"] == "validate"
    assert failed["error"]


def test_prefects_states_tell_the_cause_themselves():
    *_, last = looks("prefect", "failed")
    assert last.message.startswith("DataError: the data contract is broken")
    assert last.failed[0].error.startswith("DataError: the data contract is broken")


def test_a_try_that_is_missed_between_two_looks_still_starts_and_ends():
    done = Attempt("train 1", "train", "a", "finished", 10.0, 12.5)
    first, last = Follower().events(Look("running", "running", [done]), now=99.0)
    assert (first["state"], first["time"]) == ("started", 10.0)
    assert (last["state"], last["seconds"]) == ("finished", 2.5)


def test_a_retry_is_an_attempt_of_its_own_and_cures():
    tries = [
        Attempt("train 1", "train", "a", "failed", 10.0, 11.0, error="a hiccup"),
        Attempt("train 2", "train", "a", "running", 13.0, None),
        Attempt("train 2", "train", "a", "finished", 13.0, 14.0),
    ]
    moments = [Look("running", "running", [one]) for one in tries]
    assert [event["state"] for event in play(moments)] == ["started", "failed", "started", "finished"]
    assert moments[0].failed == [tries[0]]
    assert moments[2].failed == []


def test_a_task_that_never_ran_is_told_as_failed():
    """Airflow's scheduler fails a task whose process never came up: it has an end and no start."""
    never = Attempt("candidates 3", "candidates", "", "failed", None, 20.0)
    events = Follower().events(Look("running", "running", [never]), now=99.0)
    assert [(event["state"], event["time"]) for event in events] == [("started", 20.0), ("failed", 20.0)]


def test_both_tools_spellings_of_a_time_are_read():
    assert seconds("2026-01-01T00:00:00Z") == seconds("2026-01-01T00:00:00+00:00") == 1767225600.0
    assert seconds(None) is None
