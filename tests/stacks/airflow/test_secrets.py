"""MLflow's password reaches the tasks, and nothing that anybody can read."""

import json

import pytest

from benchmarks.stacks import engine
from tests.stacks.airflow.calls import LIGHT


@pytest.mark.capability("secrets")
def test_the_password_is_used_and_stands_nowhere(airflow):
    """Searched is all that there is, also of the tests before this one; a run of its own is the positive control."""
    password = airflow.stack.up.mlflow_password
    run = airflow.trigger("retrain", "secret", month="2013-02", settings={"model_name": "secret", "candidates": LIGHT})
    assert run.ended() == "success"
    assert airflow.champion("secret") == 1  # it did log in: MLflow takes nobody without
    found = {name: text for name, text in everything(airflow, run).items() if password in text}
    assert list(found) == []
    # What is looked for is found where it is: the file that the stack mounts.
    assert password in airflow.stack.compose.exec("airflow-scheduler", "cat", "/opt/airflow/connections.json")


def everything(airflow, run):
    """What Airflow answers whoever may sign in, what its services say and write, and what its database holds."""
    pages = ["connections", "variables", "dags", "assets", "importErrors", "eventLogs?limit=1000", "jobs"]
    pages += [f"dagSources/{dag}" for dag in ("retrain", "watch", "hybrid")]
    found = {page: json.dumps(airflow.ask("GET", page)) for page in pages}
    found["the run"] = json.dumps(run.now())
    for task in run.tasks():
        found[f"the task {task['task_id']}"] = json.dumps(task)
    for xcom in run.ask("GET", "/taskInstances/~/xcomEntries", params={"limit": 1000})["xcom_entries"]:
        entry = f"/taskInstances/{xcom['task_id']}/xcomEntries/{xcom['key']}"
        found[entry] = json.dumps(run.ask("GET", entry, params={"map_index": xcom["map_index"]}))
    for container in airflow.stack.compose.ps():
        if container.service.startswith("airflow"):
            found[f"how {container.service} is started"] = engine.docker(
                "inspect", "--format", "{{json .Config}}", container.id
            )
    compose = airflow.stack.compose
    logs = ("find", "/opt/airflow/logs", "-type", "f", "-exec", "cat", "{}", "+")
    found["the tasks' logs"] = compose.exec("airflow-scheduler", *logs)
    found["the services' logs"] = compose.run("logs", "--no-color")
    found["the database"] = compose.exec("postgres", "pg_dump", "--username", "bakeoff", "airflow")
    assert "MLflow shows this retraining at" in found["the tasks' logs"]
    assert run.id in found["the database"]
    return found
