"""Airflow with Celery, on top of the same volumes. The last of this folder: the stack stays with Celery."""

from benchmarks.stacks.stack import Tool
from tests.stacks import faults
from tests.stacks.under_test import StackUnderTest


def test_celery_runs_it_on_two_workers_and_survives_the_loss_of_one(stack, env_path, record):
    celery = StackUnderTest(Tool.AIRFLOW, env_path, celery=True)
    assert celery.promotions() == stack.promotions()
    faults.survive(celery, faults.killed("airflow-worker-1"), "Celery worker killed", "2013-09", False, record)
