from __future__ import annotations

from urllib.parse import quote

import pytest
from airflow.sdk import RetryAction

from shared import registry, tracking
from shared.errors import DataError, TrackingError
from shared.records import Trained


def call(dag, task_id):
    """The plain function behind a task: the quickest way to test it, without database or scheduler."""
    return dag.get_task(task_id).python_callable


def test_the_dags_import_without_errors(bag):
    assert bag.import_errors == {}
    assert list(bag.dags) == ["retrain"]


def test_the_graph_is_the_pipeline(dag):
    downstream = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert downstream == {
        "ingest": {"validate"},
        "validate": {"candidates", "train", "evaluate", "register"},
        "candidates": {"train"},
        "train": {"select"},
        "select": {"evaluate"},
        "evaluate": {"gate", "register"},
        "gate": {"register"},
        "register": set(),
    }
    assert dag.get_task("train").is_mapped


def test_register_updates_the_champion_asset(dag):
    [asset] = dag.get_task("register").outlets
    assert (asset.name, asset.uri) == ("champion", "mlflow://champion/")


def test_only_what_may_pass_by_itself_is_retried(dag):
    policy = dag.get_task("ingest").retry_policy
    assert dag.get_task("ingest").retries == 3

    def decide(error):
        return policy.evaluate(error, try_number=1, max_tries=2).action

    assert decide(DataError("bad", where="", fix="")) is RetryAction.FAIL
    assert decide(TrackingError("down", where="", fix="")) is RetryAction.RETRY
    assert decide(ConnectionResetError()) is RetryAction.DEFAULT


def test_tasks_are_plain_functions_underneath(dag, make_config):
    settings = make_config("2013-03").json_dict()
    window = call(dag, "ingest")(params={"month": settings.pop("month"), "settings": settings}, run_id="manual__1")
    window = call(dag, "validate")(window)
    names = [each["name"] for each in call(dag, "candidates")(window)]
    assert names == ["logistic_regression", "hist_gradient_boosting"]
    assert call(dag, "gate")({"promote": False}) is False

    def trained(name, loss):
        fields = {"run_id": "", "model_uri": "", "model_digest": "", "auc": 0.7, "base_rate": 0.2}
        return Trained(candidate=name, log_loss=loss, **fields).json_dict()

    assert call(dag, "select")([trained("a", 0.5), trained("b", 0.4)])["candidate"] == "b"


def conf(config):
    settings = config.json_dict()
    return {"month": settings.pop("month"), "settings": settings}


def states(run):
    return {(each.task_id, each.map_index): str(each.state) for each in run.get_task_instances()}


def test_every_task_says_what_it_does(dag):
    assert [task.task_id for task in dag.tasks if not task.doc_md] == []


def test_the_tasks_that_a_user_opens_link_to_mlflow(dag):
    linked = {task.task_id: [link.name for link in task.operator_extra_links] for task in dag.tasks}
    assert {task_id for task_id, names in linked.items() if names} == {"ingest", "evaluate", "register"}
    assert linked["evaluate"] == ["MLflow run"]


def test_a_dag_run_promotes_then_rejects(database, dag, make_config, monkeypatch, caplog):
    monkeypatch.setenv("BAKEOFF_MLFLOW_UI", "http://127.0.0.1:5081")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://127.0.0.1:8080/")
    config = make_config("2013-03")
    run = dag.test(run_conf=conf(config))
    assert str(run.state) == "success"
    assert set(states(run).values()) == {"success"}
    assert {key for key in states(run) if key[0] == "train"} == {("train", 0), ("train", 1)}
    outcome = registry.outcome(config)
    assert outcome.orchestrator == "airflow"
    tags = tracking.connect(config).get_run(outcome.run_id).data.tags
    assert tags["bakeoff.orchestrator_url"] == f"http://127.0.0.1:8080/dags/retrain/runs/{quote(run.run_id)}"
    [evaluate] = [each for each in run.get_task_instances() if each.task_id == "evaluate"]
    link = evaluate.xcom_pull(task_ids="evaluate", key="_link_MLflowRun")
    assert link.startswith("http://127.0.0.1:5081/#/experiments/")
    assert link.endswith(f"/runs/{outcome.run_id}")

    again = make_config("2013-03", request_id="again")
    run = dag.test(run_conf=conf(again))
    assert str(run.state) == "success"  # a rejection is a normal end
    assert states(run)[("register", -1)] == "skipped"
    assert registry.champion(again) == 1


def test_bad_data_fail_the_dag_run_without_a_retry(database, dag, make_config, spoil):
    spoil("2013-03", lambda frame: frame.rename(columns={"dest": "destination"}))
    config = make_config("2013-03")
    run = dag.test(run_conf=conf(config))
    assert str(run.state) == "failed"
    found = states(run)
    assert found[("validate", -1)] == "failed"
    assert found[("register", -1)] == "upstream_failed"
    [validate] = [each for each in run.get_task_instances() if each.task_id == "validate"]
    assert validate.try_number == 1
    assert registry.champion(config) is None


@pytest.mark.parametrize("month", ["2013-01", "2014-07"])
def test_a_month_that_cannot_be_trained_fails_at_ingest(dag, month):
    with pytest.raises(Exception, match=r"no earlier one to train on|there is no month"):
        call(dag, "ingest")(params={"month": month, "settings": {}}, run_id="manual__1")
