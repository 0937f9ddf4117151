"""Prefect's REST API, as the harness needs it: deployed and healthy, trigger, look, cause, cancel."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from benchmarks.stacks.follow import Attempt, Look, State, seconds
from benchmarks.stacks.rest import Refused, Rest, Silent
from shared import datasets
from shared.config import RetrainConfig

UP = "./bakeoff up prefect"
POOL = "bakeoff"
#: The model that a retraining on flights is about, if it names none.
MODEL = datasets.get("flights").model_name
ARRIVED = "bakeoff.month.arrived"
#: State types; a state's name, such as Late or AwaitingRetry, says more and is shown.
_STATE: dict[str, State] = {
    "SCHEDULED": "waiting",
    "PENDING": "waiting",
    "PAUSED": "waiting",
    "RUNNING": "running",
    "CANCELLING": "running",
    "COMPLETED": "finished",
    "FAILED": "failed",
    "CRASHED": "failed",
    "CANCELLED": "failed",
}


class PrefectApi:
    """The deployment `retrain/retrain` of one Prefect server.

    Args:
        address: of the server, without `/api`.
        login: user and password.
    """

    def __init__(self, address: str, login: tuple[str, str]) -> None:
        self.address = address
        self.rest = Rest("prefect", address, up=UP, auth=login)

    def check(self) -> None:
        """See that the server answers, a worker is online and the flow is deployed.

        Raises:
            Silent, Refused
        """
        if self.rest.ask("GET", "/api/health") is not True:
            raise Silent("prefect is not healthy", where=f"{self.address}/api/health", fix=f"run `{UP}`")
        self._deployment()
        workers = self.rest.ask("POST", f"/api/work_pools/{POOL}/workers/filter", json={})
        if not any(worker["status"] == "ONLINE" for worker in workers):
            raise Silent(
                f"no worker of the pool {POOL} is online",
                where=f"{self.address}/work-pools/work-pool/{POOL}",
                fix=f"run `{UP}`; `./bakeoff logs prefect` says why it has ended",
            )

    def _deployment(self) -> str:
        try:
            return str(self.rest.ask("GET", "/api/deployments/name/retrain/retrain")["id"])
        except Refused as refused:
            if refused.status != 404:
                raise
            raise Refused(
                "prefect knows no deployment retrain/retrain",
                where=f"{self.address}/deployments",
                fix=f"run `{UP}`, which deploys the flow",
            ) from refused

    def trigger(self, config: RetrainConfig, request: dict[str, Any]) -> str:
        """Start a flow run, and give its id. Called twice for one config it starts one run: by the idempotency key."""
        body = {"parameters": {"config": request}, "idempotency_key": config.request_id}
        return str(self.rest.ask("POST", f"/api/deployments/{self._deployment()}/create_flow_run", json=body)["id"])

    def announce(self, notice: dict[str, Any]) -> str:
        """Tell that a month of data has arrived, and give the event's id; the deployment's trigger does the rest.

        The id follows from the notice: one that is told twice in a few minutes is the same event to the server.

        Args:
            notice: the month, the version of the data and, optionally, `settings`: other fields of `RetrainConfig`.
        """
        settings = notice.get("settings") or {}
        config = {"month": notice["month"], "data_rev": notice["data_rev"], **settings}
        labels = {
            "prefect.resource.id": "bakeoff.dataset.flights",
            "bakeoff.month": notice["month"],
            "bakeoff.model": settings.get("model_name", MODEL),
        }
        event = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(notice, sort_keys=True))),
            "occurred": _iso(time.time()),
            "event": ARRIVED,
            "resource": labels,
            "payload": {**notice, "config": config},
        }
        self.rest.ask("POST", "/api/events", json=[event])
        return str(event["id"])

    def started(self, month: str, after: float) -> dict[str, Any] | None:
        """The first run on a month that a trigger has started since then; None as long as there is none.

        Returns:
            Its id and page, and by the server's clock when the event came in and when the run started.
        """
        wanted = {"filter": {"event": {"name": [ARRIVED]}, "occurred": {"since": _iso(after)}, "order": "ASC"}}
        told = self.rest.ask("POST", "/api/events/filter", json=wanted)["events"]
        events = [each for each in told if each["resource"].get("bakeoff.month") == month]
        of_triggers = {
            "deployment_id": {"any_": [self._deployment()]},
            "created_by": {"type_": ["AUTOMATION"]},
            "start_time": {"after_": _iso(after)},
        }
        body = {"flow_runs": of_triggers, "sort": "START_TIME_ASC"}
        found = self.rest.ask("POST", "/api/flow_runs/filter", json=body)
        # Of a run that has not started, the filter takes the time at which it should.
        started = [run for run in found if run["start_time"]]
        runs = [run for run in started if (run["parameters"].get("config") or {}).get("month") == month]
        if not events or not runs:
            return None
        return {
            "run": runs[0]["id"],
            "page": self.page(runs[0]["id"]),
            "occurred": seconds(events[0]["received"]),
            "started": seconds(runs[0]["start_time"]),
        }

    def look(self, run: str, config: RetrainConfig) -> Look:
        """The run and its tasks now."""
        found = self.rest.ask("GET", f"/api/flow_runs/{run}")  # first, so that no last state of a task is missed
        wanted = {"flow_runs": {"id": {"any_": [run]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        return look_of(found, self.rest.ask("POST", "/api/task_runs/filter", json=wanted))

    def cause(self, run: str, attempt: Attempt) -> str:
        """Why a task has failed: its state says so."""
        return attempt.error

    def cancel(self, run: str) -> None:
        """Ask for the end of a run; the worker ends its process. One that no worker has taken is cancelled at once."""
        self.rest.ask("POST", f"/api/flow_runs/{run}/set_state", json={"state": {"type": "CANCELLING"}})

    def page(self, run: str) -> str:
        """Where a person sees the run."""
        return f"{self.address}/runs/flow-run/{run}"


def look_of(run: dict[str, Any], tasks: list[dict[str, Any]]) -> Look:
    """Read the API's answers.

    Args:
        run: of GET flow_runs/{id}.
        tasks: of POST task_runs/filter.
    """
    state = run["state"] or {"type": "PENDING", "name": "Pending", "message": ""}
    attempts = [_attempt(task) for task in tasks if task["state"]]
    return Look(_STATE.get(state["type"], "waiting"), state["name"], attempts, _message(state))


def _attempt(task: dict[str, Any]) -> Attempt:
    state = task["state"]
    now = _STATE.get(state["type"], "waiting")
    retried = state["name"] == "AwaitingRetry"  # this try has failed; the next one is another attempt
    if retried:
        now = "failed"
    # task_key is the function's name and a digest of its source; train-NAME is the name that the flow gives.
    step = task["task_key"].rpartition("-")[0].rpartition(".")[2] or task["name"]
    label = task["name"].removeprefix("train-") if step == "train" else ""
    first = task["run_count"] <= 1
    return Attempt(
        id=f"{task['id']} {task['run_count']}",
        step=step,
        label=label,
        state=now,
        started=seconds(task["start_time"] if first and task["start_time"] else state["timestamp"]),
        ended=seconds(state["timestamp"]) if now in ("finished", "failed") else None,
        task={"id": task["id"]},
        error="it will be tried again" if retried else _message(state),
    )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _message(state: dict[str, Any]) -> str:
    """What a state says, without the words that Prefect puts before every error."""
    text = (state.get("message") or "").strip()
    for words in ("Task run encountered an exception ", "Flow run encountered an exception: "):
        text = text.removeprefix(words)
    return text
