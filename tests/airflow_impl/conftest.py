from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Airflow reads its configuration when it is first imported: before any test module is.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-test-")
for name in [each for each in os.environ if each.startswith("AIRFLOW")]:
    del os.environ[name]  # the user's own Airflow is not ours to test on
os.environ.update(
    AIRFLOW_HOME=_HOME.name,
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "airflow_impl" / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="false",
    AIRFLOW__CORE__UNIT_TEST_MODE="false",
)


@pytest.fixture(scope="session")
def database():
    """A real Airflow database, as `dag.test()` needs it."""
    airflow = Path(sys.executable).parent / "airflow"
    subprocess.run([airflow, "db", "migrate"], check=True, capture_output=True)


@pytest.fixture(scope="session")
def bag():
    """All DAGs of the project, imported as the dag-processor imports them."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(ROOT / "airflow_impl" / "dags"))


@pytest.fixture
def dag(bag):
    return bag.dags["retrain"]
