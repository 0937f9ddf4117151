"""What a CI job asks of Airflow after its push, with a stand-in of the API."""

from __future__ import annotations

import json

import httpx
import pytest

from airflow_impl import ci

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RUN = "ci__0123456789ab"


@pytest.fixture
def airflow(monkeypatch):
    """An api-server that knows the commit at its second answer, and whose run ends at its second."""
    monkeypatch.setattr(ci.time, "sleep", lambda _: None)

    class Airflow:
        end = "success"
        there = False

        def __init__(self):
            self.asked = []
            self.versions = iter(["before", COMMIT])
            self.states = iter(["running", self.end])

        def answer(self, request):
            path = request.url.path.removeprefix("/api/v2/dags/retrain")
            body = json.loads(request.content) if request.content else None
            self.asked.append((request.method, path, body))
            if request.method == "POST":
                return httpx.Response(409 if self.there else 200, json={})
            if path:
                return httpx.Response(200, json={"state": next(self.states, self.end)})
            return httpx.Response(200, json={"bundle_version": next(self.versions, COMMIT)})

    return Airflow()


def run(airflow, *more):
    with httpx.Client(transport=httpx.MockTransport(airflow.answer), base_url="http://airflow") as client:
        return ci.deploy_and_run(client, "retrain", COMMIT, *more)


def test_the_run_starts_when_airflow_has_the_commit_and_has_the_params(airflow):
    assert run(airflow, '{"month": "2013-03"}') == "success"
    started = {"dag_run_id": RUN, "logical_date": None, "conf": {"month": "2013-03"}}
    assert airflow.asked == [
        ("GET", "", None),
        ("GET", "", None),
        ("PATCH", "", {"is_paused": False}),
        ("POST", "/dagRuns", started),
        ("GET", f"/dagRuns/{RUN}", None),
        ("GET", f"/dagRuns/{RUN}", None),
    ]


def test_without_params_there_are_none(airflow):
    run(airflow)
    assert airflow.asked[3][2]["conf"] == {}


def test_a_job_that_is_run_again_follows_the_run_that_is_there(airflow):
    airflow.there = True
    assert run(airflow) == "success"


def test_another_job_has_a_run_of_its_own(airflow):
    run(airflow, "{}", "7.2")
    assert airflow.asked[3][2]["dag_run_id"] == f"{RUN}__7.2"


def test_a_failed_run_is_told(airflow):
    airflow.end = "failed"
    airflow.states = iter(["failed"])
    assert run(airflow) == "failed"


def test_a_commit_that_airflow_never_gets_ends_the_job(airflow, monkeypatch):
    monkeypatch.setattr(ci, "PATIENCE_S", -1)
    airflow.versions = iter([])
    airflow.answer = lambda _: httpx.Response(404, json={})
    with pytest.raises(SystemExit, match="gave up waiting for Airflow to know retrain as of"):
        run(airflow)
