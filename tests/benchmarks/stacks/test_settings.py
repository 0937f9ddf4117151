from __future__ import annotations

import pytest

from benchmarks import stores
from benchmarks.places import ArmName, Stack
from benchmarks.stacks import env_file, registry
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.settings import data_version, settings
from shared.errors import ConfigError


@pytest.fixture
def path(tmp_path):
    env_file.make(tmp_path / "env")
    return tmp_path / "env"


def test_each_tool_has_its_own_stack(path):
    airflow, prefect = settings(ArmName.AIRFLOW, path), settings(ArmName.PREFECT, path)
    assert (airflow.compose.project, prefect.compose.project) == ("bakeoff-airflow", "bakeoff-prefect")
    assert len({airflow.address, airflow.tracking_uri, prefect.address, prefect.tracking_uri}) == 4
    assert airflow.login[0] == prefect.login[0] == "admin"
    assert airflow.login[1] != prefect.login[1]


def test_its_store_is_asked_by_every_command_about_the_model(path, tmp_path):
    config = stores.existing(ArmName.AIRFLOW, tmp_path, stack=Stack.COMPOSE, env_file=path)
    assert config.tracking_uri == settings(ArmName.AIRFLOW, path).tracking_uri
    assert config.artifact_location is None


def test_a_stack_that_was_never_started_is_told(tmp_path):
    with pytest.raises(StackError, match=r"\./bakeoff up airflow"):
        settings(ArmName.AIRFLOW, tmp_path / "none")


def test_a_checkout_that_has_published_no_data_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"\./bakeoff up airflow"):
        data_version()


@pytest.mark.parametrize("name", [ArmName.PLAIN, ArmName.KUBEFLOW])
def test_an_arm_without_a_stack_is_told(name):
    with pytest.raises(ConfigError, match=f"no compose stack of {name}"):
        settings(name)
