"""What a tool's real servers cost: seconds until healthy, MB of images, memory and CPU while idle.

`./bakeoff bench stacks` measures one stack after the other, so that each is alone while it is idle.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from rich.console import Console

from benchmarks import results
from benchmarks.places import LOCKS, ROOT
from benchmarks.stacks import doctor, engine, env_file, footprint, image_size, lifecycle
from benchmarks.stacks.footprint import Idle
from benchmarks.stacks.image_size import ImageSize
from benchmarks.stacks.stack import STACKS, Tool
from benchmarks.stats import Timing, timing
from shared.errors import BakeoffError

REPEATS = 3
AGAIN = 3
#: For the estimate only, seconds on two cores with images built.
_UP_S, _DOWN_S, _AGAIN_S, _IMAGE_S = 60, 12, 5, 5


class Start(BaseModel):
    """One `up`; a failed one has an error and no figures."""

    #: The whole call: checks, build, publish, start.
    seconds: float | None = None
    build_s: float | None = None  # what is unchanged comes from the engine's cache
    publish_s: float | None = None  # copying the data registry
    start_s: float | None = None  # until the tool's own health API says healthy
    error: str | None = None


class StackCost(BaseModel):
    """One tool's stack on one machine."""

    environment: results.Environment
    docker: str
    compose: str
    tool: Tool
    celery: bool
    versions: dict[str, str]
    #: From no containers and no volumes: databases are made and migrated, the data copied. n = 1. None: not measured,
    #: because the stack holds what somebody may want to keep.
    first: Start | None = None
    #: From `down` with volumes kept and images built.
    warm: list[Start] = []
    #: Of what is up already.
    again: list[Start] = []
    images: list[ImageSize] = []
    idle: Idle | None = None
    error: str | None = None


class StackCosts(BaseModel):
    """The result file of `bakeoff bench stacks`; each stack tells when and where it was measured."""

    measure: Literal["stacks"] = "stacks"
    stacks: list[StackCost]


def estimate_s(count: int, repeats: int) -> float:
    """How long measuring that many stacks will take, where the images are built."""
    idle = footprint.SETTLE_S + footprint.QUIET_S
    ups = (1 + repeats) * (_UP_S + _DOWN_S) + AGAIN * _AGAIN_S
    return count * (ups + idle + 3 * _IMAGE_S)


def measure(
    tools: list[Tool], path: Path, console: Console, *, celery: bool = False, repeats: int = REPEATS, volumes: bool
) -> StackCosts:
    """Measure stack by stack; each ends up or down as it was found.

    Args:
        tools: whose stacks.
        path: their env file; only the default one is made when it is not there.
        console: for progress.
        celery: Airflow with its Celery workers.
        repeats: warm starts.
        volumes: whatever the stack holds may be removed, for the first start.

    Raises:
        StackError: this machine cannot run the stacks.
    """
    check_env(path)
    for tool in tools:
        doctor.require(doctor.checks([tool], path, celery=celery))
    env_file.make(path)
    return StackCosts(stacks=[_Measuring(tool, path, console, celery).run(repeats, volumes) for tool in tools])


def check_env(path: Path) -> None:
    """See that a named env file is there: a slip of the pen must not start a stack for many minutes.

    Raises:
        StackError: there is none.
    """
    if path != env_file.DEFAULT:
        env_file.read(path)


class _Measuring:
    """One stack, being measured."""

    def __init__(self, tool: Tool, path: Path, console: Console, celery: bool) -> None:
        self.tool, self.path, self.console, self.celery = tool, path, console, celery
        self.prefix = env_file.read(path).prefix
        self.project = STACKS[tool].project(self.prefix)

    def tell(self, line: str) -> None:
        self.console.print(f"{self.project}: {line}", soft_wrap=True, highlight=False, markup=False)

    def run(self, repeats: int, volumes: bool) -> StackCost:
        was_up = any(each.state == "running" for each in engine.containers(self.project))
        cost = StackCost(
            environment=results.environment(),
            docker=engine.docker("version", "--format", "{{.Server.Version}}").strip(),
            compose=engine.compose_version(),
            tool=self.tool,
            celery=self.celery,
            versions=versions(self.tool),
        )
        try:
            return self._measure(cost, repeats, volumes, was_up)
        except KeyboardInterrupt:
            file = "" if self.path == env_file.DEFAULT else f" --env-file {self.path}"
            told = f"stopped: {self.project} stays as it is; `./bakeoff down {self.tool}{file}` removes it"
            raise KeyboardInterrupt(told) from None
        except BakeoffError as error:
            return cost.model_copy(update={"error": brief(error)})

    def _measure(self, cost: StackCost, repeats: int, volumes: bool, was_up: bool) -> StackCost:
        self._down(volumes)
        fresh = not engine.kept("volume", self.project)
        self.tell("the first start" if fresh else "the stack holds data, so no first start (--volumes gives them up)")
        begun = self._up()
        cost.first = begun if fresh else None
        if begun.error:
            return cost.model_copy(update={"error": begun.error})
        for number in range(AGAIN):
            self.tell(f"up of what is up, {number + 1} of {AGAIN}")
            cost.again.append(self._up())
        found = [each for each in engine.containers(self.project) if not each.one_off]
        cost.idle = footprint.measure(found, self.tell)
        for name in sorted({each.image for each in found}):
            self.tell(f"image {name}")
            cost.images.append(image_size.measure(name, self.prefix))
        for number in range(repeats):
            self.tell(f"warm start, {number + 1} of {repeats}")
            self._down()
            cost.warm.append(self._up())
        if not was_up:
            self._down()
        return cost

    def _up(self) -> Start:
        begin = time.monotonic()
        try:
            done = lifecycle.up(self.tool, self.path, self.console, celery=self.celery)
        except BakeoffError as error:
            self.tell(f"failed: {error.what}")
            return Start(error=brief(error))
        seconds = round(time.monotonic() - begin, 2)
        return Start(seconds=seconds, build_s=done.build_s, publish_s=done.publish_s, start_s=done.start_s)

    def _down(self, volumes: bool = False) -> None:
        self.tell(lifecycle.down(self.tool, self.path, self.console, volumes=volumes))


def brief(error: BakeoffError) -> str:
    """An error as a result file holds it: its end, and no path of this machine."""
    return error.what.replace(f"{ROOT}/", "").strip()[-1000:]


def spread(starts: list[Start], figure: Callable[[Start], float | None]) -> Timing | None:
    """Median, least and most of one figure of the starts that succeeded; None when none did."""
    kept = [value for each in starts if (value := figure(each)) is not None]
    return timing(kept) if kept else None


def versions(tool: Tool) -> dict[str, str]:
    """The versions that the images are built of: the locks'."""
    wanted = {Tool.AIRFLOW: "apache-airflow", Tool.PREFECT: "prefect"}[tool]
    text = (LOCKS / f"{tool}.txt").read_text()
    return {
        name: version
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M)
        if name in (wanted, "mlflow")
    }


def merged(before: StackCosts | None, new: StackCosts) -> StackCosts:
    """The new result, with those stacks of the former one that were not measured now."""
    measured = {(each.tool, each.celery) for each in new.stacks}
    old = [each for each in before.stacks if (each.tool, each.celery) not in measured] if before else []
    return StackCosts(stacks=sorted([*old, *new.stacks], key=lambda each: (each.tool, each.celery)))


def read(path: Path) -> StackCosts | None:
    """A result file, where there is one."""
    return StackCosts.model_validate_json(path.read_text()) if path.exists() else None
