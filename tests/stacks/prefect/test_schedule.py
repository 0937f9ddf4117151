"""The schedule of `retrain`: on, off, and for times that have passed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from tests.stacks.prefect.client import instant, most_at_once, until

MODEL = "prefect-scheduled"
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def schedule(server):
    """Switches the monthly schedule."""
    deployment = server.deployment()
    [found] = deployment["schedules"]
    path = f"deployments/{deployment['id']}/schedules/{found['id']}"
    assert (found["slug"], found["active"]) == ("monthly", False)
    yield lambda **change: server.ask("PATCH", path, change)
    server.ask("PATCH", path, {"active": False, "parameters": found["parameters"]})


def scheduled(server):
    """The runs that the schedule has made and that are not due yet."""
    mine = {"deployment_id": {"any_": [server.deployment()["id"]]}, "tags": {"all_": ["auto-scheduled"]}}
    return server.runs(**mine, state={"name": {"any_": ["Scheduled"]}})


@pytest.mark.capability("schedule")
@pytest.mark.capability("pause")
def test_the_schedule_is_switched_on_and_off(server, schedule):
    assert scheduled(server) == []
    schedule(active=True)
    coming = until(lambda: scheduled(server), "runs of the schedule", 120)
    due = [instant(run["expected_start_time"]).astimezone(NEW_YORK) for run in coming]
    assert len(due) == 3
    assert {(each.day, each.hour, each.minute) for each in due} == {(1, 6, 0)}
    assert {run["created_by"]["type"] for run in coming} == {"SCHEDULE"}
    schedule(active=False)
    assert scheduled(server) == []


@pytest.mark.capability("pause")
def test_the_deployment_is_paused_and_resumed(server):
    path = f"deployments/{server.deployment()['id']}"
    server.ask("POST", f"{path}/pause_deployment")
    assert server.deployment()["paused"]
    server.ask("POST", f"{path}/resume_deployment")
    assert not server.deployment()["paused"]


@pytest.mark.capability("catch-up")
@pytest.mark.bad_input("schedule-while-active")
def test_times_that_have_passed_are_caught_up_one_after_the_other(server, schedule):
    """Each run is about the month before its scheduled time, in New York's time, whenever it starts."""
    schedule(active=True, parameters={"settings": {"model_name": MODEL}})
    deployment = server.deployment()["id"]
    past = {"start_time": "2013-03-01T00:00:00Z", "end_time": "2013-04-02T00:00:00Z", "min_runs": 100, "max_runs": 100}
    for _ in range(2):  # asked for twice, each time runs once
        server.ask("POST", f"deployments/{deployment}/schedule", past)
    before = {"before_": "2013-12-31T00:00:00Z"}
    runs = server.runs(deployment_id={"any_": [deployment]}, expected_start_time=before)
    schedule(active=False)
    due = [instant(run["expected_start_time"]).astimezone(NEW_YORK).isoformat() for run in runs]
    assert due == ["2013-03-01T06:00:00-05:00", "2013-04-01T06:00:00-04:00"]
    ended = [server.ends(run["id"]) for run in runs]
    assert [run["name"] for run in ended] == ["retrain-2013-02", "retrain-2013-03"]
    assert {run["state_type"] for run in ended} == {"COMPLETED"}
    assert most_at_once(ended) == 1
    assert [month for _, month in server.log(MODEL)] == ["2013-02", "2013-03"]


@pytest.mark.capability("catch-up")
def test_late_runs_are_skipped_where_that_is_switched_on(server, schedule):
    wanted = {"automations": {"name": {"any_": ["Skip late schedules"]}}}
    [automation] = server.ask("POST", "automations/filter", wanted)
    switch = f"automations/{automation['id']}"
    server.ask("PATCH", switch, {"enabled": True})
    try:
        schedule(active=True, parameters={"settings": {"model_name": MODEL}})
        deployment = server.deployment()["id"]
        server.ask("PATCH", "work_pools/bakeoff/queues/retrain", {"is_paused": True})  # nothing can start in time
        first, last = "2013-06-01T00:00:00Z", "2013-06-02T00:00:00Z"
        server.ask("POST", f"deployments/{deployment}/schedule", {"start_time": first, "end_time": last})
        [run] = server.runs(
            deployment_id={"any_": [deployment]}, expected_start_time={"after_": first, "before_": last}
        )
        assert server.reaches(run["id"], "Cancelled")["start_time"] is None
    finally:
        server.ask("PATCH", "work_pools/bakeoff/queues/retrain", {"is_paused": False})
        server.ask("PATCH", switch, {"enabled": False})
