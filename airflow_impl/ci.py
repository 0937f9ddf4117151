"""What a CI job does after its `git push` to the repository of DAGs: wait until Airflow has that commit, run it, wait.

python -m airflow_impl.ci DAG COMMIT '{"month": "2013-03"}' JOB    # the params of the run, and the CI job's id

AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORD are the job's secrets.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

PATIENCE_S = 1800.0


def deploy_and_run(airflow: httpx.Client, dag: str, commit: str, params: str = "{}", job: str = "") -> str:
    """Run a DAG as a commit has it; called again for the same commit and job it follows the same run.

    Args:
        airflow: its api-server, signed in.
        dag: the DAG's id.
        commit: of the repository of DAGs, in full.
        params: of the run, as JSON.
        job: what is deployed again, back too, has a run of its own by another job.

    Returns:
        The run's last state.
    """

    def ask(method: str, path: str, **more: Any) -> dict[str, Any]:
        return airflow.request(method, f"/api/v2/dags{path}", **more).raise_for_status().json()

    def deployed() -> bool:
        found = airflow.get(f"/api/v2/dags/{dag}")
        return found.status_code == 200 and found.json()["bundle_version"] == commit

    _until(deployed, f"Airflow to know {dag} as of {commit}")
    ask("PATCH", f"/{dag}", json={"is_paused": False})
    run = "__".join(["ci", commit[:12], *([job] if job else [])])
    asked = {"dag_run_id": run, "logical_date": None, "conf": json.loads(params)}
    started = airflow.post(f"/api/v2/dags/{dag}/dagRuns", json=asked)
    if started.status_code != 409:  # else an earlier job has started it
        started.raise_for_status()
    state = _until(lambda: _ended(ask("GET", f"/{dag}/dagRuns/{run}")["state"]), f"the end of {run}")
    print(f"{dag} {run}: {state}")
    return state


def _ended(state: str) -> str:
    return state if state in ("success", "failed") else ""


def _until(call: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := call()):
        if time.monotonic() > deadline:
            sys.exit(f"gave up waiting for {what}")
        time.sleep(2)
    return answer


if __name__ == "__main__":
    with httpx.Client(base_url=os.environ["AIRFLOW_URL"], timeout=30) as client:
        login = {"username": os.environ["AIRFLOW_USER"], "password": os.environ["AIRFLOW_PASSWORD"]}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        sys.exit(deploy_and_run(client, *sys.argv[1:]) != "success")
