"""Airflow as its user sees it when something is wrong: by its public API, embedded and on its stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.airflow_arm import AirflowArm
from benchmarks.measures.debug.catalogue import Edit
from benchmarks.measures.debug.embedded import Embedded
from benchmarks.measures.debug.ledger import Broken
from benchmarks.measures.debug.subject import BELOW, Told
from benchmarks.measures.debug.walk import Walker
from benchmarks.measures.debug.watcher import POLL_S, Watcher
from benchmarks.measures.rounds import Tell
from benchmarks.places import ArmName
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.follow import Attempt
from benchmarks.stacks.rest import Silent
from shared.config import RetrainConfig

PARSED_S = 90.0
#: Airflow writes a DAG to its database at most every 30 s (`min_serialized_dag_update_interval`): a change that is
#: parsed sooner is dropped until the file is parsed again, and a run meanwhile is still of the old DAG.
WRITTEN_S = 31.0
_DAG = "/api/v2/dags/retrain"
DAG_FILE = "airflow_impl/dags/retrain.py"


class Follow(Watcher):
    """Triggers the DAG and watches it.

    Args:
        api: of the Airflow.
        request: what of a config is sent.
    """

    def __init__(self, api: AirflowApi, request: Callable[[RetrainConfig], dict[str, Any]]) -> None:
        super().__init__(api, request)
        self.api = api
        self._written = time.monotonic()  # at the latest

    def broken_files(self) -> list[dict[str, Any]]:
        """The import errors that the UI's banner tells of."""
        found: list[dict[str, Any]] = self.api.ask("GET", "/api/v2/importErrors")["import_errors"]
        return found

    def until_parsed(self, patience_s: float, *, wanted: bool) -> float | None:
        """Wait until there are import errors, or none any more; when that was, None after too long."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                if bool(self.broken_files()) is wanted:
                    return time.time()
            except Silent:
                pass
            time.sleep(POLL_S)
        return None

    def tried_again(self, attempt: Attempt, began: float) -> bool:
        failed = attempt.state == "failed" or attempt.task["try_number"] > 1
        return failed and (not attempt.ended or attempt.ended >= began)

    def clear(self, told: Told, patience_s: float) -> Told:
        """Clear the failed tasks of a run, as the UI's button does, and follow it again."""
        began = time.time()
        body = {"dag_run_id": told.run, "only_failed": True, "reset_dag_runs": True, "dry_run": False}
        self.api.ask("POST", f"{_DAG}/clearTaskInstances", json=body)
        return self.follow(told.run, told.config, began, patience_s)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        more: dict[str, Any] = {"json": body} if body is not None else {}
        return self.api.ask(method, path, headers={"Accept": "application/json"}, **more)

    def until_parsed_anew(self, touch: Callable[[], None]) -> None:
        """Have the DAG's file parsed again: retries and time limits of a run are those of the parsed DAG.

        Once Airflow may write it again, and twice: a parse that was under way has read the old file.

        Args:
            touch: changes the time of the file, which is what the dag-processor watches.

        Raises:
            Silent: it was not, for a minute.
        """

        def parsed() -> Any:
            return self.api.ask("GET", _DAG)["last_parsed_time"]

        time.sleep(max(0.0, self._written + WRITTEN_S - time.monotonic()))
        for _ in range(2):
            before = parsed()
            touch()
            deadline = time.monotonic() + PARSED_S
            while parsed() == before:
                if time.monotonic() > deadline:
                    raise Silent("the DAG was not parsed again", where=_DAG, fix="read the dag-processor's log")
                time.sleep(POLL_S)
        self._written = time.monotonic()

    def stop_run(self, run: str) -> None:
        """End what still runs, so that the next fault finds an idle Airflow."""
        self.api.cancel(run)


def in_the_dag(edits: tuple[Edit, ...]) -> bool:
    """Is something of the DAG changed, but not the file that is watched?"""
    names = {each.file for each in edits}
    return any(each.startswith("airflow_impl/") for each in names) and DAG_FILE not in names


class EmbeddedAirflow(Embedded):
    """Scheduler, dag-processor and api-server as processes, started once for all faults."""

    arm: AirflowArm

    def __init__(self, below: Path = BELOW) -> None:
        super().__init__(ArmName.AIRFLOW, below)
        self._follow: Follow | None = None

    @property
    def watching(self) -> Follow:
        """What follows runs; the services are up."""
        assert self._follow is not None
        return self._follow

    def open(self, tell: Tell) -> None:
        super().open(tell)
        for each in self.folder.glob("airflow-*.log"):
            each.unlink()
        tell("starting Airflow")
        address = self.arm.start()
        self._follow = Follow(AirflowApi(address, self.arm.login()), RetrainConfig.json_dict)

    def run(self, config: RetrainConfig, broken: Broken, patience_s: float, *, parses: bool = False) -> Told:
        if parses:
            began = time.time()
            at = self.watching.until_parsed(patience_s, wanted=True)
            if at:
                return Told("not_parsed", "import error", began, at, config)
        return self.watching.run(config, patience_s)

    def code_changed(self, edits: tuple[Edit, ...]) -> None:
        if in_the_dag(edits):
            self.watching.until_parsed_anew((self.root / DAG_FILE).touch)

    def settle(self) -> None:
        self.watching.until_parsed(PARSED_S, wanted=False)  # else no run is taken

    def resume(self, told: Told, patience_s: float) -> Told | None:
        if told.alert == "running":
            self.watching.stop_run(told.run)
        if told.alert == "not_parsed":
            if self.watching.until_parsed(patience_s, wanted=False) is None:
                return None
            return self.watching.run(self.config({}), patience_s)
        return self.watching.clear(told, patience_s) if told.run else None

    def walker(self, told: Told) -> Walker:
        return Walker(self.known(told), self.watching.ask, mlflow=lambda _: self.mlflow(told.config))

    def close(self) -> None:
        if self._follow:
            self._follow.api.rest.close()
        super().close()
