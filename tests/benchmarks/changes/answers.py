"""Airflow's and Prefect's answers, in the shape that the real servers give them, over real HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOW = "2026-01-01T12:00:00.000000Z"


class Answers:
    """A server; `with` starts and ends it.

    Args:
        port: where it listens; 0 takes a free one.
        state: tells what the server knows: `version`, `cron`, and `runs`, each with its `log` and `steps`.
    """

    def __init__(self, state: Callable[[], dict[str, Any]], port: int = 0) -> None:
        self.state, self.port = state, port

    def __enter__(self) -> Answers:
        answers = self

        class Handler(_Handler):
            about = answers

        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, body: dict[str, Any]) -> Any:
        """What a path is answered with; None: there is no such thing."""
        known = self.state()
        for pattern, found in _PATHS.items():
            if match := re.fullmatch(pattern, path):
                return found(known, body, *match.groups())
        return None


def _dag(known, body, name):
    about = {"bundle_version": known["version"] or None, "last_parsed_time": known.get("parsed", NOW)}
    return {**about, "timetable_summary": known["cron"], "next_dagrun_run_after": NOW if known["cron"] else None}


def _task(name, number=1, state="success"):
    times = {"start_date": NOW, "end_date": NOW}
    return {"task_id": name, "map_index": -1, "try_number": number, "state": state, "rendered_map_index": None, **times}


def _tasks(known, body, run):
    ended = [_task(name) for name in known["runs"][run]["steps"]]
    return {"task_instances": [*ended, _task("register", 0, "skipped")]}


def _airflow_log(known, body, run, task):
    made = known["runs"][run]
    return {"content": [{"event": line} for line in made["log"].splitlines()]} if task in made["steps"] else None


def _deployment(known, body):
    schedule = {"active": known.get("active", True), "schedule": {"cron": known["cron"], "timezone": "UTC"}}
    return {"id": "d1", "name": "retrain", "version": known["version"], "schedules": [schedule]}


def _flow_runs(known, body):
    if "SCHEDULED" in json.dumps(body):
        return [{"id": "due", "auto_scheduled": True, "expected_start_time": NOW}]
    made = [{"id": name, "auto_scheduled": False} for name in reversed(known["runs"])]
    return [{"id": "due", "auto_scheduled": True}, *made]


def _flow_run(known, body, run):
    failed = known["runs"][run].get("failed")
    return {
        "id": run,
        "state": {"type": "FAILED", "name": "Failed", "message": failed} if failed else _completed("Rejected"),
    }


def _completed(name="Completed"):
    return {"type": "COMPLETED", "name": name, "message": None, "timestamp": NOW}


def _task_runs(known, body):
    [run] = body["flow_runs"]["id"]["any_"]
    about = {"run_count": 1, "start_time": NOW, "state": _completed()}
    return [
        {"id": name, "name": f"{name}-0", "task_key": f"{name}-1a2b", **about} for name in known["runs"][run]["steps"]
    ]


def _prefect_log(known, body):
    [run] = body["logs"]["flow_run_id"]["any_"]
    lines = known["runs"][run]["log"].splitlines()
    return [{"message": line} for line in lines[body["offset"] :][: body["limit"]]]


_RUNS = "GET /api/v2/dags/retrain/dagRuns"
_PATHS: dict[str, Callable[..., Any]] = {
    "POST /auth/token": lambda known, body: {"access_token": "token"},
    r"GET /api/v2/dags/(\w+)": _dag,
    _RUNS: lambda known, body: {"dag_runs": [{"dag_run_id": name} for name in reversed(known["runs"])]},
    rf"{_RUNS}/([\w-]+)": lambda known, body, run: {"state": "success", "note": None},
    rf"{_RUNS}/([\w-]+)/taskInstances": _tasks,
    rf"{_RUNS}/([\w-]+)/taskInstances/(\w+)/logs/1": _airflow_log,
    "GET /api/deployments/name/retrain/retrain": _deployment,
    "POST /api/flow_runs/filter": _flow_runs,
    r"GET /api/flow_runs/([\w-]+)": _flow_run,
    "POST /api/task_runs/filter": _task_runs,
    "POST /api/logs/filter": _prefect_log,
}


class _Handler(BaseHTTPRequestHandler):
    about: Answers

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.about.answer(f"{self.command} {self.path.partition('?')[0]}", json.loads(raw or b"{}"))
        sent = json.dumps(found if found is not None else {"detail": "there is no such thing"}).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = _serve

    def log_message(self, *_: object) -> None:
        pass
