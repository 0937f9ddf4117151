"""The arms against a small HTTP server that answers as the real ones did, and falls silent when it is told to."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks import stores
from benchmarks.arms import ArmFailed
from benchmarks.places import ArmName
from benchmarks.retraining import make_configs
from benchmarks.stacks import arms
from benchmarks.stacks.deployed import Deployed
from benchmarks.stacks.rest import Refused, Silent
from benchmarks.stacks.settings import StackSettings

ANSWERS = Path(__file__).parent / "answers"
ID = "90b68c6a"


class Recorded(BaseHTTPRequestHandler):
    """A Prefect server: `answers` is what it says of the run, one look after the other; `status` breaks it."""

    answers: list
    status = 200
    asked: list

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).asked.append((self.command, self.path, json.loads(body or "null")))
        status, answer = self.status, self._answer()
        if self.headers.get("Authorization") != "Basic YWRtaW46c2VjcmV0":  # admin:secret
            status = 401
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def _answer(self):
        match self.path.split("/")[2:]:
            case ["health"]:
                return True
            case ["deployments", *_] | ["flow_runs", _, "set_state"]:
                return {"id": ID}
            case ["work_pools", *_]:
                return [{"status": "ONLINE"}]
            case ["flow_runs", _]:
                return self.answers[0]["run"]
            case ["task_runs", "filter"]:
                return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])["tasks"]
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """Its class, to be told what to say; polling as fast as a test wants it."""

    class Server(Recorded):
        answers = json.loads((ANSWERS / "prefect-rejected.json").read_text())
        asked: list = []  # noqa: RUF012

    monkeypatch.setattr(arms, "POLL_S", 0.01)
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        Server.address = f"http://127.0.0.1:{http.server_port}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield Server
        http.shutdown()


def make(server, tmp_path, secret="admin:secret"):
    places = StackSettings(
        ArmName.PREFECT, "none-prefect", tmp_path, server.address, f"sqlite:///{tmp_path}/m.db", secret
    )
    arm = arms.make_arm(tmp_path, places)
    arm._image = Deployed("unknown")
    return arm, make_configs(["2013-04"], tmp_path, {"tracking_uri": places.tracking_uri})


def test_a_run_is_triggered_once_and_followed_to_its_end(server, tmp_path):
    arm, configs = make(server, tmp_path)
    events = list(arm.retrain(configs))
    assert events[0]["state"] == "warning"
    assert "the stack runs commit unknown" in events[0]["text"]
    assert (events[-1]["step"], events[-1]["state"]) == ("retrain", "finished")
    assert events[-1]["seconds"] > 0
    assert {"ingest", "validate", "train", "evaluate"} < {event["step"] for event in events}
    [(_, _, sent)] = [asked for asked in server.asked if asked[1].endswith("create_flow_run")]
    assert sent["idempotency_key"] == configs[0].request_id
    config = sent["parameters"]["config"]
    assert config["month"] == "2013-04"
    assert not {"state", "tracking_uri", "artifact_location", "events", "data_repo"} & set(config)


def test_a_server_that_falls_silent_is_waited_for(server, tmp_path):
    arm, configs = make(server, tmp_path)
    events = []
    for event in arm.retrain(configs):
        events.append(event)
        if event["step"] == "ingest" and event["state"] == "started":
            server.status = 503
            threading.Timer(0.2, setattr, (server, "status", 200)).start()
    texts = [event["text"] for event in events if event["state"] == "waiting"]
    assert "prefect does not answer: HTTP 503: waiting up to 180 s" in texts
    assert events[-1]["state"] == "finished"


def test_a_server_that_stays_silent_is_given_up_and_its_run_is_named(server, tmp_path, monkeypatch):
    monkeypatch.setattr(arms, "SILENCE_S", 0.1)
    arm, configs = make(server, tmp_path)
    events = arm.retrain(configs)
    while next(events)["step"] != "ingest":
        pass
    server.status = 500
    with pytest.raises(ArmFailed, match="prefect does not answer: HTTP 500") as failed:
        list(events)
    assert failed.value.where == f"{server.address}/runs/flow-run/{ID}"
    assert "./bakeoff logs prefect" in failed.value.fix
    server.asked.clear()
    arm.stop()
    assert not server.asked, "what does not answer is not asked to cancel"


def test_ctrl_c_cancels_the_run_on_the_server(server, tmp_path):
    arm, configs = make(server, tmp_path)
    for event in arm.retrain(configs):
        if event["step"] == "ingest":
            break
    start = time.perf_counter()
    arm.stop()
    assert time.perf_counter() - start < 2
    assert server.asked[-1] == ("POST", f"/api/flow_runs/{ID}/set_state", {"state": {"type": "CANCELLING"}})
    assert "the run is cancelled, the stack is still up" in arm.stopped


def test_a_run_that_cannot_be_cancelled_is_named(server, tmp_path):
    arm, configs = make(server, tmp_path)
    for event in arm.retrain(configs):
        if event["step"] == "ingest":
            break
    server.status = 500
    arm.stop()
    assert f"may go on: {server.address}/runs/flow-run/{ID}" in arm.stopped


def test_the_cause_of_a_failure_comes_with_the_runs_page_and_the_next_step(server, tmp_path):
    """MLflow knows nothing of this run, so the tool's own words are taken."""
    server.answers = json.loads((ANSWERS / "prefect-failed.json").read_text())
    arm, configs = make(server, tmp_path)
    stores.create(configs[0])
    with pytest.raises(arms.RunFailed) as failed:
        list(arm.retrain(configs))
    assert failed.value.what.startswith("validate failed: the data contract is broken: a month must have between")
    assert failed.value.what.endswith("(data/flights/2013-01.parquet)")
    assert failed.value.where == f"{server.address}/runs/flow-run/{ID}"
    assert failed.value.fix.startswith("correct the file at its source")


def test_a_wrong_password_is_told_before_anything_starts(server, tmp_path):
    arm, _ = make(server, tmp_path, secret="admin:wrong")
    with pytest.raises(Refused, match="refuses the password of the env file"):
        arm.prepare()


def test_a_stack_that_is_down_is_told_before_anything_starts(server, tmp_path):
    server.address = "http://127.0.0.1:1"
    arm, _ = make(server, tmp_path)
    with pytest.raises(Silent, match=r"\./bakeoff up prefect"):
        arm.prepare()


@pytest.mark.parametrize(
    ("cause", "what", "fix"),
    [
        ("DataError: bad (where: a file). What to do: mend it", "bad (a file)", "mend it"),
        ("shared.errors.DataError: bad (where: a file). What to do: mend it", "bad (a file)", "mend it"),
        ("a: b (where: a file). What to do: mend it", "a: b (a file)", "mend it"),
        ("MemoryError: ", "MemoryError: ", ""),
    ],
)
def test_causes_are_taken_apart(cause, what, fix):
    assert arms.split(cause) == (what, fix)
