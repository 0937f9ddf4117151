"""Airflow's services in containers: parity, then faults in the middle of a retraining."""

import httpx
import pytest

from tests.stacks import faults
from tests.stacks.under_test import retrain


def test_it_agrees_with_plain_bit_for_bit(stack, plain_march):
    ended = retrain(stack, "2013-03")
    assert ended.code == 0, ended.told
    assert {name: ended.retraining[name] for name in plain_march} == plain_march
    assert ended.result["stack"] == "compose"


def test_its_ui_is_served(stack):
    page = httpx.get(stack.up.url, follow_redirects=True)
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]


def test_nobody_gets_in_without_the_password(stack):
    assert httpx.get(f"{stack.up.url}/api/v2/dags").status_code == 401
    token = {"url": f"{stack.up.url}/auth/token"}
    assert httpx.post(**token, json={"username": "admin", "password": "admin"}).status_code == 401
    assert httpx.post(**token, json={"username": "admin", "password": stack.up.password}).status_code == 201


@pytest.mark.parametrize(
    ("fault", "name", "month", "promoted"),
    [
        (faults.killed("postgres"), "database killed", "2013-05", True),
        (faults.killed("airflow-scheduler"), "scheduler killed, its workers with it", "2013-06", True),
        (faults.mlflow_down, "MLflow down for 20 s", "2013-07", False),
        (faults.reboot, "reboot", "2013-08", False),
    ],
)
def test_a_fault_loses_nothing(stack, fault, name, month, promoted, record):
    faults.survive(stack, fault, name, month, promoted, record)
