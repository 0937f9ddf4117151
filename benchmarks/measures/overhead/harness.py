"""What the harness itself adds to what it measures: with itself on and off."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks import dataset, processes, stores
from benchmarks.arms import PlainArm
from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.graphs import Open
from benchmarks.measures.graphs.airflow import LOOK_S, Services
from benchmarks.measures.overhead.retraining import MONTH, Recorder
from benchmarks.measures.overhead.usage import cpu_s, figures, usage
from benchmarks.measures.rounds import Case, Failed, Group, Taken, Tell
from benchmarks.places import ROOT, STATE, ArmName, child_env, python
from benchmarks.retraining import make_configs
from shared.config import RetrainConfig
from shared.graphs import Graph

#: On Airflow: long enough for the graph, and the same with and without the harness.
GRAPH, WINDOW_S = Graph(10, "linear"), 20.0


def group(asked: Asked) -> Group:
    """The plain retraining as a bare process, and followed by the harness as every embedded arm is."""
    cases = []
    for harness in ("off", "on") if ArmName.PLAIN in asked.tools else ():

        def take(opened: None, tell: Tell, followed: bool = harness == "on") -> Taken:
            return plain(followed)

        labels = {"work": "harness", "tool": ArmName.PLAIN.value, "where": Where.EMBEDDED.value, "harness": harness}
        quick = asked.profile == "quick"
        cases.append(Case(labels, take, asked.count(quick=1, full=7), warmup=0 if quick else 1, estimate_s=8.0))
    return Group("the harness, off and on", cases)


def plain(followed: bool) -> Taken:
    """One retraining of the plain arm.

    Raises:
        Failed: it has failed.
    """
    dataset.ensure()
    folder = STATE / "bench" / "harness" / uuid.uuid4().hex[:8]
    [config] = make_configs([MONTH], folder)
    stores.create(config)
    with usage() as used:
        begin = time.monotonic()
        _follow(config, folder) if followed else _bare(config, folder)
        makespan = time.monotonic() - begin
    shutil.rmtree(folder)
    return Taken({"makespan_s": makespan, **used})


def _follow(config: RetrainConfig, folder: Path) -> None:
    """As every embedded arm is run: its events are read ten times a second."""
    arm, recorder = PlainArm(folder), Recorder(ArmName.PLAIN)
    try:
        for event in arm.retrain([config]):
            recorder.event(ArmName.PLAIN, event)
    except BaseException:
        arm.stop()
        raise


def _bare(config: RetrainConfig, folder: Path) -> None:
    """As a shell would run it: nobody asks, and nobody is told."""
    request, log = folder / "request.json", folder / "bare.log"
    request.write_text(json.dumps([config.model_copy(update={"events": None}).json_dict()]))
    process = processes.start([python("core"), "-m", PlainArm.module, request], log, child_env(), ROOT)
    try:
        if process.wait():
            raise Failed("the bare retraining failed", where=str(log), fix="read that log")
    except BaseException:
        processes.stop(process)
        raise


def of_airflow(asked: Asked) -> list[Case]:
    """A DAG run that the harness asks for as often as any of a graph, and one that it leaves alone."""
    if asked.profile == "quick" or ArmName.AIRFLOW not in asked.tools:
        return []

    def case(harness: str) -> Case:
        def take(opened: Open, tell: Tell) -> Taken:
            return airflow(opened, asks=harness == "on")

        labels = {"work": "harness", "tool": ArmName.AIRFLOW.value, "where": Where.EMBEDDED.value, "harness": harness}
        return Case(labels, take, asked.count(quick=1, full=5), warmup=0, estimate_s=WINDOW_S + 1)

    return [case("off"), case("on")]


def airflow(opened: Open, asks: bool) -> Taken:
    """One DAG run, asked for or not.

    Raises:
        Failed: it has not ended in the time that it has.
    """
    assert opened.airflow is not None
    assert opened.services is not None
    before, ours = services_cpu(opened.services), cpu_s()
    with opened.airflow.started(GRAPH) as run:
        deadline = time.monotonic() + WINDOW_S
        while (left := deadline - time.monotonic()) > 0:
            if asks:
                run.ask()
            time.sleep(min(LOOK_S, left) if asks else left)
        measured, harness = services_cpu(opened.services) - before, cpu_s() - ours
        makespan = run.parts()["makespan_s"]
    return Taken({"makespan_s": makespan, **figures(measured, harness)})


def services_cpu(services: Services) -> float:
    """CPU seconds of all processes of the services so far, those that have ended among them."""
    total = 0.0
    for pid in services.pids().values():
        with suppress(psutil.NoSuchProcess):
            service = psutil.Process(pid)
            for each in (service, *service.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    total += sum(each.cpu_times()[:4])  # user, system, and of children that have ended
    return total
