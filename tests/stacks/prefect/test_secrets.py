"""MLflow's password reaches the steps, and nobody can read it on the way."""

from __future__ import annotations

import json

import pytest

MODEL = "prefect-secret"


@pytest.fixture(scope="module")
def run(server):
    return server.start(
        config={"month": "2013-02", "model_name": MODEL, "candidates": [{"name": "logistic_regression"}]}
    )


def pages(server, path, **body):
    """All answers of a filter, page by page."""
    found, size = [], 200
    while True:
        page = server.ask("POST", path, {**body, "limit": size, "offset": len(found)})
        found += page
        if len(page) < size:
            return found


@pytest.mark.capability("secrets")
def test_the_password_is_used_and_never_shown(run, server, stack):
    secret = stack.env.values["MLFLOW_PASSWORD"]
    assert server.ends(run)["state_name"] == "Promoted"  # MLflow lets nobody write who does not know it
    deployments = server.ask("POST", "deployments/filter", {})
    shown = {
        "deployments": deployments,
        "work pool": server.ask("GET", "work_pools/bakeoff"),
        "runs": server.ask("POST", "flow_runs/filter", {"sort": "START_TIME_DESC"}),
        "tasks": server.tasks(run),
        "logs": pages(server, "logs/filter"),
        "events": server.ask("POST", "events/filter", {"limit": 50}),
        "artifacts": server.ask("POST", "artifacts/filter", {}),
        "blocks": server.ask("POST", "block_documents/filter", {}),
        "automations": server.ask("POST", "automations/filter", {}),
        "containers' logs": stack.compose.run("logs", "--no-color"),
        "results on the volume": stack.compose.exec("prefect-worker", "sh", "-c", "cat /state/prefect/*"),
        "the worker's environment": stack.compose.exec("prefect-worker", "env"),
    }
    assert {name for name, text in shown.items() if secret in json.dumps(text)} == set()
    assert all(shown.values())
    template = shown["work pool"]["base_job_template"]["variables"]["properties"]["env"]["default"]
    assert template["MLFLOW_TRACKING_PASSWORD"] == "{{ prefect.blocks.secret.mlflow-password }}"
    [block] = [each for each in shown["blocks"] if each["name"] == "mlflow-password"]
    assert set(block["data"]["value"]) == {"*"}


@pytest.mark.capability("secrets")
def test_it_is_encrypted_in_the_database(stack, run):
    """Positive control: the same dump holds the block's name."""
    dump = stack.compose.exec("postgres", "pg_dump", "--username", "bakeoff", "--data-only", "prefect")
    assert "mlflow-password" in dump
    assert stack.env.values["MLFLOW_PASSWORD"] not in dump
