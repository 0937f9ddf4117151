"""Airflow's stack, up once for all tests of this folder."""

from __future__ import annotations

import pytest

from benchmarks.stacks.stack import Tool
from tests.stacks.under_test import bring_up, take_down


@pytest.fixture(scope="session")
def stack(env_path):
    """The stack, from nothing."""
    yield bring_up(Tool.AIRFLOW, env_path)
    take_down(Tool.AIRFLOW, env_path)
