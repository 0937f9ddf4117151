"""What this machine gives to the real workflows. No container is started: `docker` is a script of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.ci import pipelines, run, workflow
from benchmarks.ci.checkout import EQUIVALENTS
from benchmarks.ci.local import NO_PRODUCTION, NO_REGISTRY, NO_SERVER, Asked, LocalCheckout
from benchmarks.ci.pipelines import Part, System
from benchmarks.ci.records import KINDS, CiRun, CiRuns
from benchmarks.cli import app
from benchmarks.places import ROOT
from benchmarks.stacks import env_file
from shared.errors import ConfigError
from tests.benchmarks.test_results import ENVIRONMENT

TOOLS = (Part.PREFECT, Part.AIRFLOW, Part.KUBEFLOW)
SERVER = {"host": "http://kfp.example.org", "registry": "registry.example.org/team"}
#: Takes a push into the folder that stands in for the volume; of all else it writes down what was asked.
DOCKER = """#!/bin/sh
if [ "$1" = exec ]; then
    shift 2
    echo "$1" > "$HERE/container"
    exec "$2" "$HERE/dags.git"
fi
echo "$*" >> "$HERE/asked"
case "$1 $2" in
"volume ls") if [ ! -e "$HERE/down" ]; then echo volume; fi ;;
"compose --project-name") touch "$HERE/down" ;;
"image ls") echo image:1 ;;
esac
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """The stand-in, alone on PATH with git; gives its folder."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    for name in ("git", "sh", "touch"):
        (programs / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HERE", str(tmp_path))
    return tmp_path


@pytest.fixture
def make(docker, tmp_path):
    """Make a checkout of this repository, on this machine; it is closed afterwards."""
    made = []

    def make(tool, **more):
        made.append(LocalCheckout(Asked(tool, **more), lambda line: None, below=tmp_path / "below"))
        return made[-1]

    yield make
    for each in made:
        each.close()
    assert not list((tmp_path / "below").iterdir())


def real(tool):
    [path] = pipelines.files(tool, System.GITHUB)
    return workflow.load(path, ROOT)


@pytest.mark.parametrize("production", [False, True])
@pytest.mark.parametrize("tool", TOOLS)
def test_all_that_the_real_workflows_ask_for_has_a_value(make, tool, production):
    more = SERVER if tool is Part.KUBEFLOW else {}
    workflow.check(real(tool), make(tool, production=production, **more).values)


def test_without_a_server_kubeflows_workflow_is_understood_all_the_same(make):
    given = make(Part.KUBEFLOW).values("kubeflow-staging")
    workflow.check(real(Part.KUBEFLOW), lambda _: given)
    names = {"vars.STAGING_RUNNER": NO_SERVER, "vars.REGISTRY": NO_REGISTRY, "vars.PRODUCTION_RUNNER": NO_SERVER}
    assert given.absent == names
    given = make(Part.KUBEFLOW, **SERVER).values("kubeflow-staging")
    assert given.absent == {"vars.PRODUCTION_RUNNER": NO_PRODUCTION}
    assert given.vars["REGISTRY"] == SERVER["registry"]


def test_every_action_of_the_real_workflows_has_an_equivalent():
    for tool in TOOLS:
        for job in real(tool).jobs:
            for step in job.steps:
                if step.uses:
                    known, _ = EQUIVALENTS[step.action]
                    assert {*step.options} <= known, (tool, job.id, step.name)


@pytest.mark.parametrize("tool", [Part.PREFECT, Part.AIRFLOW])
def test_each_environment_is_a_stack_of_its_own(make, tool):
    checkout = make(tool, production=True)
    files = [env_file.read(checkout.scratch / "machine.env")]
    for name in ("staging", "production"):
        values = checkout.values(f"{tool}-{name}")
        files.append(env_file.read(Path(values.vars["STACK_ENV_FILE"])))
        assert files[-1].values.get("AIRFLOW_DAGS_BRANCH") == (f"airflow-{name}" if tool is Part.AIRFLOW else None)
        assert {"STAGING_RUNNER", "PRODUCTION_RUNNER"} <= values.vars.keys()
        secret = {"prefect": "PREFECT_AUTH_STRING", "airflow": "AIRFLOW_ADMIN_PASSWORD"}[tool]
        assert list(values.secrets.values()) == [files[-1].values[secret]]
        address = values.vars[{"prefect": "PREFECT_API_URL", "airflow": "AIRFLOW_URL"}[tool]]
        port = files[-1].port(f"{tool.upper()}_PORT")
        assert address == f"http://127.0.0.1:{port}" + ("/api" if tool is Part.PREFECT else "")
        assert files[-1].values[secret] in checkout.secrets()
    assert len({each.prefix for each in files}) == 3


def test_production_is_not_run_unless_it_is_asked_for(make):
    values = make(Part.PREFECT).values("prefect-production")
    assert (values.vars["PRODUCTION_RUNNER"], values.vars["STAGING_RUNNER"]) == ("", "local")
    assert values.absent == {"vars.PRODUCTION_RUNNER": NO_PRODUCTION}
    assert not any(values.secrets.values())


def test_the_checkout_has_its_env_file_and_the_push_goes_into_the_stacks_repository(make, docker):
    checkout = make(Part.AIRFLOW)
    jobs = {job.id: job for job in real(Part.AIRFLOW).jobs}
    subprocess.run(["git", "init", "--quiet", "--bare", str(docker / "dags.git")], check=True)
    checkout.restore(jobs["stack"])
    default = checkout.folder / "compose" / ".env"
    assert default.read_bytes() == (checkout.scratch / "machine.env").read_bytes()
    checkout.restore(jobs["staging"])
    env = checkout.env() | jobs["staging"].env
    [push] = [step.script for step in jobs["staging"].steps if "git push" in step.script]
    done = subprocess.run(["/bin/bash", "-ec", push], cwd=checkout.folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    prefix = env_file.read(checkout.scratch / "airflow-staging.env").prefix
    assert (docker / "container").read_text().strip() == f"{prefix}-airflow-airflow-scheduler-1"
    pushed = ["git", "-C", str(docker / "dags.git"), "rev-parse", "refs/heads/airflow-staging"]
    assert subprocess.run(pushed, capture_output=True, text=True).stdout.strip() == checkout.commit
    status = ["git", "-C", str(checkout.folder), "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True).stdout == ""


def test_a_stack_is_taken_down_after_a_job_on_githubs_machine_and_with_the_checkout(make, docker):
    checkout = make(Part.PREFECT)
    jobs = {job.id: job for job in real(Part.PREFECT).jobs}
    prefix = env_file.read(checkout.scratch / "machine.env").prefix
    checkout.ended(jobs["staging"])
    assert not (docker / "asked").exists(), "a stack of an environment stays"
    checkout.ended(jobs["stack"])
    down = f"compose --project-name {prefix}-prefect down --remove-orphans --volumes"
    assert down in (docker / "asked").read_text().splitlines()
    (docker / "down").unlink()
    checkout.close()
    asked = (docker / "asked").read_text().splitlines()
    assert asked.count(down) == 2
    assert "image rm --force image:1" in asked
    assert not checkout.scratch.exists()


def test_without_docker_there_is_nothing_to_take_down(make, docker):
    (docker / "programs" / "docker").unlink()
    make(Part.PREFECT).close()


@pytest.mark.parametrize(
    "more",
    [
        {"tool": Part.KUBEFLOW, "host": "http://x"},
        {"tool": Part.KUBEFLOW, "registry": "x"},
        {"tool": Part.PREFECT, **SERVER},
    ],
)
def test_options_that_do_not_go_together_are_refused(more):
    with pytest.raises(ConfigError):
        Asked(**more)


def test_the_time_it_takes_is_told_from_what_was_kept():
    assert "about 45 minutes (a guess" in run.estimate(Part.PREFECT, KINDS, None)
    kept = [
        CiRun(tool=Part.PREFECT, kind=kind, environment=ENVIRONMENT, seconds=seconds, steps=())
        for kind, seconds in (("cold", 600), ("warm", 120))
    ]
    assert "about 12 minutes (by the runs" in run.estimate(Part.PREFECT, KINDS, CiRuns(runs=tuple(kept)))
    assert "about 30 minutes (a guess" in run.estimate(Part.AIRFLOW, KINDS[:1], CiRuns(runs=tuple(kept)))


def test_nothing_of_the_machine_is_in_the_commands_environment(make):
    env = make(Part.PREFECT).env()
    assert env["CI"] == "true"
    assert "PYTHONPATH" not in env
    assert os.environ["PATH"] == env["PATH"]
    assert env["GITHUB_REF_NAME"] == "main"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--run"], "one workflow is run at a time"),
        (["--run", "--tool", "prefect", "--tool", "airflow"], "one workflow is run at a time"),
        (["--run", "--tool", "airflow", "--host", "http://x", "--registry", "y"], "needs no server"),
        (["--tool", "prefect", "--keep"], "these options are for a run"),
    ],
)
def test_the_command_refuses_before_anything_starts(words, told):
    done = CliRunner().invoke(app, ["bench", "ci", *words])
    assert done.exit_code == 1
    assert told in done.stderr
