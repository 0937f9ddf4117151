"""Set a tool up on its real servers in containers: images built, the stack started, the first run."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.display import Display
from benchmarks.measures.catalog import Where
from benchmarks.measures.own_stack import OwnStack, own_stack
from benchmarks.measures.rounds import Failed, Taken, Tell
from benchmarks.measures.setup import told
from benchmarks.measures.setup.embedded import MONTH
from benchmarks.places import STATE, ArmName
from benchmarks.results import ArmResult
from benchmarks.retraining import make_configs, run
from benchmarks.stacks import image_size
from benchmarks.stacks.arms import make_arm
from benchmarks.stacks.settings import data_version, settings
from benchmarks.stacks.stack import Tool


def measure(name: ArmName, tell: Tell, *, cached: bool) -> Taken:
    """Build, start, run once, and remove all of it.

    Args:
        name: airflow or prefect.
        tell: is called with what is being done.
        cached: with the layers that the engine has.

    Raises:
        BakeoffError: the engine does not answer, or a step has failed.
    """
    with own_stack(Tool(name), tell, cached=cached) as stack:
        tell("the first run")
        images = {each.image for each in stack.running()}
        facts = {
            "install_s": stack.build_s,
            "processes": float(len(stack.running())),
            "disk_mb": sum(image_size.bytes_of(each) for each in images) / 1e6,
            **told.counts(name, Where.COMPOSE),
        }
        result = retrain(name, stack)
        [done] = result.retrainings
        if done.status == "failed" or done.version is None:
            cause = result.error or done.reason or "no version was registered"
            raise Failed(f"the first run has failed: {cause}", where=name, fix="measure again", taken=Taken(facts))
    return Taken(facts | parts(stack.build_s, stack.up.start_s, result))


def parts(build_s: float, up_s: float, result: ArmResult) -> dict[str, float]:
    """The seconds of each part, and all of them.

    Args:
        build_s: building the images.
        up_s: from there until the stack is healthy.
        result: of the first run.
    """
    waited = result.start_s or 0.0
    return {
        "start_s": up_s + waited,
        "first_run_s": result.seconds - waited,
        "tthw_s": build_s + up_s + result.seconds,
    }


def retrain(name: ArmName, stack: OwnStack, **more: str) -> ArmResult:
    """Run one retraining on a stack, with further fields of `RetrainConfig`; a failure is in the result."""
    folder = Path(tempfile.mkdtemp(dir=STATE / "bench", prefix="run-"))
    try:
        servers = settings(name, stack.env.path)
        server = {"tracking_uri": servers.tracking_uri, "artifact_location": None, "data_rev": data_version()}
        configs = make_configs([MONTH], folder, {**server, **more})
        with Display(Console(quiet=True), [name]) as display:
            return run(name, configs, display, arm=make_arm(folder, servers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
