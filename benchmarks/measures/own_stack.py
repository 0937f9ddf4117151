"""A compose stack that is a measure's own: other ports, volumes and images than `./bakeoff up` has, and none left."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.measures.rounds import Tell
from benchmarks.places import STATE
from benchmarks.stacks import build, engine, env_file, lifecycle
from benchmarks.stacks.engine import Compose, Container
from benchmarks.stacks.env_file import EnvFile
from benchmarks.stacks.lifecycle import Up
from benchmarks.stacks.stack import STACKS, Tool


@dataclass(frozen=True)
class OwnStack:
    """A stack that is healthy.

    Args:
        tool: whose.
        env: its env file.
        build_s: seconds that building its images took.
        up: what starting it gave and took.
    """

    tool: Tool
    env: EnvFile
    build_s: float
    up: Up

    def running(self) -> list[Container]:
        """Its containers that run."""
        return [each for each in engine.containers(self.up.project) if each.state == "running" and not each.one_off]


@contextlib.contextmanager
def own_stack(tool: Tool, tell: Tell, *, cached: bool = True) -> Iterator[OwnStack]:
    """Build and start a stack of its own; at the end its containers, volumes and images are removed.

    Args:
        tool: whose.
        tell: is called with what is being done.
        cached: build of the layers that the engine has; without, each step of the Dockerfile is run anew. What those
            steps fetch comes from the engine's cache of packages in both cases, the base image is there already.

    Raises:
        StackError: the engine does not answer, or the stack will not be healthy.
    """
    below = STATE / "bench"
    below.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=below, prefix="stack-"))
    name = folder.name.removeprefix("stack-").replace("_", "-").lower()
    quiet = Console(quiet=True)
    try:
        env = env_file.make_another(folder / "env", f"bakeoff-bench-{name}0")  # a name may not end with a dash
        try:
            tell(f"{tool}: building the images")
            begin = time.monotonic()
            _build(STACKS[tool].bind(env), tell, cached=cached)
            build_s = time.monotonic() - begin
            tell(f"{tool}: starting the stack")
            yield OwnStack(tool, env, build_s, lifecycle.up(tool, env.path, quiet))
        finally:
            tell(f"{tool}: removing the stack")
            lifecycle.down(tool, env.path, quiet, volumes=True)
            remove_images(env.prefix)
        shutil.rmtree(STACKS[tool].bind(env).folder, ignore_errors=True)  # after a failure its logs are kept
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build(compose: Compose, tell: Tell, *, cached: bool) -> None:
    build.build(compose, lambda step: tell(f"building: {step}"), cached=cached)


def remove_images(prefix: str) -> None:
    """Remove the images of a prefix; what they are made of stays in the engine's cache.

    Raises:
        StackError: the engine does not answer, or refuses.
    """
    words = ("image", "ls", "--filter", f"reference={prefix}-*", "--format", "{{.Repository}}:{{.Tag}}")
    if names := engine.docker(*words).split():
        engine.docker("image", "rm", "--force", *names, timeout_s=180)
