"""One run: retried, resumed, paused, fanned out, and put before a person."""

import pytest

from benchmarks.stacks.rest import Refused
from tests.stacks.airflow.calls import LIGHT, overlap, until

FEBRUARY = "2013-02"


@pytest.mark.capability("retry")
@pytest.mark.capability("resume")
@pytest.mark.bad_input("approval-timeout")
def test_what_passes_is_retried_what_fails_is_resumed_and_silence_is_no_consent(airflow, alerts):
    """MLflow is away when the run starts; a task is killed; nobody answers."""
    airflow.stack.compose.run("stop", "--timeout", "1", "mlflow")
    settings = {"model_name": "resumed", "candidates": [*LIGHT, {"name": "hist_gradient_boosting", "max_iter": 5}]}
    run = airflow.trigger("retrain", "resumed", month=FEBRUARY, settings=settings, approval=True, approval_hours=0.001)
    try:
        run.reaches("ingest", "up_for_retry")
    finally:
        airflow.stack.compose.run("start", "mlflow")
    run.reaches("train", "running")
    run.ask("PATCH", "/taskInstances/train/0", json={"new_state": "failed"})
    assert run.ended() == "failed"
    assert run.states()["train"] == "failed success"

    cleared = {"dry_run": False, "dag_run_id": run.id, "only_failed": True, "reset_dag_runs": True}
    told = airflow.ask("POST", "dags/retrain/clearTaskInstances", json=cleared)["task_instances"]
    assert ("ingest" in {each["task_id"] for each in told}, len(told)) == (False, 8)
    until(lambda: run.now()["state"] == "running", "the run to be resumed")
    assert run.ended() == "success"
    executed = {task: run.executions(task) for task in ("ingest", "validate", "candidates", "evaluate")}
    assert executed == {"ingest": 2, "validate": 1, "candidates": 1, "evaluate": 1}
    assert [run.executions("train", index) for index in (0, 1)] == [2, 1]

    states = run.states()
    assert (states["approve"], states["refuse"], states["register"]) == ("success", "success", "skipped")
    assert airflow.champion("resumed") is None
    assert airflow.log("resumed", "refused") == [FEBRUARY]
    assert f"{run} was refused by nobody in time" in alerts


@pytest.mark.capability("pause")
@pytest.mark.capability("approval")
@pytest.mark.bad_input("approval-refused")
def test_a_paused_run_starts_no_task_and_a_person_may_refuse(airflow, alerts):
    settings = {"model_name": "refused", "candidates": LIGHT}
    run = airflow.trigger("retrain", "refused", month=FEBRUARY, settings=settings, approval=True)
    run.reaches("ingest", "running")
    airflow.pause("retrain")
    run.reaches("ingest", "success")
    assert run.now()["state"] == "running"
    # Long enough for the scheduler to have started the next task many times over.
    with pytest.raises(AssertionError, match="gave up waiting"):
        until(lambda: run.states()["validate"] not in ("None", "scheduled"), "a task of a paused DAG", 8)
    airflow.pause("retrain", False)

    run.answer("Refuse")
    assert run.ended() == "success"
    states = run.states()
    assert (states["refuse"], states["register"], states["rejected"]) == ("success", "skipped", "skipped")
    assert airflow.champion("refused") is None
    assert airflow.log("refused", "refused") == [FEBRUARY]
    assert {f"{run} waits for approval", f"{run} was refused by admin"} <= set(alerts)
    with pytest.raises(Refused, match="409"):
        run.ask(
            "PATCH", "/taskInstances/approve/-1/hitlDetails", json={"chosen_options": ["Approve"], "params_input": {}}
        )


@pytest.mark.capability("fan-out")
@pytest.mark.capability("tolerated-failure")
@pytest.mark.capability("approval")
def test_candidates_known_at_run_time_two_at_once_and_one_fails(airflow, figure):
    airflow.ask("PATCH", "pools/train", params={"update_mask": "slots"}, json={"pool": "train", "slots": 2})
    search = {"name": "hist_gradient_boosting", "values": {"max_iter": [3, 5], "max_leaf_nodes": [7, 15]}, "draws": 4}
    broken = {"name": "random_forest", "label": "broken", "n_estimators": 2, "min_samples_leaf": 2**63}
    settings = {"model_name": "wide", "candidates": [*LIGHT, broken], "search": search, "tolerate_failed": True}
    run = airflow.trigger("retrain", "wide", month=FEBRUARY, settings=settings, approval=True)
    run.answer("Approve")
    airflow.ask("PATCH", "pools/train", params={"update_mask": "slots"}, json={"pool": "train", "slots": 4})
    assert run.ended() == "success"
    trained = run.tasks("train")
    assert len(trained) == 6
    assert overlap(trained) == 2
    states = {each["rendered_map_index"]: each["state"] for each in trained}
    assert states.pop("broken") == "failed"
    assert set(states.values()) == {"success"}
    assert {"logistic_regression", "hist_gradient_boosting-01"} <= set(states)
    assert run.executions("train", 1) == 1  # `broken`: no retry, it would not help
    assert airflow.champion("wide") == 1
