"""A stack that is really there, and what a test does with it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.places import ROOT
from benchmarks.stacks import engine, env_file, lifecycle
from benchmarks.stacks.stack import STACKS, Tool
from shared import registry
from shared.config import StoreConfig


class StackUnderTest:
    """One tool's stack, up and healthy."""

    def __init__(self, tool: Tool, path: Path, *, celery: bool = False, workers: int | None = None) -> None:
        self.tool, self.path = tool, path
        self.up = lifecycle.up(tool, path, Console(stderr=True), celery=celery, workers=workers)
        self.env = env_file.read(path)
        STACKS[tool].sign_in(self.env)
        self.compose = STACKS[tool].bind(self.env, celery=celery)
        self.store = StoreConfig(tracking_uri=self.up.mlflow_url, artifact_location=None)

    def pid(self, service: str) -> int:
        """The process that a service's container stands and falls with, as the engine's machine numbers it."""
        container, *_ = [each for each in self.compose.ps() if each.service == service and not each.one_off]
        return int(engine.docker("inspect", "--format", "{{.State.Pid}}", container.id))

    def kill(self, service: str) -> None:
        """`kill -9` of a service's process. `docker kill` would not do: no restart policy follows it."""
        on_the_engine = (
            "run",
            "--rm",
            "--pid",
            "host",
            "--user",
            "0",
            "--network",
            "none",
            f"{self.env.prefix}-mlflow:0.1.0",
        )
        kill = f"import os; os.kill({self.pid(service)}, 9)"
        engine.docker(*on_the_engine, "python", "-c", kill)

    def promotions(self) -> list[str]:
        """The months whose challenger was promoted, as the promotion log has them."""
        return [entry.month for entry in registry.promotion_log(self.store) if entry.event == "promoted"]

    def champion(self) -> int | None:
        return registry.champion(self.store)


@dataclass
class Ended:
    """A retraining that was asked for on the command line."""

    code: int
    result: dict
    told: str
    seconds: float

    @property
    def retraining(self) -> dict:
        [each] = self.result["retrainings"]
        return each


def retrain(stack: StackUnderTest, month: str, during_training: Callable[[], None] | None = None) -> Ended:
    """`./bakeoff retrain --stack compose`, with something that happens while candidates are being trained."""
    command = [ROOT / "bakeoff", "retrain", "--on", stack.tool, "--month", month, "--json"]
    command += ["--stack", "compose", "--env-file", stack.path]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        told = []
        for line in process.stderr:
            told.append(line)
            if during_training and "training" in line:
                during_training()
                during_training = None
        output = process.stdout.read()
        code = process.wait()
    finally:
        process.kill()
    assert during_training is None, f"training never began: {''.join(told)}"
    return Ended(code, json.loads(output), "".join(told), round(time.monotonic() - start, 1))


def arrive(stack: StackUnderTest, month: str, model: str) -> dict:
    """`./bakeoff arrive`: data land, and nothing else is asked for."""
    command = [ROOT / "bakeoff", "arrive", month, "--on", stack.tool, "--model", model, "--json"]
    done = subprocess.run([*command, "--env-file", stack.path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def becomes_a_model(stack: StackUnderTest, month: str, model: str, patience_s: float = 240) -> None:
    """See that a month that has arrived becomes a registered champion, with no further command."""
    store = stack.store.model_copy(update={"model_name": model})
    deadline = time.monotonic() + patience_s
    # The alias moves first, and the log tells of it a moment later.
    while registry.champion(store) is None or not registry.promotion_log(store):
        assert time.monotonic() < deadline, f"no {model} is registered"
        time.sleep(1)
    [entry] = registry.promotion_log(store)
    assert (entry.event, entry.month, entry.orchestrator) == ("promoted", month, stack.tool)


def bring_up(tool: Tool, path: Path) -> StackUnderTest:
    """A stack from nothing, whatever an earlier run has left."""
    lifecycle.down(tool, path, Console(stderr=True), volumes=True)
    return StackUnderTest(tool, path)


def take_down(tool: Tool, path: Path) -> None:
    lifecycle.down(tool, path, Console(stderr=True), volumes=True)
