"""Airflow's public REST API (v2), as the harness needs it: deployed and healthy, trigger, look, cause, cancel."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote

from benchmarks.stacks.follow import Attempt, Look, State, seconds
from benchmarks.stacks.rest import Refused, Rest, Silent
from shared.config import RetrainConfig
from shared.errors import BakeoffError

UP = "./bakeoff up airflow"
_DAG = "/api/v2/dags/retrain"
_RUN: dict[str, State] = {"queued": "waiting", "running": "running", "success": "finished", "failed": "failed"}
#: Task states; whatever else Airflow says is waiting for something.
_TASK: dict[str, State] = {
    "running": "running",
    "restarting": "running",
    "deferred": "running",
    "success": "finished",
    "failed": "failed",
    "up_for_retry": "failed",  # this try has failed; the next one is another attempt
}


class AirflowApi:
    """The DAG `retrain` of one Airflow.

    Args:
        address: of the api-server.
        login: user and password.
    """

    def __init__(self, address: str, login: tuple[str, str]) -> None:
        self.address, self._login = address, login
        self.rest = Rest("airflow", address, up=UP)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        """Call the API with a new token when there is none or the old one is no longer taken."""
        if "Authorization" in self.rest.client.headers:
            try:
                return self.rest.ask(method, path, **more)
            except Refused as refused:
                if refused.status not in (401, 403):  # 403 is what it says of a token that it did not make
                    raise
                del self.rest.client.headers["Authorization"]
        user, password = self._login
        token = self.rest.ask("POST", "/auth/token", json={"username": user, "password": password})
        self.rest.client.headers["Authorization"] = f"Bearer {token['access_token']}"
        return self.rest.ask(method, path, **more)

    def check(self) -> None:
        """See that the services are healthy and the DAG is parsed; unpause it.

        Raises:
            Silent, Refused
        """
        parts = self.rest.ask("GET", "/api/v2/monitor/health")
        if ill := unhealthy(parts):
            raise Silent(
                f"airflow is not healthy: {', '.join(ill)}",
                where=f"{self.address}/api/v2/monitor/health",
                fix=f"`{UP}` waits until it is; `./bakeoff logs airflow` says why it is not",
            )
        try:
            self._ask("GET", _DAG)
        except Refused as refused:
            if refused.status != 404:
                raise
            broken = self._ask("GET", "/api/v2/importErrors")["import_errors"]
            cause = broken[0]["stack_trace"].strip().splitlines()[-1] if broken else "its file is not parsed yet"
            raise Refused(
                f"airflow knows no DAG retrain: {cause}",
                where=f"{self.address}/dags",
                fix=f"correct airflow_impl/dags/retrain.py, then `{UP}`; a new file may take half a minute",
            ) from refused
        self._ask("PATCH", _DAG, json={"is_paused": False})

    def trigger(self, config: RetrainConfig, request: dict[str, Any]) -> str:
        """Start a DAG run, and give its id. Called twice for one config it starts one run: we choose the id."""
        settings = {name: value for name, value in request.items() if name != "month"}
        run = f"bakeoff__{config.request_id}"
        body = {"dag_run_id": run, "logical_date": None, "conf": {"month": config.month, "settings": settings}}
        try:
            self._ask("POST", f"{_DAG}/dagRuns", json=body)
        except Refused as refused:
            if refused.status != 409:  # it is there: the answer to an earlier call was lost
                raise
        return run

    def look(self, run: str, config: RetrainConfig) -> Look:
        """The run and its tasks now."""
        path = f"{_DAG}/dagRuns/{quote(run)}"
        found = self._ask("GET", path)  # first, so that no last state of a task is missed
        tasks = self._ask("GET", f"{path}/taskInstances?limit=100")["task_instances"]
        return look_of(found, tasks, [candidate.title for candidate in config.all_candidates])

    def cause(self, run: str, attempt: Attempt) -> str:
        """Why a task has failed, from its log, or from the scheduler when the task wrote none; '' when neither says."""
        task = attempt.task
        path = f"{_DAG}/dagRuns/{quote(run)}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        query: dict[str, Any] = {"full_content": "true", "map_index": task["map_index"]}
        with contextlib.suppress(BakeoffError, KeyError):  # its worker may be gone, and the log with it
            answer = self._ask("GET", path, params=query, headers={"Accept": "application/json"})
            if error := error_of(answer["content"]):
                return error
        query = {"dag_id": "retrain", "run_id": run, "task_id": task["task_id"], "order_by": "-when", "limit": 20}
        return event_of(self._ask("GET", "/api/v2/eventLogs", params=query)["event_logs"])

    def cancel(self, run: str) -> None:
        """End a run as failed; its running tasks are ended by their supervisors."""
        self._ask("PATCH", f"{_DAG}/dagRuns/{quote(run)}", json={"state": "failed"})

    def page(self, run: str) -> str:
        """Where a person sees the run."""
        return f"{self.address}/dags/retrain/runs/{quote(run)}"


def unhealthy(parts: dict[str, Any]) -> list[str]:
    """The parts of Airflow that are not healthy; the answer's status code and Docker's health check say less."""
    needed = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    states = {part: (parts.get(part) or {}).get("status") for part in needed}
    return [f"{part} {state or 'unknown'}" for part, state in states.items() if state != "healthy"]


def look_of(run: dict[str, Any], tasks: list[dict[str, Any]], candidates: list[str]) -> Look:
    """Read the API's answers.

    Args:
        run: of GET dagRuns/{id}.
        tasks: of GET dagRuns/{id}/taskInstances.
        candidates: names by map index: Airflow renders the name of a mapped task only when it has ended.
    """
    attempts = [_attempt(task, candidates) for task in tasks]
    return Look(_RUN.get(run["state"], "waiting"), run["state"], attempts, run.get("note") or "")


def _attempt(task: dict[str, Any], candidates: list[str]) -> Attempt:
    index, label = task["map_index"], task.get("rendered_map_index") or ""
    if index >= 0 and (not label or label.isdecimal()) and index < len(candidates):
        label = candidates[index]
    return Attempt(
        id=f"{task['task_id']}[{index}] {task['try_number']}",
        step=task["task_id"],
        label="" if index < 0 else label,
        state=_TASK.get(task["state"] or "", "waiting"),
        started=seconds(task["start_date"]),
        ended=seconds(task["end_date"]),
        task={name: task[name] for name in ("task_id", "map_index", "try_number")},
        error="airflow says failed; its log has the cause",
    )


def error_of(lines: list[Any]) -> str:
    """The raised error in a task's log: the last one that has a type and a value, else the last line of an error."""
    last = ""
    for line in reversed(lines):
        if not isinstance(line, dict):
            continue
        for detail in line.get("error_detail") or []:
            if detail.get("exc_value"):
                return f"{detail['exc_type']}: {detail['exc_value']}"
        if not last and line.get("level") in ("error", "critical"):
            last = str(line.get("event", ""))
    return last


def event_of(events: list[dict[str, Any]]) -> str:
    """What the scheduler noted of a task that it failed itself, such as one whose process never came up."""
    for event in events:  # newest first
        text = event["extra"] or ""
        if text and not text.startswith("{"):  # what people and tasks do is noted as JSON
            return f"{event['event']}: {text.partition(' Learn more')[0]}"
    return ""
