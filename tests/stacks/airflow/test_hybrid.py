"""Airflow for the data, Kubeflow for the training. No Kubeflow runs here: a stand-in answers as its API does."""

import threading

import pytest

from tests.benchmarks.kubeflow.fake_kfp import FakeKfp, _Handler
from tests.stacks.airflow.calls import listening, until


class Held(FakeKfp):
    """Its runs go on until they are let go."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()

    def start(self, run):
        run["state"] = "RUNNING"

    def _run(self, query, body, run):
        if self.go.is_set():
            self.runs[run]["state"] = "SUCCEEDED"
        return super()._run(query, body, run)


@pytest.mark.capability("hybrid")
def test_airflow_submits_a_kubeflow_run_and_waits_without_a_worker(airflow):
    kfp = Held()
    pipeline = kfp.answer("POST", "/apis/v2beta1/pipelines", {}, {"display_name": "retrain"})[1]["pipeline_id"]
    version = {"pipelineid": pipeline, "name": "retrain-1", "display_name": "retrain-1"}
    kfp.answer("POST", "/apis/v2beta1/pipelines/upload_version", version, b"")
    with listening(airflow.stack, type("Handler", (_Handler,), {"server_state": kfp})) as address:
        airflow.connect("kubeflow", address)
        run = airflow.trigger("hybrid", "hybrid", month="2013-03", settings={"model_name": "hybrid"})
        waiting = run.reaches("retrain", "deferred")
        assert waiting["trigger"]["classpath"] == "airflow_impl.kfp.KfpEnd"
        until(lambda: len(kfp.runs) == 1, "the run on Kubeflow")
        kfp.go.set()
        assert run.ended() == "success"
    [submitted] = kfp.runs.values()
    assert submitted["display_name"] == "hybrid hybrid"
    assert submitted["runtime_config"]["parameters"] == {"month": "2013-03", "settings": {"model_name": "hybrid"}}
    told = run.ask("GET", "/taskInstances/retrain/xcomEntries/return_value")["value"]
    assert "SUCCEEDED" in str(told)
