"""The real files against the published schemas, and a linter of workflows; both offline."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ci.pipelines import Part, System
from benchmarks.places import ROOT
from tests.benchmarks.ci.conftest import ALL, FILES

GITHUB = [FILES[part, System.GITHUB] for part in Part]
GITLAB = [path for path in ALL if path not in GITHUB]


def run(name, *words):
    """Run a program of this environment."""
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    assert found, f"{name} is missing: run `./bakeoff setup plain --test`"
    return subprocess.run([found, *words], cwd=ROOT, capture_output=True, text=True)


def schema(system, *paths):
    # Both come with check-jsonschema, so that nothing is fetched.
    more = ["--data-transform", "gitlab-ci"] if system == "gitlab-ci" else []
    return run("check-jsonschema", "--builtin-schema", f"vendor.{system}", *more, *map(str, paths))


def lint(*paths):
    # Without shellcheck and pyflakes, which one machine has and another has not.
    return run("jactionlint", "--shellcheck=", "--pyflakes=", *map(str, paths))


@pytest.mark.parametrize(("system", "paths"), [("github-workflows", GITHUB), ("gitlab-ci", GITLAB)])
def test_the_files_are_as_the_schema_asks(system, paths):
    done = schema(system, *paths)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ("github-workflows", "on: push\njobs: {a: {runs-on: x, step: []}}\n"),
        ("gitlab-ci", "a: {script: make, need: [b]}\n"),
    ],
)
def test_a_wrong_key_is_noticed(tmp_path, system, text):
    path = tmp_path / "wrong.yml"
    path.write_text(text)
    assert schema(system, path).returncode == 1


def test_the_linter_of_workflows_has_nothing_to_say():
    done = lint(*GITHUB)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_notices_what_no_schema_knows(tmp_path):
    path = tmp_path / ".github" / "workflows" / "wrong.yml"
    path.parent.mkdir(parents=True)
    right = (ROOT / GITHUB[1]).read_text()
    path.write_text(right.replace("needs: test", "needs: nothing"))
    done = lint(path)
    assert done.returncode == 1
    assert "nothing" in done.stdout
