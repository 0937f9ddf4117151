"""The commands, as a person types them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.places import ROOT


def bakeoff(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "bakeoff", *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "prefect", "--context", "x"), "these options are for a cluster"),
        (("status", "airflow", "--context", "x"), "these options are for a cluster"),
        (("logs", "airflow", "--kubeconfig", "x"), "these options are for a cluster"),
        (("up", "kubeflow", "--celery"), "kubeflow has no such workers"),
        (("up", "kubeflow", "--kubeconfig", "/x"), "which of its clusters is not said"),
        (("up", "kubeflow", "--image", "a:1"), "this option is for a cluster that is there already"),
        (
            ("up", "kubeflow", "--context", "x"),
            "a cluster that is there already cannot get images of this machine (where: --image)",
        ),
    ],
)
def test_options_that_make_no_sense_are_told(arguments, said):
    done = bakeoff(*arguments)
    assert done.returncode == 1
    assert f"error: {said}" in done.stderr.replace("\n", " ")
    assert done.stdout == ""


@pytest.mark.parametrize("command", [("bench", "stacks", "kubeflow"), ("screenshots", "kubeflow")])
def test_what_is_for_the_stacks_of_containers_only(command):
    done = bakeoff(*command)
    assert done.returncode == 2
    assert "'kubeflow' is not one of 'airflow', 'prefect'" in " ".join(done.stderr.replace("│", "").split())


def test_a_context_that_nobody_knows(with_kubectl):
    done = bakeoff("status", "kubeflow", "--context", "nobody-knows-this")
    assert done.returncode == 1
    assert "nobody-knows-this" in done.stderr
    assert "kubectl config get-contexts" in done.stderr


def test_doctor_tells_of_kind_and_kubectl_but_only_kubeflow_needs_them(fake, with_kubectl, tmp_path: Path):
    fake("kind", "echo kind v0.20.0 go1.20")
    checks = {each["name"]: each for each in json.loads(bakeoff("doctor", "--json").stdout)["checks"]}
    assert checks["kind"]["ok"]
    assert "too old" in checks["kind"]["found"]
    assert checks["kubectl"]["found"].endswith("(only Kubeflow needs it)")
    done = bakeoff("doctor", "kubeflow", "--json")
    assert done.returncode == 1
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert not checks["kind"]["ok"]
    assert "https://" in checks["kind"]["fix"]
    assert checks["kubectl"]["ok"]
