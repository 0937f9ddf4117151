from __future__ import annotations

import pytest

from benchmarks import stores
from benchmarks.places import ArmName, Stack
from benchmarks.stacks.settings import settings
from shared.errors import ConfigError

WHOLE = """STACK=wt
AIRFLOW_PORT=1
AIRFLOW_MLFLOW_PORT=2
AIRFLOW_ADMIN_PASSWORD=a$b
PREFECT_PORT=3
PREFECT_MLFLOW_PORT=4
PREFECT_AUTH_STRING=admin:c
"""


def test_each_tool_has_its_own_stack(tmp_path):
    path = tmp_path / "env"
    path.write_text(WHOLE)
    airflow, prefect = settings(ArmName.AIRFLOW, path), settings(ArmName.PREFECT, path)
    assert (airflow.project, airflow.address, airflow.tracking_uri) == (
        *("wt-airflow", "http://127.0.0.1:1"),
        "http://127.0.0.1:2",
    )
    assert (prefect.project, prefect.secret) == ("wt-prefect", "admin:c")


def test_its_store_is_asked_by_every_command_about_the_model(tmp_path):
    path = tmp_path / "env"
    path.write_text(WHOLE)
    config = stores.existing(ArmName.AIRFLOW, tmp_path, stack=Stack.COMPOSE, env_file=path)
    assert config.tracking_uri == "http://127.0.0.1:2"
    assert config.artifact_location is None


def test_a_stack_that_was_never_started_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"\./bakeoff up airflow"):
        settings(ArmName.AIRFLOW, tmp_path / "none")


def test_a_missing_value_is_named(tmp_path):
    path = tmp_path / "env"
    path.write_text(WHOLE.replace("PREFECT_AUTH_STRING=admin:c", "PREFECT_AUTH_STRING="))
    assert settings(ArmName.AIRFLOW, path).project == "wt-airflow"
    with pytest.raises(ConfigError, match="no value for PREFECT_AUTH_STRING"):
        settings(ArmName.PREFECT, path)


@pytest.mark.parametrize("name", [ArmName.PLAIN, ArmName.KUBEFLOW])
def test_an_arm_without_a_stack_is_told(name):
    with pytest.raises(ConfigError, match=f"no compose stack of {name}"):
        settings(name)
