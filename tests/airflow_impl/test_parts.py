"""What the DAGs are made of: connections, alerts, approval, and Kubeflow by its API."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from airflow_impl import approval, connections, kfp
from airflow_impl.webhook import Webhook


@pytest.fixture
def define(monkeypatch):
    """Define a connection, as the stack's file does."""

    def define(name, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "http", **fields}))

    return define


@pytest.fixture
def server():
    """A server that keeps what is posted, and answers what it is told to."""
    kept, answers = [], {}

    class Handler(BaseHTTPRequestHandler):
        def _serve(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept.append((self.command, self.path.partition("?")[0], json.loads(body or "null"), dict(self.headers)))
            status, answer = answers.get(kept[-1][:2], (200, {}))
            sent = json.dumps(answer() if callable(answer) else answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _serve

        def log_message(self, *_):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield SimpleNamespace(address=f"http://127.0.0.1:{http.server_port}", kept=kept, answers=answers)
    http.shutdown()
    http.server_close()


def test_a_task_logs_in_to_mlflow_by_the_connection_and_without_one_not_at_all(define, monkeypatch):
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # put back at the end
        monkeypatch.delenv(name)
    connections.mlflow_login({})
    assert "MLFLOW_TRACKING_USERNAME" not in os.environ
    define("mlflow", login="bakeoff", password="of-this-test")
    connections.mlflow_login({})
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "bakeoff"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "of-this-test"


def test_an_alert_is_a_rendered_line_of_text(define, server):
    define("alerts", host=f"{server.address}/hook")
    Webhook("{{ run_id }} failed")({"run_id": "one"})
    [(method, path, told, _)] = server.kept
    assert (method, path, told) == ("POST", "/hook", {"text": "one failed"})


def test_an_alert_that_nobody_takes_fails_nothing(define, server, caplog):
    Webhook("no connection")({})
    define("alerts", host="http://127.0.0.1:9/closed")
    Webhook("no server")({})
    server.answers["POST", "/hook"] = (500, {})
    define("alerts", host=f"{server.address}/hook")
    Webhook("an error")({})
    assert [record.message.partition(":")[0] for record in caplog.records].count("the alert was not delivered") == 2


@pytest.mark.parametrize(
    ("option", "person", "by", "way"),
    [("Approve", {"id": "1", "name": "Ada"}, "Ada", "register"), ("Refuse", None, "nobody in time", "refuse")],
)
def test_whoever_answered_is_kept_and_the_road_chosen(dag, monkeypatch, option, person, by, way):
    kept, roads = {}, []
    monkeypatch.setattr(
        approval.Approve, "do_branch", lambda self, context, branches_to_execute: roads.extend(branches_to_execute)
    )
    event = {"chosen_options": [option], "params_input": {}, "responded_by_user": person}
    event["responded_at"] = SimpleNamespace(isoformat=lambda: "")
    dag.get_task("approve").execute_complete({"ti": SimpleNamespace(xcom_push=kept.__setitem__)}, event)
    assert (kept, roads) == ({"by": by}, [way])


def test_the_run_says_how_long_a_person_has(dag, monkeypatch):
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **_: None)
    operator = dag.get_task("approve")
    monkeypatch.setattr(operator, "notifiers", [])
    with pytest.raises(TaskAwaitingInput) as waits:
        operator.execute({"params": {"approval_hours": 0.5}, "task_instance": SimpleNamespace(id="")})
    assert waits.value.timeout.total_seconds() == 1800


API = "/apis/v2beta1"


def submitted(server):
    return [body for method, path, body, _ in server.kept if (method, path) == ("POST", f"{API}/runs")]


@pytest.fixture
def operator(define, server):
    define("kubeflow", host=server.address, password="token-of-this-test")
    found = {"pipeline_versions": [{"pipeline_version_id": "v1"}]}
    server.answers.update({
        ("GET", f"{API}/experiments"): (200, {"experiments": [{"experiment_id": "e"}]}),
        ("GET", f"{API}/pipelines/names/retrain"): (200, {"pipeline_id": "p"}),
        ("GET", f"{API}/pipelines/p/versions"): (200, found),
        ("POST", f"{API}/runs"): (200, {"run_id": "r"}),
    })  # fmt: skip
    return kfp.KfpRun(task_id="train", pipeline="retrain", arguments={"month": "2013-03"}, name="mine")


def test_a_run_of_the_newest_version_is_submitted_and_waited_for(operator, server, monkeypatch):
    waits = {}
    monkeypatch.setattr(kfp.KfpRun, "defer", lambda self, **how: waits.update(how))
    operator.execute({})
    [job] = submitted(server)
    assert job["pipeline_version_reference"] == {"pipeline_id": "p", "pipeline_version_id": "v1"}
    assert job["runtime_config"] == {"parameters": {"month": "2013-03"}}
    assert server.kept[0][3]["Authorization"] == "Bearer token-of-this-test"
    path, arguments = waits["trigger"].serialize()
    assert path == "airflow_impl.kfp.KfpEnd"
    assert arguments == {"conn_id": "kubeflow", "run": "r", "every_s": 5.0}  # no token


def test_a_second_try_finds_the_run_of_the_first(operator, server, monkeypatch):
    monkeypatch.setattr(kfp.KfpRun, "defer", lambda self, **how: None)
    server.answers["GET", f"{API}/runs"] = (200, {"runs": [{"run_id": "r", "display_name": "mine"}]})
    operator.execute({})
    assert submitted(server) == []


def test_the_trigger_asks_until_the_run_is_over(operator, server):
    states = iter(["PENDING", "RUNNING", "FAILED"])
    server.answers["GET", f"{API}/runs/r"] = (200, lambda: {"state": next(states)})

    async def first():
        return await anext(kfp.KfpEnd("kubeflow", "r", every_s=0.01).run())

    event = asyncio.run(first()).payload
    assert event == {"run": "r", "state": "FAILED"}
    with pytest.raises(AirflowFailException, match="r ended as FAILED"):
        operator.ended({}, event)
    assert operator.ended({}, event | {"state": "SUCCEEDED"})["state"] == "SUCCEEDED"
