"""A fake server (see `fake_kfp.py`) for those who want one; a skip for those who want an engine where none answers."""

from __future__ import annotations

import pytest

from benchmarks.kubeflow import server as servers
from benchmarks.stacks import engine
from benchmarks.stacks.engine import StackError
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp


@pytest.fixture(scope="session")
def docker() -> str:
    try:
        engine.info()
    except StackError as error:
        pytest.skip(error.what)
    return engine.find_docker()


@pytest.fixture
def fake():
    with FakeKfp() as running:
        yield running


@pytest.fixture
def make_server(monkeypatch):
    """A server's description; no token and no keys unless a test gives them."""
    for name in ("BAKEOFF_KFP_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)

    def make(host, mlflow="http://127.0.0.1:1", **more):
        return servers.make(host=host, mlflow=mlflow, image="registry.example/team/bakeoff-kubeflow:abc", **more)

    return make
