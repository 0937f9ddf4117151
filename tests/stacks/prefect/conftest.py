"""Prefect's stack, up once for all tests of this folder."""

from __future__ import annotations

import pytest

from benchmarks.stacks.stack import Tool
from tests.stacks.prefect.client import Server
from tests.stacks.under_test import bring_up, take_down


@pytest.fixture(scope="session")
def stack(env_path):
    """The stack, from nothing."""
    yield bring_up(Tool.PREFECT, env_path)
    take_down(Tool.PREFECT, env_path)


@pytest.fixture(scope="session")
def server(stack):
    """Prefect's server."""
    return Server(stack)
