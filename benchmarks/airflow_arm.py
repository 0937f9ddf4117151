"""Embedded Airflow: its own scheduler, dag-processor and api-server as local processes, on SQLite and LocalExecutor.

Not `dag.test()`: the three services are up in about ten seconds, and only the real scheduler shows what a DAG run
costs. Not `airflow standalone`: it starts the same processes and a triggerer that nothing here needs, opens the log
server's port to the network, and leaves children behind when it is stopped.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
from filelock import FileLock, Timeout

from benchmarks import environments, processes
from benchmarks.arms import POLL_S, Arm, ArmFailed, once
from benchmarks.places import ArmName, child_env, python
from benchmarks.stacks.follow import seconds
from shared import events
from shared.config import RetrainConfig

READY_S = 120.0
#: Between two questions about a run: each costs the api-server some CPU (`./bakeoff bench overhead` tells how much), so
#: that there are few until a step tells that the end is near. Then, fewer would leave Airflow idle between two months.
SELDOM_S, ASK_S = 5.0, 1.0
#: The steps with which a run may end.
_LAST = ("evaluate", "register", "refuse")
SILENCE_S = 30.0
STOP_S = 3.0
_SERVICES = (["api-server"], ["scheduler", "--skip-serve-logs"], ["dag-processor"])
_DAG = "/api/v2/dags/retrain"


class AirflowArm(Arm):
    """The DAG `retrain`, triggered and followed by Airflow's public REST API."""

    name = ArmName.AIRFLOW

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(folder)
        self._wanted_port = port
        self._services: dict[str, Popen[bytes]] = {}
        self._api: httpx.Client | None = None
        self._lock = FileLock(self.home / "in-use.lock")

    def prepare(self) -> None:
        super().prepare()
        once(
            self.home / "migrated",
            environments.lock_text("airflow"),
            [python("airflow").parent / "airflow", "db", "migrate"],
            self._env(0),
        )

    def _env(self, port: int) -> dict[str, str]:
        address = f"http://127.0.0.1:{port}"
        return child_env(
            AIRFLOW_HOME=str(self.home),
            PYTHONPATH=str(self.root),
            AIRFLOW__CORE__DAGS_FOLDER=str(self.root / "airflow_impl" / "dags"),
            AIRFLOW__CORE__LOAD_EXAMPLES="false",
            AIRFLOW__CORE__PARALLELISM="4",  # LocalExecutor starts that many workers at once; 32 are too many here
            AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{address}/execution/",
            AIRFLOW__API__HOST="127.0.0.1",
            AIRFLOW__API__PORT=str(port),
            AIRFLOW__API__BASE_URL=address,
            PATH=f"{python('airflow').parent}:{child_env()['PATH']}",
            **self.more_env,
        )

    def retrain(self, configs: list[RetrainConfig]) -> Iterator[dict[str, Any]]:
        try:
            self.start()
            for config in configs:
                yield from self._run(config)
        except (httpx.HTTPError, ValueError, KeyError) as error:  # no answer, or not the answer of an Airflow API
            self._see_that_all_live()
            raise ArmFailed(
                f"Airflow's API failed: {type(error).__name__}: {error}",
                where=str(self.folder / "airflow-api-server.log"),
                fix="read the end of that log",
            ) from error

    def start(self) -> str:
        """Start the services, and wait until they have parsed the DAG; gives the address of the API."""
        port = processes.free_port(self._wanted_port)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ArmFailed(
                "another run of this checkout is using Airflow's database",
                where=str(self.home),
                fix="wait until it has ended, then run again",
            ) from None
        command = python("airflow").parent / "airflow"
        for service in _SERVICES:
            log = self.folder / f"airflow-{service[0]}.log"
            self._services[service[0]] = processes.start([command, *service], log, self._env(port), self.root)
        self._api = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self._wait("the services to be healthy", self._healthy)
        user, password = self.login()
        token = self._ask("POST", "/auth/token", json={"username": user, "password": password})["access_token"]
        self._api.headers["Authorization"] = f"Bearer {token}"
        self._wait("the DAG to be parsed", lambda: bool(self._ask("GET", _DAG)))
        self._fail_unfinished_runs()
        self._ask("PATCH", _DAG, json={"is_paused": False})
        return f"http://127.0.0.1:{port}"

    def login(self) -> tuple[str, str]:
        """User and password of the API, as Airflow has made them at its first start."""
        passwords = json.loads((self.home / "simple_auth_manager_passwords.json.generated").read_text())
        return "admin", str(passwords["admin"])

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Call the API.

        Raises:
            httpx.HTTPError: no answer, or a refusal.
        """
        assert self._api is not None
        answer: dict[str, Any] = self._api.request(method, path, **more).raise_for_status().json()
        return answer

    def _healthy(self) -> bool:
        parts = self._ask("GET", "/api/v2/monitor/health")
        return all(parts[part]["status"] == "healthy" for part in ("scheduler", "dag_processor"))

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            self._see_that_all_live()
            with contextlib.suppress(httpx.HTTPError, ValueError):
                if done():
                    return
            time.sleep(POLL_S)
        cause = f"it took more than {READY_S:.0f} s"
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError, IndexError):
            broken = self._ask("GET", "/api/v2/importErrors")["import_errors"]
            cause = broken[0]["stack_trace"].strip().splitlines()[-1]
        raise ArmFailed(
            f"Airflow gave up waiting for {what}: {cause}", where=str(self.folder), fix="read its airflow-*.log"
        )

    def _see_that_all_live(self) -> None:
        for service, process in self._services.items():
            if process.poll() is not None:
                log = self.folder / f"airflow-{service}.log"
                raise ArmFailed(
                    f"Airflow's {service} ended with exit code {process.returncode}: {processes.tail(log, 3)}",
                    where=str(log),
                    fix="read the end of that log",
                )

    def _run(self, config: RetrainConfig) -> Iterator[dict[str, Any]]:
        settings = config.json_dict()
        conf = {"month": settings.pop("month"), "settings": settings}
        label = {"step": "retrain", "label": config.month}
        listener = config.events or self.folder / "events.jsonl"
        seen = len(events.read(listener))
        start = time.time()
        yield {"time": start, **label, "state": "started"}
        made = self._ask("POST", f"{_DAG}/dagRuns", json={"logical_date": None, "conf": conf})
        run = f"{_DAG}/dagRuns/{made['dag_run_id']}"
        asked = answered = time.monotonic()
        pause = SELDOM_S
        while made["state"] not in ("success", "failed"):
            if time.monotonic() - asked >= pause:
                asked = time.monotonic()
                try:
                    made = self._ask("GET", run)
                    answered = time.monotonic()
                except (httpx.HTTPError, ValueError):
                    if time.monotonic() - answered > SILENCE_S:  # a busy API may miss an answer or two
                        raise
            for event in events.read(listener, seen):
                seen += 1
                if event["state"] == "failed" or (event["state"] == "finished" and event["step"] in _LAST):
                    pause = ASK_S
                yield event
            self._see_that_all_live()
            time.sleep(POLL_S)
        if made["state"] == "failed":
            tasks = self._ask("GET", f"{run}/taskInstances")["task_instances"]
            raise ArmFailed(
                f"the DAG run failed in: {', '.join(task['task_id'] for task in tasks if task['state'] == 'failed')}",
                where=f"{self.home / 'logs'}",
                fix="read the log of that task",
            )
        end = seconds(made["end_date"]) or time.time()  # as Airflow has it, not as late as we asked
        yield {"time": end, **label, "state": "finished", "seconds": end - start}

    def _fail_unfinished_runs(self) -> None:
        """A run that was cut off earlier would be resumed by the scheduler, and hold back ours."""
        for state in ("running", "queued"):
            for run in self._ask("GET", f"{_DAG}/dagRuns?state={state}")["dag_runs"]:
                self._ask("PATCH", f"{_DAG}/dagRuns/{run['dag_run_id']}", json={"state": "failed"})

    def variables(self) -> dict[str, str]:
        return {name: value for name, value in self._env(0).items() if name.startswith("AIRFLOW")}

    def pids(self) -> dict[str, int]:
        return {service: process.pid for service, process in self._services.copy().items()}

    def stop(self) -> None:
        try:
            if self._api is not None:
                self._api.timeout = httpx.Timeout(STOP_S)
                with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                    self._fail_unfinished_runs()
                self._api.close()
                self._api = None
        finally:
            for service in ("scheduler", "dag-processor", "api-server"):  # who asks before who answers
                if service in self._services:
                    processes.stop(self._services[service], patience_s=5)
                    del self._services[service]  # only now: a Ctrl-C in between must find it again
            self._lock.release()
