"""A fake server for each test (see `fake_kfp.py`), and what names it."""

from __future__ import annotations

import pytest

from benchmarks.kubeflow import server as servers
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp


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
