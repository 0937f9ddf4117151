from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.settings import PREFECT_UI_URL, temporary_settings
from prefect.states import Failed

from prefect_impl import flow as flow_module
from prefect_impl.flow import retrain, worth_a_retry
from shared import registry, tracking
from shared.errors import DataError, TrackingError


def api(call):
    """Ask Prefect's API one question."""

    async def ask():
        async with get_client() as client:
            return await call(client)

    return asyncio.run(ask())


def task_runs(flow_run_id):
    only = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    return api(lambda client: client.read_task_runs(flow_run_filter=only))


def artifacts(flow_run_id):
    return [each for each in api(lambda client: client.read_artifacts()) if each.flow_run_id == flow_run_id]


def test_tasks_are_plain_functions_underneath(make_config):
    """`.fn` is the undecorated function: the quickest way to test one task, without any API."""

    window = flow_module.validate.fn(flow_module.steps.ingest(make_config(), "prefect", "test"))
    assert [each.name for each in window.candidates] == ["logistic_regression", "hist_gradient_boosting"]
    assert flow_module.train.fn(window, window.candidates[0]).candidate == "logistic_regression"


def test_the_flow_promotes_and_shows_the_verdict_as_an_artifact(make_config):
    config = make_config("2013-03")
    state = retrain(config, return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Promoted")
    assert "version 1" in state.message
    outcome = registry.outcome(config)
    assert (outcome.orchestrator, outcome.version) == ("prefect", 1)

    run = api(lambda client: client.read_flow_run(state.state_details.flow_run_id))
    assert run.name == "retrain-2013-03"
    names = {each.name.rsplit("-", 1)[0] for each in task_runs(run.id)}
    assert names == {"ingest", "validate", "impute", "train", "select", "evaluate", "register"}
    shown = {each.key: each.data for each in artifacts(run.id) if each.key}
    assert "Promote hist_gradient_boosting" in shown["verdict"]
    assert outcome.run_id in shown["verdict"]
    assert "logistic_regression" in shown["candidates"]


def test_the_run_links_to_mlflow_and_back(make_config, monkeypatch):
    monkeypatch.setenv("BAKEOFF_MLFLOW_UI", "http://127.0.0.1:5042")
    config = make_config("2013-03")
    with temporary_settings({PREFECT_UI_URL: "http://127.0.0.1:4200"}):
        state = retrain(config, return_state=True)
    flow_run_id = state.state_details.flow_run_id
    outcome = registry.outcome(config)
    shown = {each.key: each.data for each in artifacts(flow_run_id) if each.key}
    assert shown["mlflow-run"].startswith("[MLflow run](http://127.0.0.1:5042/#/experiments/")
    assert f"/runs/{outcome.run_id})" in shown["mlflow-run"]
    assert f"/runs/{outcome.run_id})" in shown["verdict"]
    tags = tracking.connect(config).get_run(outcome.run_id).data.tags
    assert tags["bakeoff.orchestrator_url"] == f"http://127.0.0.1:4200/flow-runs/flow-run/{flow_run_id}"


def test_the_log_of_the_run_tells_the_story(make_config):
    flow_run_id = retrain(make_config("2013-03"), return_state=True).state_details.flow_run_id
    only = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))

    def told():
        return " ".join(line.message for line in api(lambda client: client.read_logs(only, limit=200)))

    deadline = time.monotonic() + 20  # Prefect sends them from a thread of its own
    while "is champion now" not in told() and time.monotonic() < deadline:
        time.sleep(0.5)
    story = ["data version", "set aside", "trained logistic_regression", "selected", "verdict: promote", "as version 1"]
    assert [part for part in story if part not in told()] == []


def test_a_rejection_is_a_completed_run_of_its_own_name(make_config):
    retrain(make_config("2013-03"))
    config = make_config("2013-03", request_id="again")
    state = retrain(config, return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Rejected")
    assert registry.champion(config) == 1
    names = [each.name.rsplit("-", 1)[0] for each in task_runs(state.state_details.flow_run_id)]
    assert "register" not in names


def test_bad_data_fail_the_flow_with_their_cause_and_no_retry(make_config, spoil):
    retrain(make_config("2013-03"))
    spoil("2013-04", lambda frame: frame.rename(columns={"carrier": "airline"}))
    config = make_config("2013-04")
    state = retrain(config, return_state=True)
    assert state.type.value == "FAILED"
    assert "column carrier is missing" in state.message
    runs = {each.name.rsplit("-", 1)[0]: each for each in task_runs(state.state_details.flow_run_id)}
    assert runs["validate"].state.type.value == "FAILED"
    assert "column carrier is missing" in runs["validate"].state.message
    assert runs["validate"].run_count == 1
    assert registry.champion(config) == 1


def test_the_cause_of_a_failed_candidate_reaches_the_flow(make_config, monkeypatch):
    def broken(window, candidate):
        raise DataError("this candidate cannot be trained", where="here", fix="mend it")

    monkeypatch.setattr(flow_module.steps, "train", broken)
    state = retrain(make_config("2013-03"), return_state=True)
    assert state.type.value == "FAILED"
    assert "this candidate cannot be trained" in state.message


def test_a_transient_failure_is_cured_by_a_retry(make_config, monkeypatch):
    real, calls = flow_module.steps.evaluate, []

    def flaky(window, challenger):
        calls.append(window.run_id)
        if len(calls) == 1:
            raise TrackingError("the tracking server does not answer", where="http://127.0.0.1:1", fix="wait")
        return real(window, challenger)

    monkeypatch.setattr(flow_module.steps, "evaluate", flaky)
    state = retrain(make_config("2013-03"), return_state=True)
    assert state.name == "Promoted"
    assert len(calls) == 2
    [run] = [each for each in task_runs(state.state_details.flow_run_id) if each.name.startswith("evaluate")]
    assert run.run_count == 2


def test_a_step_that_the_data_do_not_ask_for_is_shown_as_skipped(make_config):
    states = {}
    for request, above in (("plain", 1.0), ("imputed", 0.2)):
        config = make_config("2013-02", request_id=request, contract={"min_rows": 1000, "impute_above": above})
        runs = task_runs(retrain(config, return_state=True).state_details.flow_run_id)
        [states[request]] = [each.state.name for each in runs if each.name.startswith("impute")]
    assert states == {"plain": "Skipped", "imputed": "Completed"}


def test_a_candidate_that_cannot_be_trained_is_not_tried_again_and_sinks_nothing_where_that_is_tolerated(make_config):
    broken = {"name": "random_forest", "label": "broken", "n_estimators": 2, "min_samples_leaf": 2**63}
    candidates = [{"name": "logistic_regression"}, broken]
    states = {}
    for tolerate in (True, False):
        config = make_config("2013-02", candidates=candidates, tolerate_failed=tolerate, request_id=str(tolerate))
        state = retrain(config, return_state=True)
        states[tolerate] = state.type.value
        [run] = [each for each in task_runs(state.state_details.flow_run_id) if each.name == "train-broken"]
        assert (run.state.type.value, run.run_count) == ("FAILED", 1)
    assert states == {True: "COMPLETED", False: "FAILED"}


@pytest.mark.parametrize(("due", "month"), [("2013-07-01T09:59Z", "2013-06"), ("2013-07-01T03:59Z", "2013-05")])
def test_a_scheduled_run_is_about_the_month_that_was_over_when_it_was_due(due, month, monkeypatch):
    run = {"parameters": {"settings": {"seed": 3}}, "scheduled_start_time": due}
    monkeypatch.setattr(flow_module, "flow_run", SimpleNamespace(**run))
    assert flow_module.month_of_run() == month


def test_a_schedule_that_outlives_the_data_fails_with_the_cause():
    state = retrain(return_state=True)  # due now
    assert state.type.value == "FAILED"
    assert "there is no month" in state.message


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (OverflowError("of a candidate's settings"), False),
        (DataError("bad", where="", fix=""), False),
        (ModuleNotFoundError("a package that the image lacks"), False),
        (TrackingError("down", where="", fix=""), True),
        (ConnectionResetError("network"), True),
    ],
)
def test_what_is_worth_a_retry(error, retried):
    state = Failed(data=error)
    assert worth_a_retry(None, None, state) is retried
