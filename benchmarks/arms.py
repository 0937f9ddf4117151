"""The four arms: plain Python, Prefect, Airflow and Kubeflow, each driven the way its users start it on a laptop."""

from __future__ import annotations

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import environments, processes, results
from benchmarks.places import ENVIRONMENT, ROOT, STATE, ArmName, Stack, child_env, python
from shared import events
from shared.config import RetrainConfig
from shared.errors import BakeoffError
from shared.serve import STOP_WITH_STDIN

POLL_S = 0.1


class ArmFailed(BakeoffError):
    """A tool ended a run as failed, or never ran it."""

    #: Does the text tell the step's own cause? Else the harness takes that from the step's event.
    tells_cause = False


class Arm(ABC):
    """One way to run the retraining. `folder` holds what its runs write; `home` the tool's own database."""

    name: ArmName
    stack = Stack.EMBEDDED
    #: What a person who has pressed Ctrl-C is told.
    stopped = "stopped; no process is left behind"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = STATE / "homes" / self.name
        #: The checkout whose code runs, and what its processes get beside their own environment: another one, and more,
        #: where a fault is on (`./bakeoff break`).
        self.root = ROOT
        self.more_env: dict[str, str] = {}
        self.log = folder / f"{self.name}.log"

    def prepare(self) -> None:
        """What is done once for each checkout, before any run: the environment, and the tool's own database."""
        environments.ensure(ENVIRONMENT[self.name])

    @abstractmethod
    def retrain(self, configs: list[RetrainConfig]) -> Iterator[dict[str, Any]]:
        """Run the retrainings in order, yielding their events (`shared.events`) as they happen.

        Raises:
            ArmFailed: a run ended as failed in the tool; the cause is in its last event.
        """

    @abstractmethod
    def stop(self) -> None:
        """End every process that is still there."""

    def pids(self) -> dict[str, int]:
        """The processes that it has started itself, by what they are; they may have ended."""
        return {}

    def variables(self) -> dict[str, str]:
        """The environment variables that configure the tool's processes."""
        return {}

    def installed(self) -> bool:
        """Is there nothing left to install?"""
        return environments.is_ready(ENVIRONMENT[self.name])

    def install_s(self) -> float | None:
        """Seconds that building the environment took, when it was done."""
        return environments.install_seconds(ENVIRONMENT[self.name])

    def versions(self) -> dict[str, str]:
        """Versions of the tool and of the core's libraries, where the retrainings run."""
        return results.versions(self.name) if self.installed() else {}


class ProcessArm(Arm):
    """An arm that is one process: it takes a request file and runs it (`shared.serve`)."""

    module: str

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._process: Any = None

    def start(self, configs: list[RetrainConfig]) -> subprocess.Popen[bytes]:
        """Start the process that runs the retrainings."""
        request = self.folder / "request.json"
        request.write_text(json.dumps([config.json_dict() for config in configs]))
        # Its standard input ends with us: a harness that is killed leaves no retraining behind that goes on unseen.
        process = processes.start(
            [python(ENVIRONMENT[self.name]), "-m", self.module, request],
            self.log,
            child_env(**{"PYTHONPATH": str(self.root), **self.env(), STOP_WITH_STDIN: "1", **self.more_env}),
            self.root,
            stdin=subprocess.PIPE,
        )
        self._process = process
        return process

    def retrain(self, configs: list[RetrainConfig]) -> Iterator[dict[str, Any]]:
        self.start(configs)
        listener = configs[0].events or self.folder / "events.jsonl"
        seen = 0
        while True:
            ended = self._process.poll() is not None  # asked first, so that no last event is missed
            for event in events.read(listener, seen):
                seen += 1
                yield event
            if ended:
                break
            with suppress(subprocess.TimeoutExpired):  # not slept out: the rest of a poll would count against the tool
                self._process.wait(timeout=POLL_S)
        if self._process.returncode:
            cause = processes.raised(self.log) or processes.tail(self.log, 1)
            raise ArmFailed(
                f"{self.name} ended with exit code {self._process.returncode}: {cause}",
                where=str(self.log),
                fix="read the end of that log",
            )

    def env(self) -> dict[str, str]:
        """Environment variables of the process."""
        return {}

    def variables(self) -> dict[str, str]:
        return self.env()

    def pids(self) -> dict[str, int]:
        return {self.name.value: self._process.pid} if self._process is not None else {}

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)


class PlainArm(ProcessArm):
    """`shared/pipeline.py`: the baseline."""

    name = ArmName.PLAIN
    module = "shared.pipeline"


class KubeflowArm(ProcessArm):
    """`kfp.local` with the subprocess runner: every component in a process of its own, no cluster."""

    name = ArmName.KUBEFLOW
    module = "kubeflow_impl"


class PrefectArm(ProcessArm):
    """An ephemeral Prefect API with its database in `home`; settings of the project are in pyproject.toml."""

    name = ArmName.PREFECT
    module = "prefect_impl"

    def env(self) -> dict[str, str]:
        return {"PREFECT_HOME": str(self.home), "DO_NOT_TRACK": "1"}

    def prepare(self) -> None:
        super().prepare()
        once(
            self.home / "migrated",
            environments.lock_text("prefect"),
            [python("prefect").parent / "prefect", "server", "database", "upgrade", "--yes"],
            child_env(**self.env()),
        )


def once(stamp: Path, content: str, command: list[str | Path], env: dict[str, str]) -> None:
    """Run a command unless it has already succeeded for the same lock."""
    if stamp.exists() and stamp.read_text() == content:
        return
    stamp.parent.mkdir(parents=True, exist_ok=True)
    log = stamp.with_suffix(".log")
    process = processes.start(command, log, env, ROOT)
    try:
        if process.wait(timeout=180):
            raise ArmFailed(
                f"`{' '.join(os.fspath(part) for part in command[1:])}` failed: {processes.tail(log, 3)}",
                where=str(log),
                fix=f"remove {stamp.parent} and run again",
            )
    finally:
        processes.stop(process)
    stamp.write_text(content)
