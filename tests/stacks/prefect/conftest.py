"""What the tests of Prefect's capabilities share."""

from __future__ import annotations

import pytest

from tests.stacks.prefect.client import Server


@pytest.fixture(scope="session")
def server(stack):
    """Prefect's server."""
    return Server(stack)
