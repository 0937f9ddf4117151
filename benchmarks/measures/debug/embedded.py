"""The tools on this machine: each with a SQLite store and a scratch checkout of its own."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks import environments, processes
from benchmarks.arms import ProcessArm
from benchmarks.measures.catalog import Where
from benchmarks.measures.debug.ledger import Broken
from benchmarks.measures.debug.place import Place, make_checkout
from benchmarks.measures.debug.subject import BELOW, MODEL, Subject, Told
from benchmarks.measures.debug.walks import Alert, walks
from benchmarks.measures.rounds import Tell
from benchmarks.places import ENVIRONMENT, STATE, ArmName, child_env, python
from benchmarks.retraining import make_arm
from shared import events
from shared.config import RetrainConfig, StoreConfig

POLL_S = 0.05
ALONE_S = 90.0


class Embedded(Subject):
    """A tool on this machine, with a SQLite store and a scratch checkout of its own."""

    def __init__(self, tool: ArmName, below: Path = BELOW) -> None:
        super().__init__(tool, Where.EMBEDDED, below)
        self.root = self.folder / "checkout"
        self.arm = make_arm(tool, self.folder)
        self.arm.home = STATE / "homes" / f"{tool}-debug"  # of no other run: what is in it may be broken
        self.arm.root = self.root

    @property
    def place(self) -> Place:
        return Place(self.tool, self.where, self.folder, self.folder / "mlflow.db", self.root)

    @property
    def store(self) -> StoreConfig:
        places = {
            "tracking_uri": f"sqlite:///{self.folder}/mlflow.db",
            "artifact_location": f"file://{self.folder}/artifacts",
        }
        return StoreConfig(model_name=MODEL, state=self.folder, **places)

    def open(self, tell: Tell) -> None:
        from benchmarks import dataset, stores

        self.ledger.mend_all()  # what a run that was killed has left on
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        dataset.ensure()
        if not environments.is_ready(ENVIRONMENT[self.tool]):
            tell("installing")
        tell("preparing")
        self.arm.prepare()
        make_checkout(self.root)
        stores.create(self.config({}))
        self.make_champion()

    def alone(self, config: RetrainConfig) -> str | None:
        request = self.folder / "alone.json"
        request.write_text(json.dumps({**config.json_dict(), "request_id": f"{config.request_id}-alone"}))
        # What the tool itself would want of its environment, below a home that no run uses.
        env = child_env(PYTHONPATH=str(self.root), AIRFLOW_HOME=str(self.folder / "alone"), DO_NOT_TRACK="1")
        code = walks(self.tool).locally.check
        command: list[str | Path] = [python(ENVIRONMENT[self.tool]), "-c", code, request]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.root, env=env, timeout=ALONE_S)
        return f"{done.stdout}{done.stderr}"

    def close(self) -> None:
        self.arm.stop()
        self.ledger.mend_all()

    def events(self) -> list[dict[str, Any]]:
        return events.read(self.folder / "events.jsonl")


class Process(Embedded):
    """An arm that is one process: what it prints, and how it ends, is what its user is told."""

    arm: ProcessArm

    @property
    def output(self) -> Path:
        """What the present run has printed."""
        return self.arm.log

    def run(self, config: RetrainConfig, broken: Broken, patience_s: float, *, parses: bool = False) -> Told:
        self.output.unlink(missing_ok=True)
        self.arm.more_env = dict(broken.env)
        began = time.time()
        process = self.arm.start([config])
        deadline = time.monotonic() + patience_s
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        told = time.time()
        code = process.returncode
        if code is not None:
            processes.stop(process)
        return self._told(config, began, told, code)

    def _told(self, config: RetrainConfig, began: float, told: float, code: int | None) -> Told:
        """`recovered`: it ended well, and a step of it did not at first."""
        if code is None:
            return Told("running", "still running", began, told, config, self._run_of(config))
        failed = any(each["state"] == "failed" and each["time"] >= began for each in self.events())
        alert: Alert = "failed" if code else "recovered" if failed or self._lost_one(began) else "succeeded"
        return Told(alert, self._state(code), began, told, config, self._run_of(config), exit_code=code)

    def _lost_one(self, began: float) -> bool:
        """Was a step begun again that has told no end?"""
        now = [each for each in self.events() if each["time"] >= began]
        begun = sum(1 for each in now if each["state"] == "started")
        return begun > len(now) - begun

    def _state(self, code: int) -> str:
        return f"exit code {code}"

    def _run_of(self, config: RetrainConfig) -> str:
        return config.request_id

    def known(self, told: Told) -> dict[str, str]:
        return {**super().known(told), "output": str(self.output)}

    def resume(self, told: Told, patience_s: float) -> Told | None:
        """Plain Python: the same run id once more. Others have no such way."""
        self.arm.stop()
        if self.tool is not ArmName.PLAIN:
            return None
        none = Broken(fault="", tool=self.tool, where=self.where, at="")
        return self.run(told.config, none, patience_s)

    def close(self) -> None:
        self.arm.stop()
        super().close()


class Prefect(Process):
    """The flow on an ephemeral API, which ends with the process; its database stays."""

    def _run_of(self, config: RetrainConfig) -> str:
        """The flow run's id, out of Prefect's database; the harness's business, so not a look of the walk."""
        try:
            with sqlite3.connect(f"file:{self.arm.home}/prefect.db?mode=ro", uri=True, timeout=5) as database:
                rows = database.execute("select id, parameters from flow_run order by created desc limit 5").fetchall()
        except sqlite3.Error:
            return ""
        return next((str(uuid.UUID(row[0])) for row in rows if config.request_id in str(row[1])), "")

    def _state(self, code: int) -> str:
        lines = self.output.read_text(errors="replace").splitlines()
        ended = [line for line in lines if "Finished in state" in line and "Flow run" in line]
        return ended[-1].partition("Finished in state ")[2].partition("(")[0] if ended else f"exit code {code}"

    def known(self, told: Told) -> dict[str, str]:
        return {**super().known(told), "prefect": str(BELOW / "prefect-embedded" / "prefect")}

    def open(self, tell: Tell) -> None:
        super().open(tell)
        # What a user has in the environment of the shell: where Prefect's database is, and which project this is.
        shim = self.folder / "prefect"
        command = python("prefect").parent / "prefect"
        shim.write_text(
            f'#!/bin/sh\ncd {self.root} && PREFECT_HOME={self.arm.home} DO_NOT_TRACK=1 exec {command} "$@"\n'
        )
        shim.chmod(0o755)

    def resume(self, told: Told, patience_s: float) -> Told | None:
        """`prefect flow-run retry`: finished tasks have their results."""
        self.arm.stop()
        if not told.run:
            return None
        self.output.unlink(missing_ok=True)
        env = child_env(PYTHONPATH=str(self.root), PREFECT_HOME=str(self.arm.home), DO_NOT_TRACK="1")
        entry = "prefect_impl/flow.py:retrain"
        command: list[str | Path] = [
            python("prefect").parent / "prefect",
            "flow-run",
            "retry",
            told.run,
            "--entrypoint",
            entry,
        ]
        began = time.time()
        process = processes.start(command, self.output, env, self.root)
        try:
            code: int | None = process.wait(timeout=patience_s)
        except Exception:  # of time
            code = None
        finally:
            processes.stop(process)
        return self._told(told.config, began, time.time(), code)
