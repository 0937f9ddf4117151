from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from airflow.sdk import RetryAction
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction
from pendulum import DateTime

from airflow_impl import common
from shared import registry, tracking
from shared.errors import DataError, TrackingError, TrainingError
from shared.records import Trained

ARRIVED = "flights"
PIPELINES = ["retrain", "retrain_on_arrival", "retrain_monthly", "retrain_history"]


def call(dag, task_id):
    """The plain function behind a task: the quickest way to test it, without database or scheduler."""
    return dag.get_task(task_id).python_callable


def test_the_dags_import_without_errors(bag):
    assert bag.import_errors == {}
    assert set(bag.dags) == {*PIPELINES, "watch", "hybrid", "many"}


def test_the_graph_is_the_pipeline(dag):
    downstream = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert downstream == {
        "ingest": {"validate"},
        "validate": {"impute", "candidates"},
        "impute": {"candidates"},
        "candidates": {"train", "select", "evaluate", "register", "refuse"},
        "train": {"select"},
        "select": {"evaluate"},
        "evaluate": {"gate", "register", "refuse"},
        "gate": {"rejected", "approve", "register"},
        "approve": {"register", "refuse"},
        "rejected": set(),
        "register": set(),
        "refuse": set(),
    }
    assert dag.get_task("train").is_mapped


def test_all_dags_are_one_pipeline(bag, dag):
    """What starts them differs, and nothing else."""
    for other in (bag.dags[dag_id] for dag_id in PIPELINES):
        assert {task.task_id: task.downstream_task_ids for task in other.tasks} == {
            task.task_id: task.downstream_task_ids for task in dag.tasks
        }
        assert other.max_active_runs == 1


def test_register_updates_the_champion_asset(dag):
    [asset] = dag.get_task("register").outlets
    assert (asset.name, asset.uri) == ("champion", "mlflow://champion/")


def test_only_what_may_pass_by_itself_is_retried(dag):
    policy = dag.get_task("ingest").retry_policy
    assert dag.get_task("ingest").retries == 3

    def decide(error):
        return policy.evaluate(error, try_number=1, max_tries=2).action

    assert decide(DataError("bad", where="", fix="")) is RetryAction.FAIL
    assert decide(ModuleNotFoundError("a package that the image lacks")) is RetryAction.FAIL
    assert decide(TrackingError("down", where="", fix="")) is RetryAction.RETRY
    assert decide(ConnectionResetError()) is RetryAction.DEFAULT


def test_tasks_are_plain_functions_underneath(dag, make_config):
    settings = make_config("2013-03").json_dict()
    params = {"month": settings.pop("month"), "settings": settings}
    window = call(dag, "ingest")(params=params, run_id="manual__1", dag=dag)
    pushed = {}
    ti = SimpleNamespace(xcom_push=pushed.__setitem__)
    assert call(dag, "validate")(window, ti=ti) == "candidates"
    window = pushed.pop("window")
    plan = call(dag, "candidates")(window, None, ti=ti)
    assert [each["name"] for each in plan] == ["logistic_regression", "hist_gradient_boosting"]
    assert pushed == {"window": window}

    def trained(name, loss):
        fields = {"run_id": "", "model_uri": "", "model_digest": "", "auc": 0.7, "base_rate": 0.2}
        return Trained(candidate=name, log_loss=loss, **fields).json_dict()

    each = [trained("logistic_regression", 0.5), trained("hist_gradient_boosting", 0.4)]
    assert call(dag, "select")(window, each)["candidate"] == "hist_gradient_boosting"
    with pytest.raises(TrainingError, match="1 of 2 candidates could not be trained: logistic_regression"):
        call(dag, "select")(window, each[1:])


@pytest.mark.parametrize(
    ("promote", "approval", "way"),
    [(False, False, "rejected"), (False, True, "rejected"), (True, False, "register"), (True, True, "approve")],
)
def test_the_gate_is_a_branch(dag, promote, approval, way):
    assert call(dag, "gate")({"promote": promote}, params={"approval": approval}) == way


def event(month, **extra):
    return SimpleNamespace(extra={"month": month, "from_rest_api": True, **extra})


def test_a_run_that_an_event_has_started_takes_month_data_and_settings_from_it():
    asked = {"month": None, "settings": {}}
    events = [event("2013-06", data_rev="old"), event("2013-06", data_rev="new", settings={"model_name": "b"})]
    config = common.request(asked, "2013-06", {ARRIVED: events})
    assert config == {"month": "2013-06", "data_rev": "new", "model_name": "b"}
    assert common.request(asked, "2013-05") == {"month": "2013-05", "data_rev": None}


def test_what_a_run_is_asked_for_wins_over_the_event():
    asked = {"month": "2013-04", "settings": {"data_rev": "mine", "model_name": "a"}}
    events = [event("2013-06", data_rev="theirs", settings={"model_name": "b", "seed": 1})]
    config = {"month": "2013-04", "data_rev": "mine", "model_name": "a", "seed": 1}
    assert common.request(asked, "2013-06", {ARRIVED: events}) == config


def test_the_schedule_is_about_the_month_before_in_new_york(bag):
    """Also across a change of the clocks: six o'clock there is 11:00 UTC in winter and 10:00 in summer."""
    timetable = coerce_to_core_timetable(bag.dags["retrain_history"].timetable)
    first = TimeRestriction(earliest=DateTime(2013, 3, 1, tzinfo=UTC), latest=None, catchup=True)
    winter = timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=first)
    summer = timetable.next_dagrun_info_v2(last_dagrun_info=winter, restriction=first)
    due = [(info.run_after.isoformat(), info.partition_key) for info in (winter, summer)]
    assert due == [("2013-03-03T11:00:00+00:00", "2013-02"), ("2013-04-03T10:00:00+00:00", "2013-03")]
    assert not bag.dags["retrain_monthly"].catchup
    assert bag.dags["retrain_history"].catchup


def test_an_event_of_a_month_that_can_be_trained_starts_a_run_and_no_other(bag):
    dag = bag.dags["retrain_on_arrival"]
    assert dag.is_paused_upon_creation is False
    assert dag.timetable.default_partition_mapper.allowed_keys == common.MONTHS[1:]


def conf(config):
    settings = config.json_dict()
    return {"month": settings.pop("month"), "settings": settings}


def states(run):
    return {(each.task_id, each.map_index): str(each.state) for each in run.get_task_instances()}


def test_every_task_says_what_it_does(bag):
    assert [task for dag in bag.dags.values() for task in dag.tasks if not task.doc_md] == []


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
    skipped = {"impute", "approve", "rejected", "refuse"}
    assert {task for (task, _), state in states(run).items() if state == "skipped"} == skipped
    assert {state for (task, _), state in states(run).items() if task not in skipped} == {"success"}
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
    assert states(run)[("rejected", -1)] == "success"
    assert registry.champion(again) == 1


def test_a_dag_run_imputes_and_goes_on_without_a_candidate_that_fails(database, dag, make_config):
    broken = {"name": "random_forest", "label": "broken", "n_estimators": 2, "min_samples_leaf": 2**63}
    settings = {"candidates": [{"name": "logistic_regression"}, broken], "tolerate_failed": True}
    config = make_config("2013-03", **settings, contract={"min_rows": 1000, "impute_above": 0.5})
    run = dag.test(run_conf=conf(config))
    found = states(run)
    assert str(run.state) == "success"
    assert found[("impute", -1)] == "success"
    assert [found[("train", index)] for index in (0, 1)] == ["success", "failed"]
    assert found[("register", -1)] == "success"
    assert registry.outcome(config).candidate == "logistic_regression"


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
        call(dag, "ingest")(params={"month": month, "settings": {}}, run_id="manual__1", dag=dag)
