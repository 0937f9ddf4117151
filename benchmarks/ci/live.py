"""What a tool's server says of the pipeline that is deployed there, and of its newest run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.ci.pipelines import Part
from benchmarks.ci.records import Seen
from benchmarks.ci.workflow import Values
from benchmarks.kubeflow.api import KfpApi
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.prefect_api import PrefectApi

#: What the patches in `patches/pull-request` have a step say, each where its tool shows it.
MARK = "after the pull request"


def seen(tool: Part, values: Values) -> Seen:
    """Ask a server what it has deployed, and of the newest run of it.

    Args:
        tool: whose.
        values: of the environment: address and login.

    Raises:
        Silent, Refused: the server.
    """
    return _ASK[tool](values)


def _airflow(values: Values) -> Seen:
    login = values.vars["AIRFLOW_USER"], values.secrets["AIRFLOW_PASSWORD"]
    api = AirflowApi(values.vars["AIRFLOW_URL"], login)
    dag = f"/api/v2/dags/{api.dag_id}"
    deployed = api.ask("GET", dag)["bundle_version"]
    runs = api.ask("GET", f"{dag}/dagRuns", params={"order_by": "-run_after", "limit": 1})["dag_runs"]
    if not runs:
        return Seen(version=deployed)
    [run] = runs
    tasks = api.ask("GET", f"{dag}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
    said = [task["rendered_map_index"] or "" for task in tasks if task["task_id"] == "train"]
    return Seen(
        version=deployed,
        run=run["dag_run_id"],
        run_version=run["bundle_version"] or "",
        succeeded=run["state"] == "success",
        changed=_marked(said),
    )


def _prefect(values: Values) -> Seen:
    user, _, password = values.secrets["PREFECT_API_AUTH_STRING"].partition(":")
    ask = PrefectApi(values.vars["PREFECT_API_URL"].removesuffix("/api"), (user, password)).rest.ask
    deployment = ask("GET", "/api/deployments/name/retrain/retrain")
    of_it = {"deployments": {"id": {"any_": [deployment["id"]]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    runs = ask("POST", "/api/flow_runs/filter", json=of_it)
    if not runs:
        return Seen(version=deployment["version"])
    [run] = runs
    artifacts = ask("POST", "/api/artifacts/filter", json={"flow_runs": {"id": {"any_": [run["id"]]}}})
    return Seen(
        version=deployment["version"],
        run=run["name"],
        run_version=run["deployment_version"] or "",
        succeeded=run["state_type"] == "COMPLETED",
        changed=_marked(artifact["description"] or "" for artifact in artifacts),
    )


def _kubeflow(values: Values) -> Seen:
    api = KfpApi(values.vars["KFP_HOST"], values.secrets["BAKEOFF_KFP_TOKEN"])
    versions = {each["pipeline_version_id"]: each for each in api.versions(api.pipeline("retrain") or "")}
    newest = max(versions.values(), key=lambda each: each["created_at"])["display_name"]
    runs = api.runs(api.experiment("bakeoff"))
    if not runs:
        return Seen(version=newest)
    run = max(runs, key=lambda each: each["created_at"])
    version = versions[run["pipeline_version_reference"]["pipeline_version_id"]]
    return Seen(
        version=newest,
        run=run["display_name"],
        run_version=version["display_name"],
        succeeded=run["state"] == "SUCCEEDED",
        changed=_marked([json.dumps(version)]),
    )


def _marked(texts: Any) -> bool:
    return any(MARK in text for text in texts)


_ASK: dict[Part, Callable[[Values], Seen]] = {
    Part.AIRFLOW: _airflow,
    Part.PREFECT: _prefect,
    Part.KUBEFLOW: _kubeflow,
}
