"""What a test asks of a real Airflow, beyond what the harness asks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from typing import Any, TypeVar
from urllib.parse import quote

from benchmarks.stacks import engine
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.follow import seconds
from benchmarks.stacks.rest import Refused
from benchmarks.stacks.stack import STACKS, Tool
from shared import registry
from shared.config import StoreConfig
from tests.stacks.under_test import StackUnderTest

#: A busy machine retrains in a minute.
PATIENCE_S = 240
LIGHT = [{"name": "logistic_regression"}]
T = TypeVar("T")


def until(call: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Ask until the answer is true."""
    deadline = time.monotonic() + patience_s
    while not (answer := call()):
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        time.sleep(0.5)
    return answer


def overlap(each: list[dict[str, Any]]) -> int:
    """How many runs or tasks went on at once, at most."""
    moments = [(one["start_date"], 1) for one in each] + [(one["end_date"], -1) for one in each]
    return max(accumulate(step for _, step in sorted(moments)))


class Airflow:
    """One stack's Airflow, by its public API."""

    def __init__(self, stack: StackUnderTest) -> None:
        self.stack = stack
        self.api = AirflowApi(stack.up.url, STACKS[Tool.AIRFLOW].login(stack.env))

    def ask(self, method: str, path: str, **more: Any) -> Any:
        return self.api.ask(method, f"/api/v2/{path}", **more)

    def pause(self, dag: str, paused: bool = True) -> None:
        self.ask("PATCH", f"dags/{dag}", json={"is_paused": paused})

    def trigger(self, dag: str, run: str, **conf: Any) -> Run:
        """Start a run; the DAG is unpaused for it."""
        self.pause(dag, False)
        self.ask("POST", f"dags/{dag}/dagRuns", json={"dag_run_id": run, "logical_date": None, "conf": conf})
        return Run(self, dag, run)

    def run(self, dag: str, told: dict[str, Any]) -> Run:
        return Run(self, dag, told["dag_run_id"])

    def runs(self, dag: str, **query: Any) -> list[dict[str, Any]]:
        return self.ask("GET", f"dags/{dag}/dagRuns", params={"order_by": "run_after", "limit": 100, **query})[
            "dag_runs"
        ]

    def arrive(self, month: str, settings: dict[str, Any]) -> float:
        """Announce a month; gives when."""
        now = time.time()
        self.api.announce({"month": month, "data_rev": None, "settings": settings})
        return now

    def on_arrival(self, month: str, after: float) -> tuple[Run, float]:
        """The run that an arrival has started, and how long after the event."""
        found = until(lambda: self.api.started(month, after), f"a run of {month}")
        return Run(self, "retrain_on_arrival", found["run"]), found["started"] - found["occurred"]

    def champion(self, model: str) -> int | None:
        return registry.champion(self.store(model))

    def log(self, model: str, event: str = "promoted") -> list[str]:
        """Months in a model's promotion log."""
        return [entry.month for entry in registry.promotion_log(self.store(model)) if entry.event == event]

    def store(self, model: str) -> StoreConfig:
        return self.stack.store.model_copy(update={"model_name": model})

    def resize(self, pool: str, slots: int) -> None:
        body = {"pool": pool, "slots": slots, "include_deferred": False}
        self.ask("PATCH", f"pools/{pool}", params={"update_mask": "slots"}, json=body)

    def connect(self, name: str, host: str) -> None:
        """Define a connection, as a person does in the UI."""
        body = {"connection_id": name, "conn_type": "http", "host": host}
        try:
            self.ask("POST", "connections", json=body)
        except Refused as refused:
            if refused.status != 409:
                raise
            self.ask("PATCH", f"connections/{name}", json=body)


class Run:
    """One DAG run."""

    def __init__(self, airflow: Airflow, dag: str, id: str) -> None:
        self.airflow, self.dag, self.id = airflow, dag, id
        self.path = f"dags/{dag}/dagRuns/{quote(id)}"

    def __str__(self) -> str:
        return f"{self.dag} {self.id}"

    def ask(self, method: str, path: str = "", **more: Any) -> Any:
        return self.airflow.ask(method, f"{self.path}{path}", **more)

    def now(self) -> dict[str, Any]:
        return self.ask("GET")

    def tasks(self, task: str | None = None) -> list[dict[str, Any]]:
        found = self.ask("GET", "/taskInstances", params={"limit": 100})["task_instances"]
        return [each for each in found if task in (None, each["task_id"])]

    def states(self) -> dict[str, str]:
        """Task -> its state; of a mapped one, those of its instances."""
        found: dict[str, set[str]] = {}
        for each in self.tasks():
            found.setdefault(each["task_id"], set()).add(str(each["state"]))
        return {task: " ".join(sorted(states)) for task, states in found.items()}

    def ended(self, patience_s: float = PATIENCE_S) -> str:
        until(lambda: self.now()["state"] in ("success", "failed"), f"the end of {self}", patience_s)
        return str(self.now()["state"])

    def reaches(self, task: str, *states: str) -> dict[str, Any]:
        """Wait until an instance of a task is in one of some states."""
        found = until(
            lambda: [each for each in self.tasks(task) if each["state"] in states], f"{task} of {self} as {states}"
        )
        return found[0]

    def tries(self, task: str, index: int = -1) -> list[dict[str, Any]]:
        """A task's tries, the first first."""
        where = f"/taskInstances/{task}" + ("" if index < 0 else f"/{index}")
        return self.ask("GET", f"{where}/tries")["task_instances"]

    def executions(self, task: str, index: int = -1) -> int:
        """How often a task's process was started."""
        return sum(each["pid"] is not None for each in self.tries(task, index))

    def answer(self, option: str) -> None:
        """Answer what `approve` asks, as a person does in the UI: not before three seconds have passed.

        Airflow 3.3.2 fails a task that is answered before its scheduler has noted that it waits ("state mismatch").
        """
        self.reaches("approve", "awaiting_input")
        asked = seconds(self.ask("GET", "/hitlDetails")["hitl_details"][0]["created_at"])
        until(lambda: time.time() > asked + 3, "three seconds to pass")
        chosen = {"chosen_options": [option], "params_input": {}}
        self.ask("PATCH", "/taskInstances/approve/-1/hitlDetails", json=chosen)

    def text(self, task: str, attempt: int = 1, index: int = -1) -> str:
        """A task's log."""
        query = {"full_content": "true", "map_index": index}
        told = self.ask(
            "GET", f"/taskInstances/{task}/logs/{attempt}", params=query, headers={"Accept": "application/json"}
        )
        return json.dumps(told["content"])


@contextmanager
def listening(stack: StackUnderTest, server: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of the test's own, where the stack's containers reach it and nobody else does; gives its address."""
    network = f"{stack.up.project}_default"
    gateway = engine.docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network).strip()
    http = ThreadingHTTPServer((gateway, 0), server)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield f"http://{gateway}:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
