"""Airflow's stack, up once for all tests of this folder, and what they share."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

import pytest

from benchmarks.stacks.stack import Tool
from tests.stacks.airflow.calls import Airflow, listening
from tests.stacks.under_test import bring_up, take_down


@pytest.fixture(scope="session")
def stack(env_path):
    """The stack, from nothing."""
    yield bring_up(Tool.AIRFLOW, env_path)
    take_down(Tool.AIRFLOW, env_path)


@pytest.fixture(scope="session")
def airflow(stack):
    """Its Airflow, by the public API."""
    return Airflow(stack)


@pytest.fixture(scope="session")
def alerts(airflow):
    """What a webhook has been told: the texts."""
    told: list[str] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with listening(airflow.stack, Webhook) as address:
        airflow.connect("alerts", address)
        yield told
