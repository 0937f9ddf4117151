"""Where a fault is made: a tool's embedded run with its checkout, or its stack."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks import processes
from benchmarks.measures.catalog import Where
from benchmarks.measures.debug.ledger import Broken, EndProcess, Ledger, Remove, Undo
from benchmarks.places import ROOT, ArmName
from benchmarks.stacks.engine import Compose
from benchmarks.stacks.env_file import EnvFile
from benchmarks.stacks.stack import STACKS, Tool

#: What a run of an adapter needs of a checkout.
CODE = ("shared", "airflow_impl", "prefect_impl", "kubeflow_impl", "pyproject.toml")


@dataclass(frozen=True)
class Place:
    """A tool, embedded or on its stack."""

    tool: ArmName
    where: Where
    #: Receives what faults write: spoilt data, databases, logs of servers.
    folder: Path
    #: MLflow's SQLite database of an embedded arm.
    database: Path | None = None
    #: The scratch checkout whose code may be changed; None: one is made for the fault.
    checkout: Path | None = None
    env: EnvFile | None = None

    @property
    def compose(self) -> Compose:
        """Compose, bound to the stack."""
        assert self.env is not None
        return STACKS[Tool(self.tool)].bind(self.env)

    @property
    def stack_of(self) -> dict[str, Any]:
        """What an undo in the stack is told of it."""
        assert self.env is not None
        return {"tool": Tool(self.tool), "env_file": self.env.path}


@dataclass
class Breaking:
    """A fault that is being made: whatever is changed, how it is undone stands in the ledger before."""

    place: Place
    ledger: Ledger
    broken: Broken
    #: What the injector has to say to a person: where it was refused, or what it waits for.
    notes: list[str] = field(default_factory=list)

    def will(self, undo: Undo) -> None:
        """Write down how the next change is undone."""
        self._keep(undo=(*self.broken.undo, undo))

    def give(self, *, settings: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> None:
        """What the retraining is given beyond its own."""
        self._keep(settings={**self.broken.settings, **(settings or {})}, env={**self.broken.env, **(env or {})})

    def checkout(self) -> Path:
        """The checkout whose code may be changed."""
        if self.place.checkout:
            return self.place.checkout
        root = self.place.folder / "checkout"
        self.will(Remove(path=root))
        make_checkout(root)
        self._keep(root=root)
        return root

    def start(self, command: list[str | Path], log: Path, env: dict[str, str]) -> int:
        """Start a process that lives until the fault is mended; gives its pid."""
        process = processes.start(command, log, env, ROOT)
        # Between the two lines a kill would leave it behind: it is a server that only this fault's port knows.
        self.will(EndProcess(pid=process.pid, created=psutil.Process(process.pid).create_time()))
        return process.pid

    def _keep(self, **more: Any) -> None:
        self.broken = self.broken.model_copy(update=more)
        self.ledger.put(self.broken)


def begin(place: Place, ledger: Ledger, fault: str) -> Breaking:
    """A fault of which nothing is changed yet."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    broken = Broken(fault=fault, tool=place.tool, where=place.where, at=at)
    ledger.put(broken)
    return Breaking(place, ledger, broken)


def make_checkout(root: Path) -> Path:
    """Copy the code that adapters run; what was there is replaced."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name in CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, root / name)
    return root


def wait_for(ready: Callable[[], bool], patience_s: float = 60.0, poll_s: float = 0.1) -> bool:
    """Ask until there is a yes; False after a while."""
    deadline = time.monotonic() + patience_s
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True
