"""What a running stack looks like from outside: its services, its health, its logs."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.stacks import engine, env_file, health
from benchmarks.stacks.engine import Container, StackError
from benchmarks.stacks.stack import STACKS, Tool, prefix


@dataclass(frozen=True)
class Service:
    """One service of a stack."""

    name: str
    state: str
    health: str
    exit_code: int
    restarts: int
    memory_mib: float | None  # of a running one
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Status:
    """One stack as it is now."""

    tool: Tool
    project: str
    up: bool
    celery: bool
    services: list[Service] = field(default_factory=list)
    #: What keeps it from being healthy, as the containers and the tool's own API tell it.
    reasons: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Is it up, with nothing amiss?"""
        return self.up and not self.reasons

    def json_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "healthy": self.healthy}


def status(tool: Tool, path: Path) -> Status:
    """Ask the engine and the tool.

    Raises:
        StackError: the engine does not answer.
    """
    engine.info()
    stack = STACKS[tool]
    project = stack.project(prefix(path))
    found = [each for each in engine.containers(project) if not each.one_off]
    celery = any(each.service in stack.more_services for each in found)
    if not found:
        return Status(tool, project, up=False, celery=False)
    lacks = health.of_containers(stack, found, celery=celery)
    reasons = [f"{name}: {lack}" for name, lack in lacks.items()]
    try:
        reasons += health.of_tool(stack, env_file.read(path)).reasons
    except StackError as error:
        reasons.append(f"{stack.title} cannot be asked: {error.what}")
    used = memory(found)
    services = [
        Service(each.title, each.state, each.health, each.exit_code, each.restarts, used.get(each.id), each.ports)
        for each in found
    ]
    return Status(tool, project, up=True, celery=celery, services=services, reasons=reasons)


def memory(found: list[Container]) -> dict[str, float]:
    """MiB that each running container uses, by its id."""
    running = [each.id for each in found if each.state == "running"]
    if not running:
        return {}
    told = engine.docker("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", *running)
    lines = [json.loads(line) for line in told.splitlines()]
    return {line["ID"]: mebibytes(line["MemUsage"].partition("/")[0].strip()) for line in lines}


def mebibytes(text: str) -> float:
    """A size as docker prints it, such as 1.5GiB."""
    number = text.rstrip("BKMGTikm")
    factor = {"": 2**-20, "K": 2**-10, "M": 1.0, "G": 2.0**10, "T": 2.0**20}
    return round(float(number) * factor[text[len(number) :].rstrip("iB").upper()], 1)


def table(told: Status) -> Table:
    """The services of one stack."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("service", "state", "health", "restarts", "memory", "port"):
        made.add_column(name, no_wrap=True, justify="right" if name in ("restarts", "memory") else "left")
    for each in told.services:
        state = f"exited ({each.exit_code})" if each.state == "exited" else each.state
        used = "" if each.memory_mib is None else f"{each.memory_mib:.0f} MiB"
        made.add_row(each.name, state, each.health, str(each.restarts), used, ", ".join(map(str, each.ports)))
    return made


def logs(tool: Tool, path: Path, service: str | None, *, follow: bool = False, tail: int | None = None) -> int:
    """Print the logs of one or all services, by the engine itself.

    Returns:
        The exit code of docker.

    Raises:
        StackError: the stack is not up, or has no such service.
    """
    engine.info()
    engine.compose_version()
    project = STACKS[tool].project(prefix(path))
    names = sorted({each.service for each in engine.containers(project) if not each.one_off})
    if not names:
        raise StackError(f"{project} is not up", where=project, fix=f"`./bakeoff up {tool}` starts it")
    if service is not None and service not in names:
        raise StackError(f"there is no service {service}", where=project, fix=f"choose from {', '.join(names)}")
    options = ["--follow"] * follow + (["--tail", str(tail)] if tail is not None else [])
    command = ["compose", "--project-name", project, "logs", *options, *([service] if service else [])]
    try:
        # In the root folder there is no compose file that docker would read besides.
        return subprocess.run([engine.find_docker(), *command], env=engine.child_env(), cwd="/").returncode
    except KeyboardInterrupt:
        if follow:
            return 0  # the only way to end it
        raise
