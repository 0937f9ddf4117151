"""Airflow and Prefect on their stacks of containers, with an env file and volumes that no other command uses."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.measures.catalog import Where
from benchmarks.measures.debug import inject
from benchmarks.measures.debug.airflow import DAG_FILE, Follow, in_the_dag
from benchmarks.measures.debug.catalogue import Edit
from benchmarks.measures.debug.ledger import Broken
from benchmarks.measures.debug.place import Place
from benchmarks.measures.debug.servers import deploy_log
from benchmarks.measures.debug.subject import BELOW, MODEL, Subject, Told
from benchmarks.measures.debug.walk import Walker
from benchmarks.measures.debug.watcher import POLL_S, Watcher
from benchmarks.measures.rounds import Tell
from benchmarks.places import ArmName
from benchmarks.stacks import arms, env_file, lifecycle
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.follow import Attempt
from benchmarks.stacks.prefect_api import PrefectApi
from benchmarks.stacks.stack import STACKS, Tool
from shared.config import RetrainConfig, StoreConfig
from shared.errors import BakeoffError

#: On the volume `state`, which the services that run steps share.
EVENTS = "/state/debug-events.jsonl"
_RUNS_STEPS = {Tool.AIRFLOW: "airflow-scheduler", Tool.PREFECT: "prefect-worker"}
_LOG_LINES = 300
AGAIN_S = 1.0
#: A server that has lost its database for a while is well again within this.
SETTLE_S = 180.0


class FollowPrefect(Watcher):
    """Starts a run of the deployment and watches it."""

    def __init__(self, api: PrefectApi) -> None:
        super().__init__(api, _request)
        self.api = api

    def tried_again(self, attempt: Attempt, began: float) -> bool:
        failed = attempt.state == "failed" or not attempt.id.endswith((" 0", " 1"))
        return failed and (attempt.started or began) >= began

    def retry(self, told: Told, patience_s: float) -> Told:
        """Schedule a run again, as the page's Retry and `prefect flow-run retry` do."""
        began = time.time()
        body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retried"}, "force": True}
        # A process worker reports a crash twice, some seconds apart: a retry that comes between is lost.
        while (look := self.api.look(told.run, told.config)).state in ("failed", "waiting"):
            if look.state == "failed":
                self.api.rest.ask("POST", f"/api/flow_runs/{told.run}/set_state", json=body)
            if time.time() - began > patience_s:
                break
            time.sleep(AGAIN_S)
        return self.follow(told.run, told.config, began, patience_s)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        more: dict[str, Any] = {"json": body} if body is not None else {}
        return self.api.rest.ask(method, path, **more)


class OnStack(Subject):
    """A tool's stack, up for all faults."""

    def __init__(self, tool: ArmName, below: Path = BELOW) -> None:
        super().__init__(tool, Where.COMPOSE, below)
        self.path = below / "stack.env"
        self._env: env_file.EnvFile | None = None
        self._watching: Follow | FollowPrefect | None = None

    @property
    def env(self) -> env_file.EnvFile:
        """What the env file says; it is made when the stack is opened."""
        return self._env or env_file.read(self.path)

    @property
    def place(self) -> Place:
        return Place(self.tool, self.where, self.folder, env=self.env)

    @property
    def store(self) -> StoreConfig:
        address = STACKS[Tool(self.tool)].mlflow_url(self.env)
        return StoreConfig(model_name=MODEL, state=self.folder, tracking_uri=address, artifact_location=None)

    @property
    def watching(self) -> Follow | FollowPrefect:
        """What follows runs; the stack is up."""
        assert self._watching is not None
        return self._watching

    def open(self, tell: Tell) -> None:
        tool, quiet = Tool(self.tool), Console(file=io.StringIO())
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            env_file.make_another(self.path, "bakeoff-debug")
        self.ledger.mend_all()
        tell("bringing the stack up")
        up = lifecycle.up(tool, self.path, quiet)
        self._env = env_file.read(self.path)
        STACKS[tool].sign_in(self.env)
        login = (up.user, up.password)
        if tool is Tool.AIRFLOW:
            api = AirflowApi(up.url, login)
            api.check()
            self._watching = Follow(api, _request)
        else:
            self._watching = FollowPrefect(PrefectApi(up.url, login))
        self._compose("exec", "--no-TTY", _RUNS_STEPS[tool], "sh", "-c", f"rm -f {EVENTS}")
        self.make_champion()

    def _compose(self, *words: str) -> str:
        return self.place.compose.run(*words, timeout_s=60)

    def close(self) -> None:
        if self._watching:
            self._watching.api.rest.close()
        try:
            self.ledger.mend_all()
        finally:
            lifecycle.down(Tool(self.tool), self.path, Console(file=io.StringIO()), volumes=True)

    def run(self, config: RetrainConfig, broken: Broken, patience_s: float, *, parses: bool = False) -> Told:
        if parses and isinstance(self.watching, Follow):
            began = time.time()
            if at := self.watching.until_parsed(patience_s, wanted=True):
                return Told("not_parsed", "import error", began, at, config)
        return self.watching.run(config, patience_s)

    def code_changed(self, edits: tuple[Edit, ...]) -> None:
        if isinstance(self.watching, Follow) and in_the_dag(edits):
            self.watching.until_parsed_anew(self._touch)

    def _touch(self) -> None:
        file = f"{inject.IN_IMAGE}/{DAG_FILE}"
        self._compose("exec", "--no-TTY", "--user", "0", "airflow-dag-processor", "touch", file)

    def settle(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while True:
            try:
                self.watching.api.check()
                break
            except BakeoffError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)
        if isinstance(self.watching, Follow):
            self.watching.until_parsed(SETTLE_S, wanted=False)  # else no run is taken

    def resume(self, told: Told, patience_s: float) -> Told | None:
        watching = self.watching
        if isinstance(watching, FollowPrefect):
            return watching.retry(told, patience_s) if told.run else watching.run(self.config({}), patience_s)
        if told.alert == "running":
            watching.stop_run(told.run)
        if told.alert == "not_parsed" and watching.until_parsed(patience_s, wanted=False) is None:
            return None
        return watching.clear(told, patience_s) if told.run else watching.run(self.config({}), patience_s)

    def events(self) -> list[dict[str, Any]]:
        try:
            told = self._compose("exec", "--no-TTY", _RUNS_STEPS[Tool(self.tool)], "cat", EVENTS)
        except BakeoffError:  # no step has told anything yet
            return []
        return [json.loads(line) for line in told.splitlines() if line.startswith("{") and line.endswith("}")]

    def walker(self, told: Told) -> Walker:
        return Walker(
            self.known(told),
            self.watching.ask,
            logs=lambda service: self.place.compose.logs(service, _LOG_LINES),
            services=lambda _: self._compose("ps", "--all", "--format", "table {{.Service}}\t{{.Status}}"),
            mlflow=lambda _: self.mlflow(told.config),
        )

    def known(self, told: Told) -> dict[str, str]:
        return {**super().known(told), "output": str(deploy_log(self.folder))}


def _request(config: RetrainConfig) -> dict[str, Any]:
    """What is sent to a server: its own places stay, and its steps tell what they do in a file on its volume."""
    return {**arms.request(config), "events": EVENTS}
