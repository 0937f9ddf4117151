"""What tests that need a Docker engine share: a skip where there is none, and projects of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.places import STATE
from benchmarks.stacks import engine
from benchmarks.stacks.engine import Compose, StackError


@pytest.fixture(scope="session")
def docker() -> str:
    """The client of an engine that answers; a test that asks for it is skipped where there is none."""
    try:
        engine.info()
        engine.compose_version()
    except StackError as error:
        pytest.skip(error.what)
    return engine.find_docker()


@pytest.fixture(scope="session")
def docker_client() -> str:
    """The client; it needs no engine."""
    try:
        return engine.find_docker()
    except StackError as error:
        pytest.skip(error.what)


@pytest.fixture
def make_project(docker: str, tmp_path: Path) -> Iterator[Callable[..., Compose]]:
    """Write a compose file of a test's own; what is started of it is removed afterwards."""
    project = f"bakeoff-test-{os.getpid()}"

    def make(text: str, **values: str) -> Compose:
        (tmp_path / "project.yaml").write_text(text)
        (tmp_path / "project.env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        return Compose(project, tmp_path / "project.env", (tmp_path / "project.yaml",), frozenset(values))

    yield make
    shutil.rmtree(STATE / "stacks" / project, ignore_errors=True)
    command = [docker, "compose", "--project-name", project, "down", "--volumes", "--timeout", "1"]
    subprocess.run(command, cwd="/", capture_output=True, check=True)
