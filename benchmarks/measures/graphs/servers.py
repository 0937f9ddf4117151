"""The tools' real servers for a measure: a stack of its own, made for it and removed after it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console

from benchmarks.measures.graphs.split import Ran, Times, parts
from benchmarks.measures.rounds import Failed, Taken, Tell
from benchmarks.places import STATE, ArmName
from benchmarks.stacks import env_file, lifecycle
from benchmarks.stacks.follow import seconds
from benchmarks.stacks.prefect_api import PrefectApi
from benchmarks.stacks.settings import StackSettings, settings
from benchmarks.stacks.stack import Tool
from shared.errors import BakeoffError
from shared.graphs import Graph

PREFIX = "bakeoff-bench"
LOOK_S = 0.5
PATIENCE_S = 600.0
_DEPLOYMENT = "graph/graph"
_DEPLOY = ("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "prefect_impl/graphs.yaml")


@contextlib.contextmanager
def stack(tool: ArmName, graphs: Sequence[Graph], tell: Tell, **setting: str) -> Iterator[StackSettings]:
    """Bring up a stack of one tool that has the graphs; it and its data are gone afterwards.

    Args:
        tool: whose.
        graphs: that it has.
        tell: is called with what is being done.
        setting: variables of compose/graphs-TOOL.yaml that are to differ from the tool's default.

    Raises:
        StackError: it does not come up.
    """
    file, quiet, its = STATE / "bench" / f"{tool}.env", Console(quiet=True), Tool(tool)
    if file.exists():  # of a measurement that was killed
        tell("removing what an earlier one has left")
        lifecycle.down(its, file, quiet, volumes=True)
        file.unlink()
    env_file.make_another(file, PREFIX, BAKEOFF_GRAPHS=",".join(each.name for each in graphs), **setting)
    try:
        tell("building and starting the servers")
        lifecycle.up(its, file, quiet)
        found = settings(tool, file)
        if tool is ArmName.PREFECT:
            found.compose.exec("prefect-worker", *_DEPLOY, timeout_s=120)
        yield found
    finally:
        tell("removing the servers")
        lifecycle.down(its, file, quiet, volumes=True)
        file.unlink()


class OnPrefect:
    """A Prefect server and worker that have the deployment of the graphs."""

    def __init__(self, found: StackSettings) -> None:
        self._api = PrefectApi(found.address, found.login)

    def close(self) -> None:
        """Close the connection."""
        self._api.rest.close()

    def run(self, graph: Graph) -> Taken:
        """Run a graph once, by its deployment.

        Raises:
            BakeoffError: it has failed, or did not end in time.
        """
        deployment = self._api.rest.ask("GET", f"/api/deployments/name/{_DEPLOYMENT}")["id"]
        called = time.time()
        made = self._ask(f"deployments/{deployment}/create_flow_run", {"parameters": {"name": graph.name}})
        run = str(made["id"])
        path = f"/api/flow_runs/{run}"
        found = self._until(lambda: ended(self._api.rest.ask("GET", path)), run)
        if found["state_type"] != "COMPLETED":
            raise Failed(f"the flow run ended as {found['state_name']}", where=self._api.page(run), fix="see that page")
        wanted = {"flow_runs": {"id": {"any_": [run]}}, "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        # The server learns of tasks by events, of some after the run has ended.
        self._until(lambda: self._ask("task_runs/count", wanted) >= graph.tasks, run)
        tasks = self._ask("task_runs/filter", {**wanted, "limit": 200})
        return Taken(parts(ran_of(found, tasks, called).whole(graph.tasks)))

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        return self._api.rest.ask("POST", f"/api/{path}", json=body)

    def _until(self, ask: Callable[[], Any], run: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (answer := ask()):
            if time.monotonic() > deadline:
                with contextlib.suppress(BakeoffError):
                    self._api.cancel(run)
                raise Failed(f"no end after {PATIENCE_S:.0f} s", where=self._api.page(run), fix="open that page")
            time.sleep(LOOK_S)
        return answer


def ended(run: dict[str, Any]) -> dict[str, Any] | None:
    """A flow run that has ended."""
    return run if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None


def ran_of(run: dict[str, Any], tasks: list[dict[str, Any]], called: float) -> Ran:
    """Read the API's answers: ready is when the flow has made the task run, `expected_start_time`."""
    times: list[Times] = []
    for each in tasks:
        ready, started, end = (seconds(each[name]) for name in ("expected_start_time", "start_time", "end_time"))
        if ready is not None and started is not None and end is not None:
            times.append((ready, started, end))
    return Ran(called, seconds(run["end_time"]) or called, times)
