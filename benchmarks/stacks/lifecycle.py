"""Bring a stack up and take it down."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from rich.console import Console
from rich.markup import escape

from benchmarks import dataset, processes
from benchmarks.display import Display
from benchmarks.places import STATE
from benchmarks.stacks import doctor, engine, env_file, health, registry, waiting
from benchmarks.stacks.build import build
from benchmarks.stacks.engine import Compose, StackError
from benchmarks.stacks.env_file import EnvFile
from benchmarks.stacks.stack import STACKS, Stack, Tool, mlflow_login, prefix

T = TypeVar("T")


@dataclass(frozen=True)
class Up:
    """A stack that is up and healthy, and what that took."""

    tool: Tool
    project: str
    celery: bool
    url: str
    mlflow_url: str
    user: str
    password: str
    mlflow_user: str
    mlflow_password: str
    data_rev: str  # commit of the data registry
    build_s: float
    publish_s: float
    start_s: float  # until all is healthy

    def json_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def up(tool: Tool, path: Path, console: Console, *, celery: bool = False) -> Up:
    """Build, publish the data, start, wait until healthy; what is done already costs seconds.

    Args:
        tool: whose stack.
        path: the env file; made when it is not there.
        console: for progress.
        celery: Airflow with Redis and two Celery workers.

    Raises:
        StackError: with the cause and the remedy.
    """
    stack = STACKS[tool]
    if celery and not stack.more_services:
        raise StackError(f"{tool} has no Celery workers", where="--celery", fix="leave it out: it is for airflow")
    doctor.require(doctor.checks([tool], path, celery=celery))
    if env_file.make(path):
        console.print(f"made {path} with random secrets; it is yours to keep", highlight=False, soft_wrap=True)
    env = env_file.read(path)
    compose = stack.bind(env, celery=celery)
    with only_one(compose.project):
        try:
            return _up(stack, env, compose, console, celery)
        except KeyboardInterrupt:
            console.print(
                f"what is built and started stays: the same command goes on, `./bakeoff down {tool}` removes it",
                highlight=False,
                soft_wrap=True,
            )
            raise


def _up(stack: Stack, env: EnvFile, compose: Compose, console: Console, celery: bool) -> Up:
    dataset.ensure()
    with Display(console, [compose.project]) as display:
        tell = teller(display, compose.project)
        tell("building the images")
        build_s, _ = _timed(lambda: build(compose, lambda step: tell(f"building: {step}")))
        tell("publishing the data")
        with FileLock(STATE / "stacks" / "registry.lock"):  # both stacks publish out of one folder
            publish_s, commit = _timed(lambda: registry.publish(compose))
        tell("starting")
        start_s, _ = _timed(lambda: _start(stack, env, compose, tell, celery))
        display.end(compose.project, f"[green]healthy[/green] (build {build_s:.0f} s, start {start_s:.0f} s)")
    user, password = stack.login(env)
    mlflow_user, mlflow_password = mlflow_login(env)
    return Up(
        tool=stack.tool,
        project=compose.project,
        celery=celery,
        url=stack.url(env),
        mlflow_url=stack.mlflow_url(env),
        user=user,
        password=password,
        mlflow_user=mlflow_user,
        mlflow_password=mlflow_password,
        data_rev=commit,
        build_s=build_s,
        publish_s=publish_s,
        start_s=start_s,
    )


def _start(stack: Stack, env: EnvFile, compose: Compose, tell: Callable[[str], None], celery: bool) -> None:
    log = compose.folder / "up.log"
    if compose.is_current() and not health.of_containers(stack, compose.ps(), celery=celery):
        waiting.until_healthy(stack, env, compose, None, log, tell, celery=celery)
        return
    log.unlink(missing_ok=True)
    # Going from --celery back to plain makes the workers orphans: they are removed.
    starting = compose.start(log, "up", "--detach", "--no-build", "--remove-orphans")
    try:
        waiting.until_healthy(stack, env, compose, starting, log, tell, celery=celery)
    finally:
        if starting.poll() is None:
            processes.stop(starting)


def down(tool: Tool, path: Path, console: Console, *, volumes: bool = False) -> str:
    """Remove a stack's containers and network, and its volumes when asked; it need not be up.

    The containers are found by their label: neither the compose files nor the whole env file have to be valid.

    Returns:
        What was removed and what is kept.

    Raises:
        StackError: the engine does not answer, or refuses.
    """
    engine.info()
    engine.compose_version()
    project = STACKS[tool].project(prefix(path))
    with only_one(project):
        found = engine.containers(project)
        held = engine.kept("volume", project)
        networks = engine.kept("network", project)
        if not found and not networks and not (held and volumes):
            return f"{project} is not up" + _kept(held, tool)
        more = ["--volumes"] if volumes else []
        with Display(console, [project]) as display:
            display.begin(project, f"removing {len(found)} containers" if found else "removing what is left")
            engine.docker(
                *("compose", "--project-name", project, "down", "--remove-orphans", *more), timeout_s=180, cwd=Path("/")
            )
            display.end(project, "down")
        left = engine.kept("volume", project)
        gone = [name for name in held if name not in left]
        parts = [f"{len(found)} containers"] * bool(found) + [f"the volumes {', '.join(gone)}"] * bool(gone)
        return f"{project}: removed {' and '.join(parts) or 'its network'}" + _kept(left, tool)


def _kept(volumes: list[str], tool: Tool) -> str:
    if not volumes:
        return "; nothing is kept"
    return f"; kept: the volumes {', '.join(volumes)} (`./bakeoff down {tool} --volumes` removes them)"


@contextlib.contextmanager
def only_one(project: str) -> Iterator[None]:
    """Hold a stack, so that two commands do not bring it up and down at once.

    Raises:
        StackError: another command holds it.
    """
    folder = STATE / "stacks" / project
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "in-use.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StackError(
            "another command is bringing this stack up or down", where=project, fix="wait until it has ended"
        ) from None
    try:
        yield
    finally:
        lock.release()


def teller(display: Display, name: str) -> Callable[[str], None]:
    """What tells on the display what is being done, each thing once."""
    said = ""

    def tell(what: str) -> None:
        nonlocal said
        if what != said:
            said = what
            display.begin(name, escape(what))

    return tell


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    begin = time.monotonic()
    result = call()
    return round(time.monotonic() - begin, 2), result
