"""A test that asks for `docker` is skipped where no engine answers."""

from __future__ import annotations

import pytest

from benchmarks.stacks import engine
from benchmarks.stacks.engine import StackError


@pytest.fixture(scope="session")
def docker() -> str:
    try:
        engine.info()
    except StackError as error:
        pytest.skip(error.what)
    return engine.find_docker()
