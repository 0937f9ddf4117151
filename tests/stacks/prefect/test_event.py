"""A month that arrives, or drifts, starts a retraining by itself."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from tests.stacks.prefect.client import instant, until

MODEL = "prefect-event"


def notice(stack, month, **settings):
    return {"month": month, "data_rev": stack.up.data_rev, "settings": {"model_name": MODEL, **settings}}


def made(server, month):
    """The runs that a trigger has made of a month of our model."""
    by_trigger = server.runs(created_by={"type_": ["AUTOMATION"]})
    configs = [(run, run["parameters"].get("config", {})) for run in by_trigger]
    return [run for run, config in configs if (config.get("month"), config.get("model_name")) == (month, MODEL)]


@pytest.fixture(scope="module")
def arrived(server, stack):
    """March has arrived, and was told of three times: twice as one event, once as another."""
    told = datetime.now(UTC)
    assert server.api.announce(notice(stack, "2013-03")) == server.api.announce(notice(stack, "2013-03"))
    server.api.announce(notice(stack, "2013-03", request_id=str(uuid.uuid4())))
    found = until(lambda: server.api.started("2013-03", told.timestamp() - 5), "a run by the event")
    return told, server.ends(found["run"])


@pytest.mark.capability("event")
def test_an_arrival_starts_a_retraining(arrived, server, stack, figure):
    told, run = arrived
    assert (run["name"], run["state_name"]) == ("retrain-2013-03", "Promoted")
    assert run["created_by"]["display_value"] == "A month has arrived or drifted"
    assert run["parameters"]["config"]["data_rev"] == stack.up.data_rev
    assert server.log(MODEL)[0] == ("promoted", "2013-03")
    figure("event to run created", (instant(run["created"]) - told).total_seconds(), "s")
    figure("event to run start", (instant(run["start_time"]) - told).total_seconds(), "s")


@pytest.mark.bad_input("event-twice")
def test_what_is_told_again_starts_nothing(arrived, server):
    _, run = arrived
    assert [each["id"] for each in made(server, "2013-03")] == [run["id"]]


@pytest.mark.bad_input("event-trained")
@pytest.mark.bad_input("event-out-of-order")
def test_a_month_that_the_champion_was_trained_on_is_refused(arrived, server, stack):
    before = server.champion(MODEL)
    server.api.announce(notice(stack, "2013-02"))
    [found] = until(lambda: made(server, "2013-02"), "a run by the event")
    run = server.ends(found["id"])
    assert run["state_type"] == "FAILED"
    assert "trained on" in run["state"]["message"]
    assert server.executions(run["id"]) == {"ingest": 1}
    assert (server.champion(MODEL), server.log(MODEL)) == (before, [("promoted", "2013-03")])


@pytest.mark.bad_input("event-unknown-month")
def test_a_month_that_there_is_not_fails_before_its_first_task(arrived, server, stack):
    server.api.announce(notice(stack, "2013-13"))
    [found] = until(lambda: made(server, "2013-13"), "a run by the event")
    run = server.ends(found["id"])
    assert run["state_type"] == "FAILED"
    assert "there is no month 2013-13" in run["state"]["message"]
    assert server.tasks(run["id"]) == []


@pytest.mark.capability("drift")
def test_drift_starts_a_retraining_and_its_absence_none(arrived, server):
    config = {"month": "2013-04", "model_name": MODEL}
    never = {"rate_gap": 1.0, "score_psi": 100.0, "novel_share": 1.0}
    calm = server.start("watch/watch", config={**config, "drift": never})
    assert server.ends(calm)["state_name"] == "NoDrift"
    drifted = server.start("watch/watch", config={**config, "drift": {"rate_gap": 0.0001}})
    assert server.ends(drifted)["state_name"] == "Drifted"
    [found] = until(lambda: made(server, "2013-04"), "a run by the drift")
    run = server.ends(found["id"])
    assert run["state_name"] in ("Promoted", "Rejected")
    assert [month for _, month in server.log(MODEL)] == ["2013-03", "2013-04"]
