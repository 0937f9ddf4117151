"""What is broken at present, and how to undo it: written down before anything is changed, so a kill loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import psutil
from filelock import FileLock
from pydantic import Field, TypeAdapter, ValidationError

from benchmarks.measures.catalog import Where
from benchmarks.places import STATE, ArmName
from benchmarks.stacks import env_file
from benchmarks.stacks.engine import Compose, StackError
from benchmarks.stacks.stack import MLFLOW_USER, STACKS, Tool
from shared.config import Record
from shared.errors import BakeoffError, StorageError

#: Of the faults that are on for live demonstrations; a measurement keeps a ledger of its own.
LIVE = STATE / "broken.json"
_ENDS_S = 10.0
#: In a container: put back what a fault has set aside, compiled modules too; a second time there is nothing left.
PUT_BACK = 'for each in "$@"; do if [ -e "$each.kept" ]; then mv "$each.kept" "$each"; touch "$each"; fi; done'


class EndProcess(Record):
    """End a process that a fault has started, with its family."""

    kind: Literal["process"] = "process"
    pid: int
    #: Seconds since 1970: a pid may have been given to another process since.
    created: float

    def undo(self) -> None:
        """End it, if it is still that process."""
        try:
            found = psutil.Process(self.pid)
            if abs(found.create_time() - self.created) > 1:
                return
            family = [*found.children(recursive=True), found]
        except psutil.NoSuchProcess:
            return
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGTERM)
        for each in psutil.wait_procs(family, timeout=_ENDS_S)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


class Restore(Record):
    """Put back a file that a fault has changed."""

    kind: Literal["restore"] = "restore"
    path: Path
    kept: Path

    def undo(self) -> None:
        """Give it its bytes again, as of now: whoever watches it (a dag-processor) sees a change."""
        if self.kept.exists():
            os.utime(self.kept)
            os.replace(self.kept, self.path)


class Remove(Record):
    """Remove a folder that a fault has made."""

    kind: Literal["remove"] = "remove"
    path: Path

    def undo(self) -> None:
        """Remove it, if it is there."""
        shutil.rmtree(self.path, ignore_errors=True)


class OfStack(Record):
    """What is undone in a stack of containers."""

    tool: Tool
    env_file: Path

    def compose(self) -> Compose:
        """Compose, as the files have the stack."""
        return STACKS[self.tool].bind(env_file.read(self.env_file))

    def gone(self) -> bool:
        """Has the stack been taken down? Then the fault went with it."""
        return not self.env_file.exists() or not self.compose().ps()


class Services(OfStack):
    """Bring services back to what the compose files say."""

    kind: Literal["services"] = "services"
    services: tuple[str, ...]
    #: `start` what was stopped, `unpause`, or make containers `anew`.
    by: Literal["start", "unpause", "anew"]

    def undo(self) -> None:
        """Start, unpause or recreate them, and wait until those with a health check are healthy."""
        if self.gone():
            return
        compose = self.compose()
        if self.by == "anew":
            compose.run("up", "--detach", "--no-build", "--no-deps", "--force-recreate", *self.services)
        else:
            with contextlib.suppress(StackError):  # what runs already cannot be unpaused
                compose.run(self.by, *self.services)
        wait_until_healthy(compose, self.services)


class InContainer(OfStack):
    """Put back files inside a service's container."""

    kind: Literal["in container"] = "in container"
    service: str
    paths: tuple[str, ...]

    def undo(self) -> None:
        """Put back what `PUT_BACK` finds; a container that was made anew meanwhile has its own files."""
        if not self.gone():
            words = ("exec", "--no-TTY", "--user", "0", self.service, "sh", "-c", PUT_BACK, "sh", *self.paths)
            self.compose().run(*words)


class Password(OfStack):
    """Give MLflow's user the password of the env file again."""

    kind: Literal["password"] = "password"
    changed: str

    def undo(self) -> None:
        """Change it back, unless it is right already."""
        if self.gone():
            return
        env = env_file.read(self.env_file)
        address, right = STACKS[self.tool].mlflow_url(env), env.values["MLFLOW_PASSWORD"]
        change_password(address, self.changed, right)


Undo = Annotated[
    EndProcess | Restore | Remove | Services | InContainer | Password,
    Field(discriminator="kind"),
]


class Broken(Record):
    """One fault that is on."""

    fault: str
    tool: ArmName
    where: Where
    at: str
    #: What a retraining is given beyond its own settings and environment, and the checkout that it runs.
    settings: dict[str, Any] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)
    root: Path | None = None
    #: Undone last first.
    undo: tuple[Undo, ...] = ()


_ALL = TypeAdapter(tuple[Broken, ...])


class Ledger:
    """The faults that are on, in a file.

    Args:
        file: where; each change of it is whole or not at all.
    """

    def __init__(self, file: Path = LIVE) -> None:
        self.file = file
        self._lock = FileLock(file.with_suffix(".lock"))

    def read(self) -> list[Broken]:
        """What is on.

        Raises:
            StorageError: the file is of no such ledger.
        """
        if not self.file.exists():
            return []
        try:
            told = json.loads(self.file.read_text())
            return list(_ALL.validate_python(told["broken"]))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise StorageError(
                f"this is no ledger of faults: {str(error).splitlines()[0]}",
                where=str(self.file),
                fix="restore it, or remove it and see yourself that no fault is left: `./bakeoff status`",
            ) from error

    def write(self, broken: list[Broken]) -> None:
        """Keep what is on; without any, no file."""
        if not broken:
            self.file.unlink(missing_ok=True)
            return
        making = self.file.with_suffix(".making")
        making.write_text(json.dumps({"schema_version": 1, "broken": [each.json_dict() for each in broken]}, indent=2))
        with making.open() as stream:
            os.fsync(stream.fileno())
        os.replace(making, self.file)

    def put(self, broken: Broken) -> None:
        """Keep one that is on, or what has become of it."""
        others = [each for each in self.read() if (each.fault, each.tool, each.where) != _key(broken)]
        self.write([*others, broken])

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the ledger: two commands must not break and mend at once."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            yield

    def of(self, tool: ArmName, where: Where) -> Broken | None:
        """What is on there."""
        return next((each for each in self.read() if (each.tool, each.where) == (tool, where)), None)

    def mend(self, broken: Broken) -> None:
        """Undo one fault; each step that is done leaves the ledger, so that a call after a kill does the rest.

        Raises:
            BakeoffError: a step cannot be undone; the ledger keeps it.
        """
        while broken.undo:
            _undo(broken)
            broken = broken.model_copy(update={"undo": broken.undo[:-1]})
            self.put(broken)
        self.write([each for each in self.read() if (each.fault, each.tool, each.where) != _key(broken)])

    def mend_all(self) -> list[Broken]:
        """Undo everything that is on, the last first, and tell what that was.

        Raises:
            BakeoffError: the first that cannot be undone, after all others were.
        """
        done, first = [], None
        for each in reversed(self.read()):
            try:
                self.mend(each)
                done.append(each)
            except BakeoffError as error:
                first = first or error
        if first:
            raise first
        return done


def _undo(broken: Broken) -> None:
    try:
        broken.undo[-1].undo()
    except OSError as error:
        raise StorageError(
            f"a part of {broken.fault} cannot be undone: {error.strerror or error}",
            where=str(error.filename or broken.undo[-1].kind),
            fix="correct that, then run `./bakeoff mend` again: what is undone already stays so",
        ) from error


def _key(broken: Broken) -> tuple[str, ArmName, Where]:
    return broken.fault, broken.tool, broken.where


def wait_until_healthy(compose: Compose, services: tuple[str, ...], patience_s: float = 180.0) -> None:
    """Wait for services that have a health check.

    Raises:
        StackError: they do not become healthy in time.
    """
    deadline = time.monotonic() + patience_s
    while True:
        found = [each for each in compose.ps() if each.service in services and not each.one_off]
        if found and all(each.state == "running" and each.health in ("", "healthy") for each in found):
            return
        if time.monotonic() > deadline:
            told = ", ".join(f"{each.title} {each.state} {each.health}".strip() for each in found)
            fix = "`./bakeoff status` and `./bakeoff logs` say more; `./bakeoff up` starts what is down"
            raise StackError(f"not healthy after {patience_s:.0f} s: {told}", where=compose.project, fix=fix)
        time.sleep(0.5)


def change_password(address: str, present: str, wanted: str) -> None:
    """Change the password of MLflow's user on its server.

    Raises:
        StackError: the server refuses, and the wanted one is not in force.
    """
    path = f"{address}/api/2.0/mlflow/users"
    with httpx.Client(timeout=15, trust_env=False) as client:
        try:
            body = {"username": MLFLOW_USER, "password": wanted, "current_password": present}
            answer = client.patch(f"{path}/update-password", json=body, auth=(MLFLOW_USER, present))
            if answer.is_success:
                return
            known = client.get(f"{path}/get", params={"username": MLFLOW_USER}, auth=(MLFLOW_USER, wanted))
            if known.is_success:
                return
            said = f"HTTP {answer.status_code}: {answer.text[:200]}"
        except httpx.HTTPError as error:
            said = str(error)
    raise StackError(f"MLflow's password cannot be changed: {said}", where=address, fix="see that its server is up")
