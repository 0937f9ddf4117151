"""Prefect's server as its users reach it: by the REST API."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from benchmarks.stacks.prefect_api import PrefectApi
from shared import registry
from shared.config import StoreConfig
from tests.stacks.under_test import StackUnderTest

T = TypeVar("T")
#: A busy machine may take its time.
PATIENCE_S = 240.0
_LIVE = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")


def until(call: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Ask until the answer is something."""
    deadline = time.monotonic() + patience_s
    while not (answer := call()):
        assert time.monotonic() < deadline, f"not within {patience_s:.0f} s: {what}"
        time.sleep(0.5)
    return answer


class Server:
    """One server, and the models that its runs make."""

    def __init__(self, stack: StackUnderTest) -> None:
        self.stack = stack
        self.api = PrefectApi(stack.up.url, (stack.up.user, stack.up.password))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.api.rest.ask(method, f"/api/{path}", **({} if body is None else {"json": body}))

    def deployment(self, name: str = "retrain/retrain") -> dict[str, Any]:
        return self.ask("GET", f"deployments/name/{name}")

    def start(self, deployment: str = "retrain/retrain", **parameters: Any) -> str:
        """Start a run, and give its id."""
        path = f"deployments/{self.deployment(deployment)['id']}/create_flow_run"
        return str(self.ask("POST", path, {"parameters": parameters})["id"])

    def run(self, run: str) -> dict[str, Any]:
        return self.ask("GET", f"flow_runs/{run}")

    def reaches(self, run: str, *names: str) -> dict[str, Any]:
        """Wait until the run is in a state of one of these names."""
        return until(lambda: (found := self.run(run))["state_name"] in names and found, f"run {run} is {names}")

    def ends(self, run: str) -> dict[str, Any]:
        """Wait until the run has ended, or is suspended."""
        return until(lambda: (found := self.run(run))["state_type"] not in _LIVE and found, f"the end of run {run}")

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """Runs by a filter, oldest first."""
        return self.ask("POST", "flow_runs/filter", {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"})

    def tasks(self, run: str) -> list[dict[str, Any]]:
        wanted = {"flow_runs": {"id": {"any_": [run]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        return self.ask("POST", "task_runs/filter", wanted)

    def states(self, run: str) -> dict[str, str]:
        """A run's tasks, and the name of each one's state."""
        return {task["name"]: task["state_name"] for task in self.tasks(run)}

    def executions(self, run: str) -> Counter[str]:
        """How often each step of a run was really executed, over all its attempts: `Cached` ones were not."""
        found: Counter[str] = Counter()
        for task in self.tasks(run):
            found[step(task)] += 0 if task["state_name"] == "Cached" else task["run_count"]
        return found

    def log(self, model: str) -> list[tuple[str, str]]:
        """A model's promotion log: what happened, and on which month."""
        return [(entry.event, entry.month) for entry in registry.promotion_log(self.store(model))]

    def champion(self, model: str) -> int | None:
        return registry.champion(self.store(model))

    def store(self, model: str) -> StoreConfig:
        return self.stack.store.model_copy(update={"model_name": model})


def step(task: dict[str, Any]) -> str:
    """A task's name as the flow gives it: `train-NAME` or the function's."""
    return task["name"] if task["name"].startswith("train-") else task["name"].rpartition("-")[0]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def most_at_once(spans: list[dict[str, Any]]) -> int:
    """How many of these runs were running at one moment."""
    edges = [(instant(each["start_time"]), 1) for each in spans] + [(instant(each["end_time"]), -1) for each in spans]
    now = most = 0
    for _, change in sorted(edges):
        now += change
        most = max(most, now)
    return most
