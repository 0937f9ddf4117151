import os
import tempfile

import pytest

# Prefect reads its settings when it is first imported: results of tests do not belong among the user's own.
for name in [each for each in os.environ if each.startswith("PREFECT_")]:
    del os.environ[name]
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-test-")

from prefect.testing.utilities import prefect_test_harness  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def prefect():
    """A real Prefect API on a database of its own, as Prefect's documentation recommends for tests."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
