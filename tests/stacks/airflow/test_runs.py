"""One run: retried, resumed, paused, fanned out, and put before a person."""

from itertools import pairwise

import pytest

from benchmarks.stacks.follow import seconds
from benchmarks.stacks.rest import Refused
from tests.stacks.airflow.calls import LIGHT, overlap, until

FEBRUARY = "2013-02"


@pytest.mark.capability("retry")
@pytest.mark.capability("resume")
@pytest.mark.bad_input("approval-timeout")
def test_what_passes_is_retried_what_fails_is_resumed_and_silence_is_no_consent(airflow, alerts):
    """MLflow is away when the run starts; then a task is given up and its process killed; at the end nobody answers."""
    slow = {"name": "hist_gradient_boosting", "max_iter": 300}
    settings = {"model_name": "resumed", "candidates": [*LIGHT, slow]}
    airflow.stack.compose.run("stop", "--timeout", "1", "mlflow")
    try:
        run = airflow.trigger(
            "retrain", "resumed", month=FEBRUARY, settings=settings, approval=True, approval_hours=0.001
        )
        run.reaches("ingest", "up_for_retry")
    finally:
        airflow.stack.compose.run("start", "mlflow")
    until(
        lambda: [each for each in run.tasks("train") if (each["map_index"], each["state"]) == (1, "running")], "train"
    )
    run.ask("PATCH", "/taskInstances/train/1", json={"new_state": "failed"})
    # To mark a task as failed does not end it at once: by the next heartbeat it might be done.
    [killed] = [each["pid"] for each in run.tasks("train") if each["map_index"] == 1]
    airflow.stack.compose.exec("airflow-scheduler", "python", "-c", f"import os; os.kill({killed}, 9)")
    assert run.ended() == "failed"
    tries = run.tries("ingest")
    assert len(tries) >= 2
    for number, (one, next_one) in enumerate(pairwise(tries)):
        assert seconds(next_one["start_date"]) - seconds(one["end_date"]) >= 5 * 3**number

    cleared = {"dry_run": False, "dag_run_id": run.id, "only_failed": True, "reset_dag_runs": True}
    told = airflow.ask("POST", "dags/retrain/clearTaskInstances", json=cleared)["task_instances"]
    assert [each["map_index"] for each in told if each["task_id"] == "train"] == [1]
    until(lambda: run.now()["state"] == "running", "the run to be resumed")
    assert run.ended() == "success"
    assert len(run.tries("ingest")) == len(tries)
    assert [run.executions(task) for task in ("validate", "candidates", "select", "evaluate")] == [1, 1, 2, 1]
    assert [run.executions("train", index) for index in (0, 1)] == [1, 2]

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
    airflow.resize("train", 2)
    search = {"name": "hist_gradient_boosting", "values": {"max_iter": [3, 5], "max_leaf_nodes": [7, 15]}, "draws": 4}
    broken = {"name": "random_forest", "label": "broken", "n_estimators": 2, "min_samples_leaf": 2**63}
    settings = {"model_name": "wide", "candidates": [*LIGHT, broken], "search": search, "tolerate_failed": True}
    run = airflow.trigger("retrain", "wide", month=FEBRUARY, settings=settings, approval=True)
    run.answer("Approve")
    airflow.resize("train", 4)
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
