"""The same retraining on every arm: March 2013, into a store that is new each time, so that each is the same work."""

from __future__ import annotations

import resource
import shutil
import uuid
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from benchmarks import dataset, results
from benchmarks.display import Display
from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.graphs import Open, no_engine
from benchmarks.measures.graphs.split import covered
from benchmarks.measures.overhead.usage import cpu_s, figures
from benchmarks.measures.rounds import Case, Failed, Group, Taken, Tell, elsewhere
from benchmarks.places import STATE, ArmName
from benchmarks.retraining import make_configs, run
from benchmarks.stacks.arms import make_arm
from benchmarks.stacks.settings import data_version

MONTH = "2013-03"
#: Of one retraining in seconds, on two cores.
_ESTIMATE = {ArmName.PLAIN: 9.0, ArmName.PREFECT: 18.0, ArmName.AIRFLOW: 38.0, ArmName.KUBEFLOW: 23.0}


class Recorder(Display):
    """Shows nothing, and keeps the events, with what following them has cost this process so far."""

    def __init__(self, name: str) -> None:
        super().__init__(Console(quiet=True), [name])
        self.events: list[dict[str, Any]] = []
        self.harness_cpu_s, self._before_s = 0.0, cpu_s()

    def event(self, arm: str, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.harness_cpu_s = cpu_s() - self._before_s


def embedded(asked: Asked) -> Group:
    """All arms as processes of this machine; each sample starts all that its arm needs."""
    cases = [_case(asked, tool, {"tool": tool.value, "where": Where.EMBEDDED.value}) for tool in asked.tools]
    return Group("retraining, embedded", cases)


def on_servers(asked: Asked, tool: ArmName) -> list[Case]:
    """One tool on its servers, which are up, and plain Python beside it."""
    place = {"where": Where.COMPOSE.value}
    cases = [_case(asked, tool, {"tool": tool.value, **place})]
    if ArmName.PLAIN in asked.tools:
        cases.insert(0, _case(asked, ArmName.PLAIN, {"tool": ArmName.PLAIN.value, **place, "beside": tool.value}))
    return cases


def on_kubeflow(asked: Asked) -> list[Case]:
    """The row of a cluster, which this measure does not start."""
    if ArmName.KUBEFLOW not in asked.tools or Where.COMPOSE not in asked.where:
        return []
    told = (
        "it needs a cluster: `./bakeoff up kubeflow`, then "
        f"`./bakeoff retrain --on kubeflow --stack kind --month {MONTH} --json`"
    )
    labels = {"work": "retraining", "tool": ArmName.KUBEFLOW.value, "where": "kind"}
    return [elsewhere(labels, told)]


def _case(asked: Asked, tool: ArmName, labels: dict[str, str]) -> Case:
    served = labels["where"] == Where.COMPOSE.value

    def take(opened: Open | None, tell: Tell) -> Taken:
        return retrain(tool, opened if served and tool is not ArmName.PLAIN else None)

    return Case(
        {"work": "retraining", **labels},
        take,
        rounds=asked.count(quick=1, full=5),
        warmup=0 if asked.profile == "quick" else 1,
        estimate_s=_ESTIMATE[tool],
        cannot=no_engine() if served else "",
    )


def retrain(tool: ArmName, opened: Open | None) -> Taken:
    """Retrain once.

    Args:
        tool: the arm.
        opened: its servers; None: embedded.

    Raises:
        Failed: as the arm tells it.
    """
    dataset.ensure()
    name = uuid.uuid4().hex[:8]
    folder = STATE / "bench" / "retraining" / f"{tool}-{name}"
    settings: dict[str, Any] = {}
    arm = None
    if opened is not None and opened.settings is not None:
        server = {"tracking_uri": opened.settings.tracking_uri, "artifact_location": None}
        settings = {**server, "data_rev": data_version(), "model_name": f"bench-{name}"}
        arm = make_arm(folder, opened.settings)
    [config] = make_configs([MONTH], folder, settings)
    recorder, before_s = Recorder(tool), cpu_s(resource.RUSAGE_CHILDREN)
    done = run(tool, [config], recorder, arm=arm)
    taken = taken_of(done, recorder.events)
    if opened is None:  # a server's processes are not ours to count
        taken.figures.update(figures(cpu_s(resource.RUSAGE_CHILDREN) - before_s, recorder.harness_cpu_s))
    if done.status == "failed":  # its logs stay
        raise Failed(done.error or "it has failed", where=str(folder), fix="read the logs there", taken=taken)
    shutil.rmtree(folder)
    return taken


def taken_of(done: results.ArmResult, events: Iterable[dict[str, Any]]) -> Taken:
    """The figures of a retraining: start, execution and transition add up to the makespan."""
    begun: dict[tuple[str, str], float] = {}
    spans = []
    for event in events:
        step = event["step"], event["label"]
        if event["step"] == "retrain":
            continue
        if event["state"] == "started":
            begun[step] = event["time"]
        elif event["state"] in ("finished", "failed") and step in begun:
            spans.append((begun.pop(step), event["time"]))
    figures = {"makespan_s": done.seconds}
    if spans and done.start_s is not None:
        execution = min(covered(spans), max(done.seconds - done.start_s, 0.0))
        rest = max(done.seconds - done.start_s - execution, 0.0)
        figures |= {"start_s": done.start_s, "execution_s": execution, "transition_s": rest}
    [one] = done.retrainings
    return Taken(figures, {"model": one.model_digest} if one.model_digest else {})
