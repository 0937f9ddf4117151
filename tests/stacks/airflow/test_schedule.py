"""The pipeline on its monthly schedule: catch-up on and off, and a backfill."""

import pytest

from benchmarks.stacks import registry
from tests.stacks.airflow.calls import LIGHT, PATIENCE_S, overlap, until


def ended(runs):
    return runs and all(run["state"] in ("success", "failed") for run in runs)


@pytest.mark.capability("schedule")
@pytest.mark.capability("catch-up")
@pytest.mark.bad_input("schedule-while-active")
def test_catch_up_retrains_every_missed_month_in_order_and_one_at_a_time(airflow):
    """Two ticks are due at once; the second has no run before the first's has ended."""
    airflow.pause("retrain_history", False)
    first = until(lambda: airflow.runs("retrain_history"), "the first tick")
    assert [(run["partition_key"], run["run_after"]) for run in first] == [("2013-02", "2013-03-03T11:00:00Z")]
    runs = until(
        lambda: len(found := airflow.runs("retrain_history")) == 2 and ended(found) and found, "both", PATIENCE_S
    )
    assert [(run["partition_key"], run["run_after"]) for run in runs] == [
        ("2013-02", "2013-03-03T11:00:00Z"),
        ("2013-03", "2013-04-03T10:00:00Z"),  # six o'clock in New York, in summer
    ]
    assert [(run["state"], run["run_type"]) for run in runs] == [("success", "scheduled")] * 2
    assert overlap(runs) == 1
    assert airflow.log("history") == ["2013-02", "2013-03"]


@pytest.mark.capability("backfill")
@pytest.mark.bad_input("backfill-hole")
def test_a_backfill_runs_what_is_missing_two_at_a_time_and_goes_on_behind_a_hole(airflow):
    """February and March have runs; the data end with April, so that May, which is run first, is a hole."""
    airflow.pause("retrain_history", False)
    version = registry.land(airflow.stack.compose, "flights", "2013-04", {})["data_rev"]
    settings = {"model_name": "backfilled", "candidates": LIGHT, "data_rev": version}
    asked = {"dag_id": "retrain_history", "from_date": "2013-02-01T00:00:00Z", "to_date": "2013-05-31T00:00:00Z"}
    asked |= {"max_active_runs": 2, "run_backwards": True, "dag_run_conf": {"settings": settings}}
    planned = airflow.ask("POST", "backfills/dry_run", json=asked)["backfills"]
    assert [run["partition_key"] for run in planned] == ["2013-05", "2013-04"]
    backfill = airflow.ask("POST", "backfills", json=asked)["id"]
    until(lambda: airflow.ask("GET", f"backfills/{backfill}")["completed_at"], "the backfill", PATIENCE_S)
    runs = airflow.runs("retrain_history", run_type="backfill")
    assert {run["partition_key"]: run["state"] for run in runs} == {"2013-04": "success", "2013-05": "failed"}
    assert overlap(runs) == 2  # beside each other, although the DAG itself runs one at a time
    assert airflow.log("backfilled") == ["2013-04"]


@pytest.mark.capability("schedule")
@pytest.mark.capability("catch-up")
def test_without_catch_up_only_the_newest_month_is_due(airflow):
    """The clock of a schedule is the real one: that month has no flights, and nothing comes of it."""
    assert airflow.ask("GET", "dags/retrain_monthly")["is_paused"]
    airflow.pause("retrain_monthly", False)
    try:
        [run] = until(lambda: airflow.runs("retrain_monthly"), "the newest tick")
        newest = airflow.run("retrain_monthly", run)
        assert newest.ended() == "failed"
    finally:
        airflow.pause("retrain_monthly")
    assert run["partition_key"] > "2014"
    assert f"there is no month {run['partition_key']}" in newest.text("ingest")
    assert len(airflow.runs("retrain_monthly")) == 1
