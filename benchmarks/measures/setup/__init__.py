"""From nothing to a first registered model, as a stranger: seconds by part, and what it asks of machine and person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.measures.catalog import Asked, Measure, Name, Where
from benchmarks.measures.record import Figure
from benchmarks.measures.rounds import Case, Group, Taken, Tell, elsewhere
from benchmarks.measures.setup import compose, embedded
from benchmarks.measures.split import Split
from benchmarks.places import ArmName
from benchmarks.stacks.stack import STACKS

CACHES = ("cold", "warm")
#: Estimates: seconds of one go on two cores, and of one on a stack from no layers and from those that are there.
_GO_S = {ArmName.PLAIN: 40, ArmName.PREFECT: 55, ArmName.AIRFLOW: 80, ArmName.KUBEFLOW: 65}
_STACK_S = {"cold": 120, "warm": 70}
NO_CLUSTER = (
    "Kubeflow's servers need a Kubernetes cluster: "
    "`./bakeoff up kubeflow && ./bakeoff retrain --on kubeflow --stack kind --month 2013-03` where kind and kubectl are"
)


def groups(asked: Asked) -> list[Group]:
    """The tools as processes of this machine, then on their servers."""
    found = []
    if Where.EMBEDDED in asked.where:
        cases = [case for tool in asked.tools for case in _embedded(tool, asked.count(1, 3))]
        found.append(Group("embedded", cases))
    if Where.COMPOSE in asked.where:
        stacks = [tool for tool in asked.tools if tool.value in STACKS]
        cases = [_compose(tool, cache, asked.count(1, 2)) for tool in stacks for cache in CACHES]
        if ArmName.KUBEFLOW in asked.tools:
            labels = {"tool": ArmName.KUBEFLOW.value, "where": "kind", "cache": "cold"}
            cases.append(elsewhere(labels, NO_CLUSTER))
        found.append(Group("servers", cases))
    return found


def _embedded(tool: ArmName, rounds: int) -> list[Case]:
    split = Split(lambda opened, tell: embedded.measure(tool, tell))
    return [
        Case(
            {"tool": tool.value, "where": Where.EMBEDDED.value, "cache": cache},
            split.part(cache),
            rounds=rounds,
            warmup=0,
            estimate_s=_GO_S[tool] if cache == "cold" else 0.0,  # the warm one is of the same go
        )
        for cache in CACHES
    ]


def _compose(tool: ArmName, cache: str, rounds: int) -> Case:
    labels = {"tool": tool.value, "where": Where.COMPOSE.value, "cache": cache}
    return Case(labels, _on_stack(tool, cache), rounds=rounds, warmup=0, estimate_s=_STACK_S[cache])


def _on_stack(tool: ArmName, cache: str) -> Callable[[Any, Tell], Taken]:
    return lambda opened, tell: compose.measure(tool, tell, cached=cache == "warm")


MEASURE = Measure(
    name=Name.SETUP,
    title="Setting up",
    question="How long does it take a stranger to get from nothing to a first registered model, and what does it ask?",
    figures=(
        Figure(
            name="tthw_s",
            title="to a first model",
            unit="s",
            definition="Time to a first registered version of a model: download, install, start, first run together. "
            "Cold: with an empty package cache; on servers, every step of the Dockerfile run anew. Warm: with a "
            "filled one; on servers, image layers from the engine's cache. Environment, tool's home and tracking "
            "store are new each time. Embedded, the warm figures are those of the same go without its download.",
        ),
        Figure(
            name="download_s",
            title="download",
            unit="s",
            definition="What an empty package cache adds: `uv venv` and `uv pip install` of the arm's lock with an "
            "empty cache, less the same again with the cache that this has filled, both without compiling. Unpacking "
            "into the cache is part of it. Embedded only: in an image it is a part of install.",
        ),
        Figure(
            name="install_s",
            title="install",
            unit="s",
            definition="Embedded: making the environment from the arm's lock, which holds the core too, with a filled "
            "package cache and with --compile-bytecode: what is not compiled then is compiled in the first run. On "
            "servers: building the stack's images, MLflow's too.",
        ),
        Figure(
            name="start_s",
            title="start",
            unit="s",
            definition="From there until the tool begins the first step of the retraining: its database made, its "
            "services started and healthy, the run triggered and scheduled. Not in it: MLflow's store, the data and "
            "the harness, which are alike for all.",
        ),
        Figure(
            name="first_run_s",
            title="first run",
            unit="s",
            definition="From the first step of the retraining of 2013-03 until the tool says that it has ended, with a "
            "version registered.",
        ),
        Figure(
            name="download_mb",
            title="download",
            unit="MB",
            definition="The files of the packages that were installed, as the package index tells their sizes; MB of "
            "10^6 bytes. The index's own pages are not in it.",
        ),
        Figure(
            name="disk_mb",
            title="disk",
            unit="MB",
            definition="Embedded: all files of the environment, bytecode included. On servers: the images of all "
            "containers, Postgres and MLflow included; layers that two images share are in both.",
        ),
        Figure(
            name="processes",
            title="processes or containers",
            unit="count",
            definition="Embedded: the most processes of the tool at one time until the first run has ended, looked at "
            "twice a second. On servers: the containers that run when the stack is healthy.",
        ),
        Figure(
            name="commands",
            title="commands",
            unit="count",
            definition="The tool's own commands that a person types to get there, without the harness, as listed in "
            "benchmarks/measures/setup/commands.yaml. The measure runs these, or fails; where one "
            "sends a request, the request alone: what that command takes to start is in no figure.",
        ),
        Figure(
            name="config_lines",
            title="configuration",
            unit="lines",
            definition="Lines of configuration that a user of the tool writes before the first run, in the places "
            "listed in benchmarks/measures/setup/configuration.yaml; neither blank ones nor comments, and no Python.",
        ),
        Figure(
            name="concepts",
            title="concepts",
            unit="count",
            definition="Things named by the tool that a person must know before the first run, each with its reason in "
            "benchmarks/measures/setup/concepts.yaml.",
        ),
    ),
    groups=groups,
    limits=(
        "What is committed is measured: a clean clone of HEAD, with the data of this checkout.",
        "Time to read, to decide and to type is not in it, nor is getting Python, uv, Docker or the base images.",
        "On servers, cold has no image and no layer, but the engine's cache of packages, which steps of the Dockerfile "
        "mount, and its base images are warm: the download is not measured there.",
        "Airflow is started service by service; `airflow standalone` would be one command instead of four.",
        "Commands, lines and concepts are counted of this project's way to use the tools.",
    ),
)
