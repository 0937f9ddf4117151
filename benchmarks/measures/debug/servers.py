"""Faults of servers: MLflow down, refusing, out of reach or behind another password; a database locked or down."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from benchmarks import processes
from benchmarks.measures.catalog import Where
from benchmarks.measures.debug.ledger import EndProcess, Ledger, Password, Services, change_password
from benchmarks.measures.debug.place import Breaking, Place, begin, wait_for
from benchmarks.places import child_env, python
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.stack import COMPOSE, STACKS, Tool
from shared.config import RetrainConfig
from shared.errors import StorageError

READY_S = 90.0
#: So long the network of a stack is away: a run's first step has begun by then, and has waited its 3 s for an answer.
AWAY_S = 20.0
#: MB that a container may have beyond what it has; a task needs about 300.
_ROOM_MB = 600
_LOCK = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
held.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(86400)
"""


def start_mlflow(breaking: Breaking, port: int, *more: str) -> str:
    """Start a real MLflow server on the arm's database; it lives until the fault is mended, or its process ended.

    Raises:
        StorageError: it does not answer in time.
    """
    log = breaking.place.folder / "mlflow-server.log"
    log.unlink(missing_ok=True)
    command: list[str | Path] = [
        python("core").parent / "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    # Its page of jobs would start ten processes (DESIGN: a server without them answers the same).
    env = child_env(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", PATH=f"{python('core').parent}:{child_env()['PATH']}")
    store = ["--backend-store-uri", f"sqlite:///{breaking.place.database}", "--no-serve-artifacts"]
    pid = breaking.start([*command, *store, *more], log, env)
    address = f"http://127.0.0.1:{port}"
    if not wait_for(lambda: _answers(f"{address}/health"), READY_S):
        raise StorageError("MLflow's server does not start", where=str(log), fix="read the end of that log")
    del pid
    return address


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _last_started(breaking: Breaking) -> EndProcess:
    return next(each for each in reversed(breaking.broken.undo) if isinstance(each, EndProcess))


def tracking_down(breaking: Breaking) -> None:
    """A server that was there, and is no more."""
    if breaking.place.where is Where.COMPOSE:
        breaking.will(Services(**breaking.place.stack_of, services=("mlflow",), by="start"))
        breaking.place.compose.run("stop", "--timeout", "2", "mlflow")
        return
    address = start_mlflow(breaking, processes.free_port())
    _last_started(breaking).undo()
    breaking.give(settings={"tracking_uri": address, "artifact_location": None})


def tracking_403(breaking: Breaking) -> None:
    """A server that answers none who calls it by the name that tasks use; its health check does not look at that."""
    if breaking.place.where is Where.COMPOSE:
        command = yaml.safe_load((COMPOSE / "base.yaml").read_text())["services"]["mlflow"]["command"]
        override(breaking, "mlflow", {"command": command.replace("mlflow:*,", "")})
        wait_for(lambda: _answers(f"{STACKS[Tool(breaking.place.tool)].mlflow_url(_env(breaking))}/health"), READY_S)
        return
    address = start_mlflow(breaking, processes.free_port(), "--allowed-hosts", "mlflow.example.com")
    breaking.give(settings={"tracking_uri": address, "artifact_location": None})


def _env(breaking: Breaking) -> Any:
    assert breaking.place.env is not None
    return breaking.place.env


def database(breaking: Breaking) -> None:
    """MLflow's database locked by another process; of a stack, Postgres stopped."""
    if breaking.place.where is Where.COMPOSE:
        breaking.will(Services(**breaking.place.stack_of, services=("postgres",), by="start"))
        breaking.place.compose.run("stop", "--timeout", "2", "postgres")
        return
    log = breaking.place.folder / "lock.log"
    log.unlink(missing_ok=True)
    breaking.start([sys.executable, "-c", _LOCK, str(breaking.place.database)], log, child_env())
    if not wait_for(lambda: "locked" in log.read_text(), 60):
        raise StorageError("the database cannot be locked", where=str(log), fix="read that log")


def credential(breaking: Breaking) -> None:
    """Another password on MLflow's server than the tool has; the server forgets logins that it has checked."""
    changed = secrets.token_urlsafe(24)
    env = _env(breaking)
    breaking.will(Password(**breaking.place.stack_of, changed=changed))
    address = STACKS[Tool(breaking.place.tool)].mlflow_url(env)
    change_password(address, env.values["MLFLOW_PASSWORD"], changed)
    # It keeps what it has checked for a minute (auth_cache_ttl_seconds): nobody should be let in by that.
    breaking.place.compose.run("restart", "--timeout", "2", "mlflow")
    wait_for(lambda: _answers(f"{address}/health"), READY_S)


def flaky(breaking: Breaking) -> None:
    """A network that is away for a moment."""
    if breaking.place.where is Where.COMPOSE:
        breaking.will(Services(**breaking.place.stack_of, services=("mlflow",), by="unpause"))
        breaking.place.compose.run("pause", "mlflow")
        return
    address = start_mlflow(breaking, processes.free_port())
    port = processes.free_port()
    log = breaking.place.folder / "proxy.log"
    breaking.start([sys.executable, "-m", "benchmarks.measures.debug.proxy", str(port), address, "1"], log, child_env())
    if not wait_for(lambda: log.exists() and "listening" in log.read_text(), 30):
        raise StorageError("the proxy does not start", where=str(log), fix="read that log")
    breaking.give(settings={"tracking_uri": f"http://127.0.0.1:{port}", "artifact_location": None})


@contextlib.contextmanager
def calmed(breaking: Breaking, flaky: bool) -> Iterator[None]:
    """While a run meets a network that is away: of a stack, it is there again when a first try has had to fail."""
    if not flaky or breaking.place.where is Where.EMBEDDED:
        yield
        return
    timer = threading.Timer(AWAY_S, lambda: breaking.place.compose.run("unpause", "mlflow"))
    timer.start()
    try:
        yield
    finally:
        timer.join()


@contextlib.contextmanager
def as_they_should_be(place: Place, ledger: Ledger, config: RetrainConfig) -> Iterator[None]:
    """Once a fault is mended: the server that a run of this machine has met, well again at the same address."""
    if place.where is not Where.EMBEDDED or not config.tracking_uri.startswith("http"):
        yield
        return
    mended = begin(place, ledger, "mended")
    try:
        start_mlflow(mended, int(urlsplit(config.tracking_uri).port or 0))
        yield
    finally:
        ledger.mend(mended.broken)


def limit_memory(breaking: Breaking, service: str) -> None:
    """Give a service's container little more memory than it has; the kernel kills who wants more."""
    from benchmarks.stacks import engine

    [container] = [each for each in breaking.place.compose.ps() if each.service == service and not each.one_off]
    breaking.will(Services(**breaking.place.stack_of, services=(service,), by="anew"))
    told = engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container.id).split("/")[0].strip()
    limit = f"{int(_mb(told) + _ROOM_MB)}m"
    engine.docker("update", "--memory", limit, "--memory-swap", limit, container.id)


def _mb(told: str) -> float:
    units = {"GiB": 1024.0, "MiB": 1.0, "KiB": 1 / 1024, "B": 1 / 1024**2}
    unit = next(each for each in units if told.endswith(each))
    return float(told.removesuffix(unit)) * units[unit]


def override(breaking: Breaking, service: str, changed: dict[str, Any]) -> None:
    """Deploy a service with other settings than the compose files have.

    Raises:
        StackError: the engine refuses them.
    """
    file = breaking.place.folder / "override.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"services": {service: changed}}))
    breaking.will(Services(**breaking.place.stack_of, services=(service,), by="anew"))
    compose = breaking.place.compose
    wrong = dataclasses.replace(compose, files=(*compose.files, file))
    log = deploy_log(breaking.place.folder)
    begin = time.monotonic()
    try:
        said = wrong.run("up", "--detach", "--no-build", "--no-deps", service, timeout_s=120)
    except StackError as error:
        log.write_text(error.what)
        breaking.notes.append(f"{time.monotonic() - begin:.2f}")
        raise
    log.write_text(said)


def deploy_log(folder: Path) -> Path:
    """What the command has said that deployed a change."""
    return folder / "deploy.log"
