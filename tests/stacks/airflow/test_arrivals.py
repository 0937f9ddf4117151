"""A month arrives: an event of the asset `flights` starts the retraining, or only the watch for drift."""

import pytest

from tests.stacks.airflow.calls import LIGHT, until

MODEL = "arrivals"
NOTICE = {"model_name": MODEL, "candidates": LIGHT}


@pytest.mark.capability("event")
@pytest.mark.bad_input("event-out-of-order")
@pytest.mark.bad_input("event-trained")
def test_an_arrival_becomes_a_registered_model_and_a_late_one_changes_nothing(airflow, alerts, figure):
    """February arrives after March: it waits its turn, and fails, because the new champion was trained on it."""
    at = airflow.arrive("2013-03", NOTICE)
    late_at = airflow.arrive("2013-02", NOTICE)
    run, seconds = airflow.on_arrival("2013-03", at)
    figure("event to run start", seconds, "s")
    assert run.now()["triggered_by"] == "asset"
    assert run.ended() == "success"
    assert airflow.champion(MODEL) == 1
    late, _ = airflow.on_arrival("2013-02", late_at)
    assert late.ended() == "failed"
    assert late.states()["ingest"] == "failed"
    assert late.executions("ingest") == 1  # no retry: it would not help
    assert "2013-02 is no holdout for it" in late.text("ingest")
    assert (airflow.champion(MODEL), airflow.log(MODEL)) == (1, ["2013-03"])
    until(lambda: f"{late} failed: task_failure" in alerts, "the alert of a failed run")


@pytest.mark.capability("alert")
@pytest.mark.capability("conditional")
@pytest.mark.bad_input("event-twice")
def test_a_second_event_of_a_month_is_rejected_by_the_gate_and_told(airflow, alerts):
    run, _ = airflow.on_arrival("2013-03", airflow.arrive("2013-03", NOTICE))
    assert run.ended() == "success"
    states = run.states()
    assert {task for task, state in states.items() if state == "skipped"} == {"impute", "approve", "refuse", "register"}
    assert states["rejected"] == "success"
    assert (airflow.champion(MODEL), airflow.log(MODEL)) == (1, ["2013-03"])
    assert [text for text in alerts if text.startswith(f"{run} was rejected: AUC gain")]


@pytest.mark.bad_input("event-unknown-month")
def test_a_month_that_does_not_exist_starts_nothing(airflow):
    before = len(airflow.runs("retrain_on_arrival"))
    airflow.arrive("2014-07", NOTICE)
    query = {"event": "failed to map partition_key", "order_by": "-when"}
    until(lambda: airflow.ask("GET", "eventLogs", params=query)["event_logs"], "what Airflow says of it", 60)
    assert len(airflow.runs("retrain_on_arrival")) == before


@pytest.mark.capability("drift")
@pytest.mark.capability("conditional")
def test_only_drift_starts_a_retraining_and_missing_gusts_are_imputed(airflow):
    """`watch` listens instead of `retrain_on_arrival`. Much more drift is allowed to May than to April."""
    airflow.pause("retrain", False)
    airflow.pause("retrain_on_arrival")
    airflow.pause("watch", False)
    try:
        airflow.arrive("2013-05", {**NOTICE, "drift": {"rate_gap": 1, "score_psi": 9, "novel_share": 1}})
        airflow.arrive("2013-04", {**NOTICE, "contract": {"impute_above": 0.5}})
        quiet, drifted = (
            until(lambda m=month: airflow.runs("watch", partition_key_prefix_pattern=m), f"a watch of {month}")[-1]
            for month in ("2013-05", "2013-04")
        )
    finally:
        airflow.pause("retrain_on_arrival", False)
    watched = {each["partition_key"]: airflow.run("watch", each) for each in (quiet, drifted)}
    assert {month: run.ended() for month, run in watched.items()} == {"2013-05": "success", "2013-04": "success"}
    airflow.pause("watch")
    assert watched["2013-05"].states() == {"drifted": "success", "retrain": "skipped"}
    assert watched["2013-04"].states() == {"drifted": "success", "retrain": "success"}
    run = airflow.run("retrain", {"dag_run_id": f"drift__{drifted['dag_run_id']}"})
    assert run.now()["triggered_by"] == "operator"
    assert run.ended() == "success"
    assert run.states()["impute"] == "success"
    window = run.ask("GET", "/taskInstances/candidates/xcomEntries/window")["value"]
    assert "imputed" in str(window)
