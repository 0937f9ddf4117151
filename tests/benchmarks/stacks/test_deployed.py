from __future__ import annotations

import subprocess

import pytest

from benchmarks.places import ArmName
from benchmarks.stacks import deployed
from benchmarks.stacks.deployed import Deployed
from benchmarks.stacks.engine import Compose


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one file that goes into an image and one that does not, and its commit."""

    def git(*arguments):
        author = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *author, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    for name in ("shared", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.txt").write_text("first")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    monkeypatch.setattr(deployed, "ROOT", tmp_path)
    return tmp_path, Deployed(git("rev-parse", "HEAD"))


def test_the_same_code_is_nothing_to_tell(checkout):
    root, image = checkout
    assert deployed.difference(image, ArmName.AIRFLOW) == ""
    (root / "docs" / "file.txt").write_text("second")
    assert deployed.difference(image, ArmName.AIRFLOW) == "", "documents are in no image"


def test_changed_code_is_told(checkout):
    root, image = checkout
    (root / "shared" / "file.txt").write_text("second")
    told = deployed.difference(image, ArmName.AIRFLOW)
    assert told.startswith(f"what has changed since commit {image.revision[:12]} may not be deployed (shared/file.txt)")
    assert "`./bakeoff up airflow`" in told


@pytest.mark.parametrize("revision", ["", "unknown", "b" * 40])
def test_code_of_another_checkout_is_told(checkout, revision):
    assert "of another checkout" in deployed.difference(Deployed(revision), ArmName.PREFECT)


def test_a_container_that_cannot_be_asked_costs_no_retraining(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no docker here
    found = deployed.ask(Compose("none-prefect", tmp_path / "env", ()), "prefect-worker", ["prefect"])
    assert "docker" in found.error
    assert "is not known" in deployed.difference(found, ArmName.PREFECT)
