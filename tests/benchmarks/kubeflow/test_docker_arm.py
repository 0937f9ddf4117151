"""What the harness asks of `kfp.local.DockerRunner`; tests/stacks/test_kubeflow.py has the real runs."""

from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import cli
from benchmarks.arms import KubeflowArm
from benchmarks.display import Display
from benchmarks.kubeflow import docker_arm, image
from benchmarks.kubeflow.docker_arm import DockerArm, Runner
from benchmarks.places import ROOT, ArmName, Stack
from benchmarks.retraining import make_configs, run
from benchmarks.stacks import engine, registry
from benchmarks.stacks.engine import StackError
from shared.errors import ConfigError

DOCKER, SUBPROCESS = Runner.DOCKER, Runner.SUBPROCESS


@pytest.mark.parametrize(
    ("on", "stack", "runner", "mount_code", "named"),
    [
        (ArmName.PLAIN, Stack.EMBEDDED, DOCKER, False, "--on plain"),
        (ArmName.AIRFLOW, Stack.COMPOSE, DOCKER, False, "--on airflow --stack compose"),
        (ArmName.KUBEFLOW, Stack.COMPOSE, DOCKER, False, "--stack compose"),
        (ArmName.KUBEFLOW, Stack.EMBEDDED, SUBPROCESS, True, "--mount-code"),
        (ArmName.PLAIN, Stack.EMBEDDED, SUBPROCESS, True, "--mount-code"),
    ],
)
def test_options_that_do_not_go_together_are_refused(on, stack, runner, mount_code, named):
    with pytest.raises(ConfigError) as refused:
        docker_arm.check(on, stack, runner, mount_code=mount_code)
    assert named in refused.value.where


@pytest.mark.parametrize("runner", list(Runner))
def test_options_that_go_together_are_taken(runner):
    in_containers = docker_arm.check(ArmName.KUBEFLOW, Stack.EMBEDDED, runner, mount_code=runner is DOCKER)
    assert in_containers is (runner is DOCKER)
    assert docker_arm.check(ArmName.AIRFLOW, Stack.COMPOSE, SUBPROCESS, mount_code=False) is False


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--on", "prefect", "--runner", "docker"], "Kubeflow's embedded mode only"),
        (["--on", "kubeflow", "--data-remote", "s3://bucket/data"], "add --stack kind"),
        (["--on", "airflow", "--stack", "compose", "--host", "http://127.0.0.1:9"], "add --stack kind"),
    ],
)
def test_the_command_refuses_before_any_work(tmp_path, more, told):
    done = CliRunner().invoke(cli.app, ["retrain", *more, "--month", "2013-03", "--state", str(tmp_path / "x")])
    assert done.exit_code == 1
    assert told in done.output
    assert not (tmp_path / "x").exists()


def test_a_container_sees_the_arms_folder_and_the_data_and_nothing_else(tmp_path):
    arm = DockerArm(tmp_path)
    arm._configs = make_configs(["2013-03"], tmp_path / "state")
    state, data = arm.mounts()
    assert state == {"source": f"{tmp_path}/state", "target": f"{tmp_path}/state", "read_only": False}
    assert data == {"source": str(registry.FOLDER / "remote"), "target": "/opt/bakeoff/remote", "read_only": True}
    arm.code = ROOT / "shared"
    assert arm.mounts()[2] == {"source": str(ROOT / "shared"), "target": "/opt/bakeoff/shared", "read_only": True}


def test_the_images_places_are_the_dockerfiles():
    text = (ROOT / "compose" / "Dockerfile").read_text()
    assert f"BAKEOFF_DATA_REPO={image.REGISTRY}" in text
    assert f"install --directory {image.REMOTE}" in text
    assert re.search(r"^WORKDIR /opt/bakeoff$", text, re.M)
    # Where the registry's own remote is, as seen from its .dvc folder.
    url = re.search(r"url = (\S+)", registry._CONFIG)
    assert str(Path(image.REGISTRY, ".dvc", url[1]).resolve()) == image.REMOTE


def test_no_engine_fails_the_run_with_cause_and_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(KubeflowArm, "prepare", lambda self: None)  # its environment is another test's
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    configs = make_configs(["2013-03"], tmp_path)
    done = run(ArmName.KUBEFLOW, configs, quiet(), arm=DockerArm(tmp_path))
    assert done.status == "failed"
    assert "the Docker engine does not answer" in done.error
    assert "What to do: DOCKER_HOST is set in your shell" in done.error


def test_an_engine_that_refuses_this_user_is_told_as_that(monkeypatch, tmp_path):
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho 'permission denied while trying to connect to the daemon socket' >&2; exit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(KubeflowArm, "prepare", lambda self: None)
    with pytest.raises(StackError, match="permission denied") as refused:
        DockerArm(tmp_path).prepare()
    assert "usermod -aG docker" in refused.value.fix


class Vanishing(DockerArm):
    """Ends well at once, as KFP does when the engine has removed every container before it could look."""

    def prepare(self):
        pass

    def retrain(self, configs):
        self._configs = configs
        event = {"step": "retrain", "label": "2013-03"}
        yield {**event, "time": 100.0, "state": "started"}
        yield {**event, "time": 101.0, "state": "finished", "seconds": 1.0}


def test_a_run_that_tells_of_success_and_left_no_outcome_has_failed(tmp_path):
    done = run(ArmName.KUBEFLOW, make_configs(["2013-03"], tmp_path), quiet(), arm=Vanishing(tmp_path))
    assert done.status == "failed"
    assert "MLflow holds no finished retraining of it" in done.error


def test_the_engine_that_the_client_talks_to_is_told_to_kfp(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    monkeypatch.setattr(engine, "docker", lambda *command: "unix:///of/the/context.sock\n")
    assert docker_arm.address() == "tcp://elsewhere:2375"
    monkeypatch.delenv("DOCKER_HOST")
    assert docker_arm.address() == "unix:///of/the/context.sock"


def test_what_a_run_has_left_is_removed_by_its_label_and_nothing_else(docker):
    labels = ("bakeoff-test-one", "bakeoff-test-two")
    try:
        for label in labels:
            create = ("create", "--label", f"bakeoff={label}", "debian:bookworm-slim", "sleep", "60")
            engine.docker("start", engine.docker(*create).strip())
        docker_arm.remove_containers(labels[0])
        assert left(labels[0]) == []
        assert len(left(labels[1])) == 1
    finally:
        for label in labels:
            docker_arm.remove_containers(label)


def test_an_arm_that_is_stopped_removes_what_a_killed_adapter_has_left(docker, tmp_path):
    arm = DockerArm(tmp_path)
    arm._configs = make_configs(["2013-03"], tmp_path)
    request = arm._configs[0].request_id
    engine.docker("create", "--label", f"bakeoff={request}", "debian:bookworm-slim", "sleep", "60")
    assert len(left(request)) == 1
    arm.stop()
    assert left(request) == []


def left(label):
    return engine.docker("container", "ls", "--all", "--quiet", "--filter", f"label=bakeoff={label}").split()


def test_kfp_is_asked_for_what_the_arm_says(tmp_path, monkeypatch):
    """The adapter's own reading of the environment, in its environment."""
    python = ROOT / ".venvs" / "kubeflow" / "bin" / "python"
    if not python.exists():
        pytest.skip("the kubeflow environment is not built")
    monkeypatch.setattr(docker_arm, "address", lambda: "unix:///nowhere.sock")
    arm = DockerArm(tmp_path)
    arm.image, arm._user = "bakeoff-kubeflow:abc", "1:2"
    arm._configs = make_configs(["2013-03"], tmp_path)
    code = """
import json, sys
from kubeflow_impl import containers
from shared.config import parse_config
runner = containers.runner(parse_config({"month": "2013-03", "request_id": "one", **json.loads(sys.argv[1])}))
print(json.dumps({**runner.container_run_args, "mounts": [dict(each) for each in runner.container_run_args["mounts"]]}))
"""

    def asked(**settings):
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **arm.env()}
        done = subprocess.run([python, "-c", code, json.dumps(settings)], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    given = asked()
    assert given["labels"] == {"bakeoff": "one"}
    assert given["user"] == "1:2"
    assert given["network_mode"] == "none"  # the store is a file: nothing has to be reached, and nothing can be
    assert [each["Target"] for each in given["mounts"]] == [str(tmp_path), "/opt/bakeoff/remote"]
    assert [each["ReadOnly"] for each in given["mounts"]] == [False, True]
    assert given["environment"]["BAKEOFF_REVISION"] == image.Tree().revision()
    assert asked(tracking_uri="http://127.0.0.1:5000")["network_mode"] == "host"


def quiet():
    return Display(Console(file=io.StringIO()), [ArmName.KUBEFLOW])
