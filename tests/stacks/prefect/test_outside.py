"""Prefect beside other systems: Kubeflow Pipelines for the training, CI that deploys and triggers."""

from __future__ import annotations

import json

import pytest

from benchmarks.stacks.engine import StackError
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp, _Handler
from tests.stacks.prefect.client import until
from tests.stacks.prefect.outside import served


@pytest.fixture
def kfp(stack, server):
    """A stand-in of KFP's API, with our pipeline, where the workers reach it."""
    fake = FakeKfp()
    pipeline = fake._create_pipeline({}, {"display_name": "retrain"})[1]["pipeline_id"]
    fake._upload_version({"pipelineid": pipeline, "name": "v1", "display_name": "v1"}, b"")
    with served(stack, type("Handler", (_Handler,), {"server_state": fake})) as address:
        server.ask("POST", "variables/", {"name": "kfp_address", "value": address})
        yield fake
        server.ask("DELETE", "variables/name/kfp_address")


@pytest.mark.capability("hybrid")
def test_a_run_in_kubeflow_is_started_once_and_waited_for(kfp, server):
    kfp.breaks.append((r"^GET /apis/v2beta1/runs/run", 503, {}))  # the API is away while the flow waits
    run = server.start("kubeflow/kubeflow", month="2013-02", settings={"model_name": "prefect-hybrid"})
    until(lambda: "AwaitingRetry" in server.states(run).values(), "a look that failed")
    kfp.breaks.clear()
    assert server.ends(run)["state_name"] == "Completed"
    [made] = kfp.runs.values()
    assert made["runtime_config"]["parameters"] == {"month": "2013-02", "settings": {"model_name": "prefect-hybrid"}}
    assert made["display_name"] == f"retrain-2013-02-{run}"
    assert made["run_id"] in server.run(run)["state"]["message"]


def ci(stack, month, model):
    config = {"month": month, "model_name": model, "candidates": [{"name": "logistic_regression"}]}
    command = ("run", "--rm", "--no-deps", "--no-TTY", "prefect-deploy", "sh", "prefect_impl/ci.sh")
    return stack.compose.run(*command, json.dumps(config), timeout_s=300)


@pytest.mark.capability("ci")
def test_ci_deploys_triggers_and_tells_the_outcome(stack, server):
    before = server.deployment()["updated"]
    told = ci(stack, "2013-02", "prefect-ci")
    assert "Promoted" in told
    assert server.deployment()["updated"] > before
    assert server.log("prefect-ci") == [("promoted", "2013-02")]


@pytest.mark.capability("ci")
def test_ci_fails_where_the_run_fails(stack, server):
    with pytest.raises(StackError):
        ci(stack, "2013-13", "prefect-ci-failed")
    assert server.log("prefect-ci-failed") == []
