"""What the tests share: a kubectl that renders, targets with folders of their own, executables that fail on purpose."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.kind import settings
from benchmarks.kind.settings import FORWARDS, Target


@pytest.fixture(scope="session")
def kubectl() -> str:
    """The kubectl of the test tools, beside the interpreter, or else the machine's."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl: `./bakeoff setup plain --test` installs one")
    return found


@pytest.fixture
def with_kubectl(kubectl: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That kubectl is the one which the harness finds."""
    monkeypatch.setenv("PATH", f"{Path(kubectl).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A Kind cluster's target whose folder is the test's own."""
    monkeypatch.setattr(settings, "STATE", tmp_path / "state")
    ports = {each.variable: each.port for each in FORWARDS}
    return Target("test", ports, tmp_path / ".env", "kind-test-kubeflow", None, "test-kubeflow")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put an executable on PATH, for what the harness does when the real one misbehaves."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make
