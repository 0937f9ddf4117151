from __future__ import annotations

import asyncio
import time

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
    assert names == {"ingest", "validate", "train", "select", "evaluate", "register"}
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


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (DataError("bad", where="", fix=""), False),
        (TrackingError("down", where="", fix=""), True),
        (ConnectionResetError("network"), True),
    ],
)
def test_what_is_worth_a_retry(error, retried):
    state = Failed(data=error)
    assert worth_a_retry(None, None, state) is retried
