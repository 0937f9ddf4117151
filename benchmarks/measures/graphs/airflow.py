"""Graphs on Airflow: a DAG run each, by its public REST API, embedded and on its servers alike."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.airflow_arm import AirflowArm
from benchmarks.arms import ArmFailed
from benchmarks.measures.graphs.split import Ran, Times, parts
from benchmarks.measures.rounds import Failed, Taken
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.follow import seconds
from shared.errors import BakeoffError
from shared.graphs import Graph

#: Between two looks at a run. Its figures are of Airflow's own timestamps, so that a late look costs nothing, and an
#: early one CPU that the tasks want (the rows `harness` of `./bakeoff bench overhead` tell how much).
LOOK_S = 2.0
PATIENCE_S = 600.0
#: New files take the dag-processor up to half a minute.
PARSED_S = 120.0


class OnAirflow:
    """One Airflow that has the DAGs of graphs.

    Args:
        address: of its api-server.
        login: user and password.
    """

    def __init__(self, address: str, login: tuple[str, str]) -> None:
        self.address, self._login = address, login

    def _api(self, graph: Graph) -> AirflowApi:
        return AirflowApi(self.address, self._login, f"graph-{graph.name}")

    def prepare(self, graphs: Sequence[Graph], since: float = 0.0) -> None:
        """Wait until the DAGs are parsed, end what was cut off earlier, and let them run.

        Args:
            graphs: whose DAGs.
            since: seconds since 1970; what was parsed before was of other services.

        Raises:
            Failed: they are not there in time.
        """
        deadline = time.monotonic() + PARSED_S
        for graph in graphs:
            api = self._api(graph)
            dag = f"/api/v2/dags/{api.dag_id}"
            while not self._is_parsed(api, dag, since):
                if time.monotonic() > deadline:
                    raise Failed(f"no DAG {api.dag_id} in {PARSED_S:.0f} s", where=self.address, fix="see its logs")
                time.sleep(LOOK_S)
            self._end_all(api)
            api.ask("PATCH", dag, json={"is_paused": False})
            api.rest.close()

    def _is_parsed(self, api: AirflowApi, dag: str, since: float) -> bool:
        with contextlib.suppress(BakeoffError):
            found = api.ask("GET", dag)
            return not found["is_stale"] and (seconds(found["last_parsed_time"]) or 0.0) >= since
        return False

    def _end_all(self, api: AirflowApi) -> None:
        runs = f"/api/v2/dags/{api.dag_id}/dagRuns"
        for state in ("running", "queued"):
            for each in api.ask("GET", runs, params={"state": state})["dag_runs"]:
                api.ask("PATCH", f"{runs}/{each['dag_run_id']}", json={"state": "failed"})

    def run(self, graph: Graph) -> Taken:
        """Run a graph once.

        Raises:
            BakeoffError: it has failed, or did not end in time.
        """
        with self.started(graph) as run:
            deadline = time.monotonic() + PATIENCE_S
            while run.ask() not in ("success", "failed"):
                if time.monotonic() > deadline:
                    run.api.cancel(run.id)
                    raise Failed(f"no end after {PATIENCE_S:.0f} s", where=run.page, fix="open that page")
                time.sleep(LOOK_S)
            return Taken(run.parts())

    @contextlib.contextmanager
    def started(self, graph: Graph) -> Iterator[Run]:
        """Start a DAG run of a graph; its connection is closed afterwards."""
        api = self._api(graph)
        run = Run(api, graph, f"bench__{uuid.uuid4().hex[:8]}")
        try:
            run.trigger()
            yield run
        finally:
            api.rest.close()


class Run:
    """One DAG run."""

    def __init__(self, api: AirflowApi, graph: Graph, run: str) -> None:
        self.api, self.graph, self.id = api, graph, run
        self._runs = f"/api/v2/dags/{api.dag_id}/dagRuns"
        self._called = 0.0
        self.page = api.page(run)

    def trigger(self) -> None:
        """Ask for it. Signing in is done before the clock starts."""
        self.api.ask("GET", f"/api/v2/dags/{self.api.dag_id}")
        self._called = time.time()
        self.api.ask("POST", self._runs, json={"dag_run_id": self.id, "logical_date": None, "conf": {}})

    def ask(self) -> str:
        """Its state."""
        return str(self.api.ask("GET", f"{self._runs}/{self.id}")["state"])

    def parts(self) -> dict[str, float]:
        """The figures, once it has ended.

        Raises:
            Failed: it has not succeeded, or not run all of its tasks.
        """
        run = self.api.ask("GET", f"{self._runs}/{self.id}")
        if run["state"] != "success":
            raise Failed(f"the DAG run is {run['state']}", where=self.page, fix="open that page")
        tasks = self.api.ask("GET", f"{self._runs}/{self.id}/taskInstances", params={"limit": 100})["task_instances"]
        return parts(ran_of(run, tasks, self._called).whole(self.graph.tasks))


def ran_of(run: dict[str, Any], tasks: list[dict[str, Any]], called: float) -> Ran:
    """Read the API's answers: ready is when the scheduler has found that a task may run, `scheduled_when`."""
    times: list[Times] = []
    for each in tasks:
        ready, started, ended = (seconds(each[name]) for name in ("scheduled_when", "start_date", "end_date"))
        if ready is not None and started is not None and ended is not None:
            times.append((ready, started, ended))
    return Ran(called, seconds(run["end_date"]) or called, times)


class Services(AirflowArm):
    """Embedded Airflow, as the arm starts it, with the DAGs of some graphs.

    Args:
        folder: receives the logs.
        graphs: whose DAGs it has.
        settings: more of Airflow's own variables.
    """

    def __init__(self, folder: Path, graphs: Sequence[Graph], settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self._graphs, self._settings = graphs, settings or {}

    def _env(self, port: int) -> dict[str, str]:
        names = ",".join(each.name for each in self._graphs)
        return {**super()._env(port), "BAKEOFF_GRAPHS": names, **self._settings}

    @contextlib.contextmanager
    def running(self) -> Iterator[OnAirflow]:
        """Start the services, wait until they can run the graphs, and stop them afterwards.

        Raises:
            BakeoffError: they do not start.
        """
        begin = time.time()
        try:
            self.prepare()
            airflow = OnAirflow(self.start(), self.login())
            airflow.prepare(self._graphs, since=begin)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            self.stop()
            raise ArmFailed(
                f"Airflow's API failed: {type(error).__name__}: {error}",
                where=str(self.folder / "airflow-api-server.log"),
                fix="read the end of that log",
            ) from error
        except BaseException:
            self.stop()
            raise
        try:
            yield airflow
        finally:
            self.stop()
