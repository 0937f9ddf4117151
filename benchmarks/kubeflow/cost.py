"""What Kubeflow's image and containers cost: MB, seconds to build and to compile, seconds beside each component's work.

`./bakeoff bench kubeflow` leaves the user's work tree alone: lines are changed in a copy of it.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from rich.console import Console

from benchmarks import results
from benchmarks.arms import Arm, KubeflowArm
from benchmarks.display import Display
from benchmarks.kubeflow import image
from benchmarks.kubeflow.docker_arm import DockerArm, Runner, places
from benchmarks.places import ROOT, ArmName, child_env, python
from benchmarks.retraining import make_configs, run
from benchmarks.stacks import engine, image_size
from benchmarks.stacks.image_size import ImageSize
from benchmarks.stats import Timing, timing
from shared import events
from shared.errors import BakeoffError

MONTH = "2013-03"
REPEATS, COMPILES = 3, 5
#: The components of the longest way through the pipeline: fetch, ingest, validate, train, select, evaluate, register.
COMPONENTS = 7
#: Whose images are built to be measured, and removed.
PREFIX = "bakeoff-bench"
_NOT_COPIED = shutil.ignore_patterns(".*", "data", "docs", "tests", "__pycache__", "results")


class Sample(BaseModel):
    """One measurement; a failed one has an error and no figure."""

    seconds: float | None = None
    error: str | None = None


class Run(BaseModel):
    """One retraining of 2013-03 from nothing, by one runner of `kfp.local`."""

    runner: Runner
    #: From the call of the pipeline to its end.
    seconds: float | None = None
    #: Of `seconds`: while no step of the core was at work (starting, stopping, KFP's own work, the component `select`).
    outside_s: float | None = None
    #: What each step says of itself; the longer of the two trainings.
    steps_s: dict[str, float] = {}
    error: str | None = None

    @property
    def component_s(self) -> float | None:
        """Seconds beside its work, for each component on the longest way."""
        return None if self.outside_s is None else round(self.outside_s / COMPONENTS, 3)


class KubeflowCost(BaseModel):
    """The result file of `bakeoff bench kubeflow`. Seconds are wall time."""

    measure: Literal["kubeflow"] = "kubeflow"
    environment: results.Environment
    docker: str
    versions: dict[str, str]
    image: ImageSize
    #: What compose/trim_step.sh has taken out of it, MB of 10^6 bytes.
    trimmed_mb: float
    #: By --no-cache. The packages themselves come from the builder's cache mount, which an earlier build has filled.
    cold_build: list[Sample] = []
    package_cache: Literal["warm"] = "warm"
    #: Of what is unchanged, in the same copy.
    same_build: list[Sample] = []
    #: After one more line in a module of `shared/`.
    line_build: list[Sample] = []
    #: Finding the image that the code is mounted over, instead of a build.
    line_mounted: list[Sample] = []
    #: A process that compiles the pipeline, imports and all.
    compile: list[Sample] = []
    #: Interleaved, after one of each that does not count.
    runs: list[Run] = []

    @property
    def failures(self) -> list[str]:
        """What went wrong, if anything."""
        samples = [*self.cold_build, *self.same_build, *self.line_build, *self.line_mounted, *self.compile]
        told = [*(each.error for each in samples), *(each.error for each in self.runs)]
        return [error for error in told if error]


def spread(samples: list[Sample]) -> Timing | None:
    """Median, least and most of the samples that succeeded; None when none did."""
    kept = [each.seconds for each in samples if each.seconds is not None]
    return timing(kept) if kept else None


def of_runs(runs: list[Run], runner: Runner, figure: Callable[[Run], float | None]) -> Timing | None:
    """The same of a figure of one runner's runs."""
    return spread([Sample(seconds=figure(each)) for each in runs if each.runner is runner])


def measure(console: Console, repeats: int = REPEATS) -> KubeflowCost:
    """Measure; about ten minutes on two cores.

    Args:
        console: for progress.
        repeats: samples of builds and runs.

    Raises:
        StackError: no engine answers, or the image cannot be built at all.
    """

    def tell(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    tell("the image, unless it is there")
    name = image.ensure(tell)
    cost = KubeflowCost(
        environment=results.environment(),
        docker=engine.docker("version", "--format", "{{.Server.Version}}").strip(),
        versions=results.versions(ArmName.KUBEFLOW),
        image=image_size.measure(name, image.PREFIX),
        trimmed_mb=round(_trimmed_kib(name) * 1024 / 1e6, 1),
    )
    with _copy() as tree:
        _builds(cost, tree, repeats, tell)
    for number in range(max(COMPILES, repeats)):
        cost.compile.append(_told(tell, f"compile {number + 1}", lambda: _compile(name)))
    for number in range(repeats + 1):
        for runner in Runner:
            done = _retrain(runner, tell)
            kind = "warm-up" if number == 0 else f"{number} of {repeats}"
            tell(f"{runner}, {kind}: {done.error or f'{done.seconds:.1f} s, {done.outside_s:.1f} s outside steps'}")
            if number or done.error:
                cost.runs.append(done)
    return cost


def outside(told: list[dict[str, Any]]) -> tuple[float, float, dict[str, float]]:
    """Seconds of a retraining, of these without a step at work, and of each step; from its events (`shared.events`)."""
    at = {(each["step"], each["state"]): each["time"] for each in told if each["step"] == "retrain"}
    begin, end = at["retrain", "started"], at["retrain", "finished"]
    steps = [each for each in told if each["step"] != "retrain" and each["state"] == "finished"]
    busy, reached = 0.0, begin
    for start, stop in sorted((each["time"] - each["seconds"], each["time"]) for each in steps):
        busy += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    longest: dict[str, float] = {}
    for each in steps:
        longest[each["step"]] = max(longest.get(each["step"], 0.0), round(each["seconds"], 3))
    return end - begin, end - begin - busy, longest


def _builds(cost: KubeflowCost, tree: image.Tree, repeats: int, tell: Callable[[str], None]) -> None:
    built: set[str] = set()

    def build(*options: str) -> None:
        name = image.name(PREFIX, tree)
        built.add(name)
        image.build(name, lambda line: None, tree, *options)

    try:
        cost.cold_build.append(_told(tell, "cold build", lambda: build("--no-cache")))
        for number in range(repeats):
            cost.same_build.append(_told(tell, f"build of what is unchanged, {number + 1}", build))
            with (tree.root / "shared" / "steps.py").open("a") as module:
                module.write(f"# {number}\n")
            cost.line_build.append(_told(tell, f"build after a changed line, {number + 1}", build))
            found = _told(tell, f"no build, {number + 1}", lambda: image.ensure_packages(lambda line: None))
            cost.line_mounted.append(found)
    finally:
        for name in built:
            with suppress(BakeoffError):  # a failed build has left none
                engine.docker("image", "rm", name)


@contextmanager
def _copy() -> Iterator[image.Tree]:
    """A copy of the checkout, as far as an image is built of it."""
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as folder:
        root = Path(folder) / "tree"
        shutil.copytree(ROOT, root, ignore=_NOT_COPIED)
        yield image.Tree(root)


def _compile(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as folder:
        command = [str(python("kubeflow")), "-m", "kubeflow_impl.pipeline", f"{folder}/retrain.yaml"]
        env = child_env(BAKEOFF_KFP_IMAGE=name)
        subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)


def _retrain(runner: Runner, tell: Callable[[str], None]) -> Run:
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as folder:
        [config] = make_configs([MONTH], Path(folder), places() if runner is Runner.DOCKER else {})
        assert config.events is not None
        where = config.events.parent
        arm: Arm = DockerArm(where, tell=tell) if runner is Runner.DOCKER else KubeflowArm(where)
        display = Display(Console(file=io.StringIO()), [arm.name])
        done = run(arm.name, [config], display, arm=arm)
        if done.status == "failed":
            return Run(runner=runner, error=_brief(done.error or "it failed"))
        seconds, outside_s, steps_s = outside(events.read(config.events))
    return Run(runner=runner, seconds=round(seconds, 3), outside_s=round(outside_s, 3), steps_s=steps_s)


def _told(tell: Callable[[str], None], what: str, call: Callable[[], object]) -> Sample:
    start = time.perf_counter()
    try:
        call()
    except (BakeoffError, subprocess.CalledProcessError) as error:
        tell(f"{what}: failed: {error}")
        return Sample(error=_brief(str(error)))
    seconds = round(time.perf_counter() - start, 3)
    tell(f"{what}: {seconds:.2f} s")
    return Sample(seconds=seconds)


def _trimmed_kib(name: str) -> int:
    told = engine.docker("run", "--rm", "--network", "none", "--entrypoint", "cat", name, "/opt/venv/trimmed-kib")
    return int(told)


def _brief(text: str) -> str:
    """An error as a result file holds it: its end, and no path of this machine."""
    return text.replace(f"{ROOT}/", "").strip()[-1000:]
