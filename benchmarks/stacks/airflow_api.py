"""Airflow's public REST API (v2), as the harness needs it: trigger, look, cause, cancel, and events of its asset."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote

from benchmarks.stacks.follow import Attempt, Look, State, seconds
from benchmarks.stacks.rest import Refused, Rest, Silent
from shared.config import RetrainConfig
from shared.errors import BakeoffError

UP = "./bakeoff up airflow"
#: The DAG that the harness starts, the one that an arrival starts, and the asset whose events say that one has.
DAG, ON_ARRIVAL, ARRIVED = "retrain", "retrain_on_arrival", "flights"
_RUN: dict[str, State] = {"queued": "waiting", "running": "running", "success": "finished", "failed": "failed"}
#: Task states; whatever else Airflow says is waiting for something.
_TASK: dict[str, State] = {
    "running": "running",
    "restarting": "running",
    "deferred": "running",
    "awaiting_input": "running",  # a person has to answer
    "success": "finished",
    "failed": "failed",
    "up_for_retry": "failed",  # this try has failed; the next one is another attempt
}


class AirflowApi:
    """One DAG of one Airflow.

    Args:
        address: of the api-server.
        login: user and password.
        dag_id: of the DAG.
    """

    def __init__(self, address: str, login: tuple[str, str], dag_id: str = DAG) -> None:
        self.address, self._login, self.dag_id = address, login, dag_id
        self._dag = f"/api/v2/dags/{dag_id}"
        self.rest = Rest("airflow", address, up=UP)

    def ask(self, method: str, path: str, **more: Any) -> Any:
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
            self.ask("GET", self._dag)
        except Refused as refused:
            if refused.status != 404:
                raise
            broken = self.ask("GET", "/api/v2/importErrors")["import_errors"]
            cause = broken[0]["stack_trace"].strip().splitlines()[-1] if broken else "its file is not parsed yet"
            raise Refused(
                f"airflow knows no DAG {self.dag_id}: {cause}",
                where=f"{self.address}/dags",
                fix=f"correct airflow_impl/dags/retrain.py, then `{UP}`; a new file may take half a minute",
            ) from refused
        self.ask("PATCH", self._dag, json={"is_paused": False})

    def trigger(self, config: RetrainConfig, request: dict[str, Any]) -> str:
        """Start a DAG run, and give its id. Called twice for one config it starts one run: we choose the id."""
        settings = {name: value for name, value in request.items() if name != "month"}
        run = f"bakeoff__{config.request_id}"
        body = {"dag_run_id": run, "logical_date": None, "conf": {"month": config.month, "settings": settings}}
        try:
            self.ask("POST", f"{self._dag}/dagRuns", json=body)
        except Refused as refused:
            if refused.status != 409:  # it is there: the answer to an earlier call was lost
                raise
        return run

    def look(self, run: str, config: RetrainConfig) -> Look:
        """The run and its tasks now."""
        path = f"{self._dag}/dagRuns/{quote(run)}"
        found = self.ask("GET", path)  # first, so that no last state of a task is missed
        tasks = self.ask("GET", f"{path}/taskInstances?limit=100")["task_instances"]
        return look_of(found, tasks, [candidate.title for candidate in config.all_candidates])

    def cause(self, run: str, attempt: Attempt) -> str:
        """Why a task has failed, from its log, or from the scheduler when the task wrote none; '' when neither says."""
        task = attempt.task
        path = f"{self._dag}/dagRuns/{quote(run)}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        query: dict[str, Any] = {"full_content": "true", "map_index": task["map_index"]}
        with contextlib.suppress(BakeoffError, KeyError):  # its worker may be gone, and the log with it
            answer = self.ask("GET", path, params=query, headers={"Accept": "application/json"})
            if error := error_of(answer["content"]):
                return error
        query = {"dag_id": self.dag_id, "run_id": run, "task_id": task["task_id"], "order_by": "-when", "limit": 20}
        return event_of(self.ask("GET", "/api/v2/eventLogs", params=query)["event_logs"])

    def announce(self, notice: dict[str, Any]) -> str:
        """Tell that a month of data has landed: an event of the asset, with the month as its partition key.

        Args:
            notice: `month`, `data_rev`, `settings`.

        Returns:
            The event's id.

        Raises:
            Silent: no DAG that has been parsed knows the asset; after a start that takes some seconds.
            Refused
        """
        found = self.ask("GET", "/api/v2/assets", params={"name_pattern": ARRIVED})["assets"]
        ids = [each["id"] for each in found if each["name"] == ARRIVED]
        if not ids:
            raise Silent(
                f"airflow knows no asset {ARRIVED} yet",
                where=f"{self.address}/assets",
                fix="wait until airflow_impl/dags/retrain.py is parsed: half a minute after a start",
            )
        body = {"asset_id": ids[0], "partition_key": notice["month"], "extra": notice}
        return str(self.ask("POST", "/api/v2/assets/events", json=body)["id"])

    def started(self, month: str, after: float) -> dict[str, Any] | None:
        """The run that an arrival has started; None before it has.

        Args:
            month: that has arrived.
            after: when it was announced, in seconds since 1970.

        Returns:
            `run` (its id), `page`, and `occurred` (the event) and `started`, both by the server's clock.
        """
        runs = f"/api/v2/dags/{ON_ARRIVAL}/dagRuns"
        query = {"partition_key_prefix_pattern": month, "order_by": "run_after", "limit": 100}
        for run in self.ask("GET", runs, params=query)["dag_runs"]:
            start = seconds(run["start_date"])
            if start is None or start < after:
                continue
            # Asked only of runs that have started: of others Airflow 3.3.2 answers 500 (apache/airflow#71360).
            events = self.ask("GET", f"{runs}/{quote(run['dag_run_id'])}/upstreamAssetEvents")["asset_events"]
            occurred = max((seconds(event["timestamp"]) or 0.0 for event in events), default=after)
            page = f"{self.address}/dags/{ON_ARRIVAL}/runs/{quote(run['dag_run_id'])}"
            return {"run": run["dag_run_id"], "page": page, "occurred": occurred, "started": start}
        return None

    def cancel(self, run: str) -> None:
        """End a run as failed; its running tasks are ended by their supervisors."""
        self.ask("PATCH", f"{self._dag}/dagRuns/{quote(run)}", json={"state": "failed"})

    def page(self, run: str) -> str:
        """Where a person sees the run."""
        return f"{self.address}/dags/{self.dag_id}/runs/{quote(run)}"


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
