"""Can this machine run the stacks? Each check says what was found, what is needed, and the remedy."""

from __future__ import annotations

import json
import platform
import shutil
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.stacks import engine, env_file
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.env_file import EnvFile
from benchmarks.stacks.stack import STACKS, Tool

GIB = 2**30
MIN_CPUS = 2
MIN_DISK_GIB = 10
ARCHITECTURES = ("x86_64", "amd64", "aarch64", "arm64")
_DESKTOP = " (Docker Desktop: Settings, Resources)"


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    ok: bool
    found: str
    fix: str = ""

    def json_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def checks(tools: list[Tool], path: Path, *, celery: bool = False) -> Iterator[Check]:
    """Check one thing after the other; what needs an engine is left out where none answers.

    Args:
        tools: whose needs are checked.
        path: the env file; it need not be there yet.
        celery: with Airflow's two more workers.
    """
    yield from _engine(tools, celery)
    values = None
    try:
        values = env_file.read(path) if path.exists() else None
        yield Check("env file", True, str(path) if values else f"{path} is not there yet: `up` makes it")
    except StackError as error:
        yield Check("env file", False, f"{error.what} ({error.where})", error.fix)
        return
    yield from _ports(tools, path, values or env_file.of_example())


def require(found: Iterator[Check]) -> None:
    """Stop at the first check that fails, before any work.

    Raises:
        StackError: with its finding and remedy.
    """
    for check in found:
        if not check.ok:
            raise StackError(check.found, where=check.name, fix=check.fix)


def _engine(tools: list[Tool], celery: bool) -> Iterator[Check]:
    try:
        yield Check("docker client", True, engine.find_docker())
    except StackError as error:
        yield Check("docker client", False, error.what, error.fix)
        return
    try:
        info = engine.info()
        yield Check("engine", True, f"Docker {info['ServerVersion']} on {info['OperatingSystem']}")
    except StackError as error:
        yield Check("engine", False, error.what, error.fix)
        return
    try:
        yield Check("compose", True, f"compose {engine.compose_version()}")
    except StackError as error:
        yield Check("compose", False, error.what, error.fix)
    yield architecture(info)
    yield cpus(info)
    yield memory(info, tools, celery=celery)
    yield disk(Path(info["DockerRootDir"]), free_bytes(info))


def architecture(info: dict[str, Any]) -> Check:
    """Are there packages for this engine's processor and system?"""
    found = f"{info['OSType']} on {info['Architecture']}"
    ok = info["OSType"] == "linux" and info["Architecture"] in ARCHITECTURES
    return Check("architecture", ok, found, "use an engine that runs Linux containers on x86-64 or arm64")


def cpus(info: dict[str, Any]) -> Check:
    """Are there enough processors?"""
    found = f"the engine has {info['NCPU']} CPUs; {MIN_CPUS} are needed"
    return Check("cpus", info["NCPU"] >= MIN_CPUS, found, f"give the engine at least {MIN_CPUS} CPUs{_DESKTOP}")


def memory(info: dict[str, Any], tools: list[Tool], *, celery: bool = False) -> Check:
    """Has the engine the memory that the largest of these stacks needs?"""
    need, tool = max((STACKS[tool].needed_gib(celery=celery), tool) for tool in tools)
    has = info["MemTotal"] / GIB
    found = f"the engine has {has:.1f} GiB of memory; {tool} needs {need}"
    # A machine that was sold with 4 GB shows less: its kernel keeps some.
    return Check("memory", has >= need * 0.93, found, f"give the engine at least {need} GiB{_DESKTOP}")


def free_bytes(info: dict[str, Any]) -> int | None:
    """Room where the engine stores images and volumes; unknown when it runs on another machine or in its own."""
    root = Path(info["DockerRootDir"])
    same = platform.system() == "Linux" and info.get("Name") == socket.gethostname()
    if not same:
        return None
    for folder in (root, *root.parents):  # the engine's own folder may be closed to us
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return None


def disk(root: Path, free: int | None) -> Check:
    """Is there room for images and volumes?"""
    if free is None:
        return Check("disk", True, f"not known: the engine's disk is not this machine's; {MIN_DISK_GIB} GiB are needed")
    found = f"{free / GIB:.0f} GiB are free in {root}; {MIN_DISK_GIB} are needed"
    fix = "free some: `docker system df` shows what the engine keeps"
    return Check("disk", free >= MIN_DISK_GIB * GIB, found, fix)


def _ports(tools: list[Tool], path: Path, env: EnvFile) -> Iterator[Check]:
    holders = published()
    for tool in tools:
        stack = STACKS[tool]
        for name, title in stack.ports.items():
            yield port(env.port(name), name, title, stack.project(env.prefix), holders, path)


def port(number: int, name: str, title: str, project: str, holders: dict[int, str], path: Path) -> Check:
    """Is a port free, or held by this very stack?

    Args:
        number: the port.
        name: its variable.
        title: what is to listen there.
        project: the stack that may hold it.
        holders: which project or container holds which port (`published`).
        path: the env file.
    """
    label = f"port {number}"
    if holders.get(number) == project:
        return Check(label, True, f"held by {project} itself, for {title}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
            return Check(label, True, f"free, for {title}")
        except OSError:
            pass
    who = f" by the containers of {holders[number]}" if number in holders else processes.listener(number)
    fix = f"stop that, or choose another port: {name}= in {path}"
    return Check(label, False, f"port {number}, for {title}, is in use{who}", fix)


def published() -> dict[int, str]:
    """Which compose project, or else which container, holds which port of this machine."""
    try:
        ids = engine.docker("container", "ls", "--quiet").split()
        told = json.loads(engine.docker("container", "inspect", *ids)) if ids else []
    except StackError:
        return {}
    found = {}
    for each in told:
        owner = (each["Config"]["Labels"] or {}).get(engine.PROJECT) or each["Name"].lstrip("/")
        for number in engine.Container.read(each).ports:
            found[number] = owner
    return found
