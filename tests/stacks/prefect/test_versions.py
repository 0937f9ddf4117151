"""Two versions of the pipeline at once, and an old one again."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks.places import ROOT
from shared import tracking

#: Before imputation: its flow has no such task, and calls `steps.select` as the present core would not let it.
PREVIOUS = "bb15034727b93d7db557f59e5d52a085695ad434"


@pytest.fixture(scope="module")
def previous(stack, tmp_path_factory):
    """The old code in a folder of the workers' volume, and a deployment of it."""
    archive, folder = tmp_path_factory.mktemp("previous") / "code.tar", f"/state/versions/{PREVIOUS}"
    parts = ("shared", "prefect_impl", "pyproject.toml")
    subprocess.run(["git", "archive", "--output", archive, PREVIOUS, *parts], cwd=ROOT, check=True)
    unpack = f"mkdir -p {folder} && tar -x -C {folder} --no-same-owner"
    stack.compose.run_one_off("prefect-worker", "sh", "-c", unpack, stdin=archive)
    stack.compose.run(
        *("run", "--rm", "--no-deps", "--no-TTY", "--workdir", folder, "--env", f"PYTHONPATH={folder}"),
        *("--env", f"BAKEOFF_PREVIOUS={PREVIOUS}", "prefect-worker", "prefect", "--no-prompt", "deploy", "--all"),
        *("--prefect-file", "/opt/bakeoff/prefect_impl/previous.yaml"),
        timeout_s=240,
    )
    return "retrain/retrain-previous"


def digest(server, model):
    """What the first version of a model is, whoever trained it."""
    client = tracking.connect(server.store(model))
    return client.get_model_version(model, "1").tags["model_digest"]


@pytest.mark.capability("versions")
def test_two_versions_run_at_once_and_the_old_one_again(previous, server):
    month = {"month": "2013-02"}
    asked = {
        "prefect-old": server.start(previous, config={**month, "model_name": "prefect-old"}),
        "prefect-new": server.start(config={**month, "model_name": "prefect-new"}),
    }
    ended = {model: server.ends(run) for model, run in asked.items()}
    assert {run["state_name"] for run in ended.values()} == {"Promoted"}
    old, new = ended["prefect-old"], ended["prefect-new"]
    assert old["deployment_version"] == PREVIOUS
    assert new["deployment_version"] == server.deployment()["version"] != PREVIOUS
    assert max(old["start_time"], new["start_time"]) < min(old["end_time"], new["end_time"])
    assert (server.executions(old["id"])["impute"], server.executions(new["id"])["impute"]) == (0, 1)

    again = {"config": {**old["parameters"]["config"], "model_name": "prefect-old-again"}}
    rerun = server.ends(server.start(previous, **again))
    assert (rerun["state_name"], rerun["deployment_version"]) == ("Promoted", PREVIOUS)
    assert len({digest(server, model) for model in (*asked, "prefect-old-again")}) == 1
