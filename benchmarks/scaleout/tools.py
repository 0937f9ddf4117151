"""How each tool is asked to spread tasks, and what it says of them afterwards."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from benchmarks.scaleout.records import SLOTS
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.follow import seconds
from benchmarks.stacks.prefect_api import PrefectApi

#: (ready, started, ended) in seconds since 1970.
Times = list[tuple[float, float, float]]
#: What is retrained on: the smallest month.
MONTH = "2013-02"
PATIENCE_S = 3600.0
_LOOK_S = 2.0
T = TypeVar("T")
#: Forty of one kind, each fitted in a fraction of a second on one month: what is measured is the tool.
SEARCH = {
    "name": "hist_gradient_boosting",
    "values": {"max_iter": [10, 20, 30, 40, 50], "max_leaf_nodes": [7, 15, 31, 63], "learning_rate": [0.05, 0.1]},
}


class Spreads(Protocol):
    """A tool on its servers."""

    def candidates(self, count: int, workers: int, tell: Callable[[str], None]) -> Times: ...
    def small(self, count: int, tell: Callable[[str], None]) -> Times: ...


def request(count: int) -> dict[str, Any]:
    """A retraining of so many candidates, in a model of its own."""
    return {"model_name": f"scale-out-{uuid.uuid4().hex[:8]}", "candidates": [], "search": {**SEARCH, "draws": count}}


class OnAirflow:
    """Mapped tasks, on whichever Celery worker is free."""

    def __init__(self, address: str, login: tuple[str, str]) -> None:
        self._retrain, self._many = AirflowApi(address, login), AirflowApi(address, login, "many")

    def candidates(self, count: int, workers: int, tell: Callable[[str], None]) -> Times:
        """Retrain on February with so many candidates; meanwhile the pool is as large as the workers."""
        self._resize(workers * SLOTS)
        try:
            return self._run(self._retrain, {"month": MONTH, "settings": request(count)}, "train", tell)
        finally:
            self._resize(SLOTS)  # as airflow_init.sh makes it

    def _resize(self, slots: int) -> None:
        pool = {"pool": "train", "slots": slots, "include_deferred": False}
        self._retrain.ask("PATCH", "/api/v2/pools/train", params={"update_mask": "slots"}, json=pool)

    def small(self, count: int, tell: Callable[[str], None]) -> Times:
        """Run the DAG `many`."""
        return self._run(self._many, {"n": count}, "small", tell)

    def _run(self, api: AirflowApi, conf: dict[str, Any], task: str, tell: Callable[[str], None]) -> Times:
        api.check()
        runs = f"/api/v2/dags/{api.dag_id}/dagRuns"
        run = f"scale-out__{uuid.uuid4().hex[:8]}"
        api.ask("POST", runs, json={"dag_run_id": run, "logical_date": None, "conf": conf})
        state = _until(lambda: _ended(api.ask("GET", f"{runs}/{run}")["state"], "success", "failed"), run, tell)
        if state != "success":
            raise StackError(f"the run ended as {state}", where=f"DAG run {run}", fix=f"see {api.page(run)}")
        found: list[dict[str, Any]] = []
        while True:  # at most a hundred a page
            page = {"limit": 100, "offset": len(found), "order_by": "map_index"}
            answer = api.ask("GET", f"{runs}/{run}/taskInstances/{task}/listMapped", params=page)
            found += answer["task_instances"]
            if len(found) >= answer["total_entries"] or not answer["task_instances"]:
                return [_times(each["scheduled_when"], each["start_date"], each["end_date"]) for each in found]


class OnPrefect:
    """Candidates as runs of their own, on whichever worker is free; small tasks as threads of one run."""

    def __init__(self, address: str, login: tuple[str, str]) -> None:
        self._api = PrefectApi(address, login)

    def candidates(self, count: int, workers: int, tell: Callable[[str], None]) -> Times:
        """Run the deployment `spread`, which starts a run of `train-one` for each candidate."""
        begin = datetime.now(UTC).isoformat()
        self._run("spread/spread", {"config": {"month": MONTH, **request(count)}}, tell)
        ours = {"any_": [self._deployment("train-one/train-one")]}
        return self._pages(
            "flow_runs", {"flow_runs": {"deployment_id": ours, "expected_start_time": {"after_": begin}}}
        )

    def in_one_run(self, count: int, tell: Callable[[str], None]) -> Times:
        """Run the deployment `retrain`, whose candidates are threads of one process, on one worker."""
        return self._tasks(
            "retrain/retrain",
            {"config": {"month": MONTH, **request(count)}},
            {"name": {"like_": "train-"}},
            count,
            tell,
        )

    def small(self, count: int, tell: Callable[[str], None]) -> Times:
        """Run the deployment `many`."""
        return self._tasks("many/many", {"tasks": count}, {}, count, tell)

    def _tasks(
        self,
        deployment: str,
        parameters: dict[str, Any],
        which: dict[str, Any],
        count: int,
        tell: Callable[[str], None],
    ) -> Times:
        """The tasks of one run. Prefect learns of them by events, of some after the run has ended."""
        run = self._run(deployment, parameters, tell)
        ended = {"state": {"type": {"any_": ["COMPLETED"]}}}
        wanted = {"flow_runs": {"id": {"any_": [run]}}, "task_runs": {**ended, **which}}
        _until(lambda: self._ask("task_runs/count", wanted) >= count, f"{count} task runs", tell, 900)
        return self._pages("task_runs", wanted)

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        return self._api.rest.ask("POST", f"/api/{path}", json=body)

    def _deployment(self, name: str) -> str:
        return str(self._api.rest.ask("GET", f"/api/deployments/name/{name}")["id"])

    def _run(self, deployment: str, parameters: dict[str, Any], tell: Callable[[str], None]) -> str:
        made = self._ask(f"deployments/{self._deployment(deployment)}/create_flow_run", {"parameters": parameters})
        run = str(made["id"])
        ends = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        state = _until(lambda: _ended(self._state(run), *ends), deployment, tell)
        if state != "COMPLETED":
            raise StackError(f"the run ended as {state}", where=deployment, fix=f"see {self._api.page(run)}")
        return run

    def _state(self, run: str) -> str:
        return str(self._api.rest.ask("GET", f"/api/flow_runs/{run}")["state_type"])

    def _pages(self, kind: str, wanted: dict[str, Any]) -> Times:
        found: list[dict[str, Any]] = []
        while True:  # at most two hundred a page
            more = {"limit": 200, "offset": len(found), "sort": "EXPECTED_START_TIME_ASC"}
            page = self._ask(f"{kind}/filter", {**wanted, **more})
            found += page
            if len(page) < 200:
                return [_times(each["expected_start_time"], each["start_time"], each["end_time"]) for each in found]


def _ended(state: str, *ends: str) -> str:
    return state if state in ends else ""


def _times(*moments: str | None) -> tuple[float, float, float]:
    ready, started, ended = (seconds(each) for each in moments)
    if ready is None or started is None or ended is None:
        raise StackError("a task has no start or no end", where="the tool's API", fix="see its page: it has not run")
    return ready, started, ended


def _until(call: Callable[[], T], what: str, tell: Callable[[str], None], patience_s: float = PATIENCE_S) -> T:
    tell(f"waiting for {what}")
    deadline = time.monotonic() + patience_s
    while not (answer := call()):
        if time.monotonic() > deadline:
            raise StackError(f"{what}: no end after {patience_s:.0f} s", where="the stack", fix="ask for fewer tasks")
        time.sleep(_LOOK_S)
    return answer
