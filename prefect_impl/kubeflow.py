"""Prefect for the when, Kubeflow for the training: start the pipeline `retrain` by KFP's API, and wait for its end.

prefect variable set kfp_address http://127.0.0.1:8085
"""

import json
import time
from typing import Any

import httpx
from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.variables import Variable

from prefect_impl.flow import RETRY

PIPELINE = "retrain"
#: Seconds between two looks.
POLL_S = 10.0


def ask(method: str, path: str, **more: Any) -> dict[str, Any]:
    """One call of KFP's API."""
    base = f"{Variable.get('kfp_address')}/apis/v2beta1"
    return httpx.request(method, f"{base}{path}", timeout=30, **more).raise_for_status().json()


def named(name: str) -> dict[str, str]:
    """The query for what has that name."""
    return {"filter": json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})}


def experiment() -> str:
    """The experiment that holds the runs."""
    found = ask("GET", "/experiments", params=named(PIPELINE)).get("experiments")
    [one] = found or [ask("POST", "/experiments", json={"display_name": PIPELINE})]
    return one["experiment_id"]


@task(**RETRY)
def submit(name: str, parameters: dict[str, Any]) -> str:
    """Start the newest version of the pipeline. KFP takes a name twice, so a try that got no answer is looked for."""
    there = experiment()
    runs = ask("GET", "/runs", params=named(name) | {"experiment_id": there}).get("runs") or []
    if earlier := [run for run in runs if run["display_name"] == name]:
        return earlier[0]["run_id"]
    pipeline = ask("GET", f"/pipelines/names/{PIPELINE}")["pipeline_id"]
    newest = {"sort_by": "created_at desc", "page_size": 1}
    [version, *_] = ask("GET", f"/pipelines/{pipeline}/versions", params=newest)["pipeline_versions"]
    body = {
        "display_name": name,
        "experiment_id": there,
        "pipeline_version_reference": {
            "pipeline_id": pipeline,
            "pipeline_version_id": version["pipeline_version_id"],
        },
        "runtime_config": {"parameters": parameters},
    }
    return ask("POST", "/runs", json=body)["run_id"]


@task(**RETRY)
def wait(run: str) -> str:
    """Look until the run has ended. Prefect cannot defer: a process waits."""
    while True:
        state = ask("GET", f"/runs/{run}").get("state")
        if state in ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"):
            return state
        time.sleep(POLL_S)


@flow(flow_run_name="kubeflow-{month}", persist_result=True, result_serializer="json", timeout_seconds=6 * 3600)
def kubeflow(month: str, settings: dict[str, Any] | None = None) -> State:
    """Have Kubeflow Pipelines retrain on a month.

    Args:
        month: the month that has just arrived.
        settings: any other field of `shared.config.RetrainConfig`.
    """
    run = submit(f"retrain-{month}-{flow_run.id}", {"month": month, "settings": settings or {}})
    state = wait(run)
    if state != "SUCCEEDED":
        return Failed(message=f"KFP run {run}: {state}")
    return Completed(message=f"KFP run {run}")
