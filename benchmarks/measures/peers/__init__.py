"""Beside others: graphs as another benchmark publishes them, and the first run of other projects' quickstarts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from benchmarks.measures import graphs
from benchmarks.measures.catalog import Asked, Measure, Name, Where
from benchmarks.measures.graphs import figures
from benchmarks.measures.peers import room
from benchmarks.measures.peers.projects import PROJECTS, Project
from benchmarks.measures.peers.room import Room
from benchmarks.measures.record import Figure
from benchmarks.measures.rounds import Case, Group, Taken, Tell
from benchmarks.places import ARMS
from shared.graphs import Graph

TASKS = 10
#: What the projects run too.
NOTHING = Graph(TASKS, "linear")
FIGURES = tuple(
    each.model_copy(
        update={"definition": f"{each.definition} Of Kedro's session and ZenML's pipeline: the call, in one process."}
    )
    if each.name == "makespan_s"
    else each
    for each in figures.FIGURES
)


def groups(asked: Asked) -> list[Group]:
    """Our arms on the published graphs; other projects, where no tool was named (they are none of the arms)."""
    return [*_windmill(asked), *_others(asked)]


def _windmill(asked: Asked) -> list[Group]:
    """Our arms on Windmill's graphs, 40 light tasks and 10 heavy ones, and on that of the projects; quick the heavy."""
    light, heavy = graphs.WINDMILL
    wanted = [light, heavy, NOTHING] if asked.profile == "full" else [heavy]
    return graphs.groups(replace(asked, rounds=asked.count(quick=1, full=5)), wanted)


def _others(asked: Asked) -> list[Group]:
    if Where.EMBEDDED not in asked.where or set(asked.tools) != set(ARMS):
        return []
    return [_project(each, asked) for each in PROJECTS]


def _project(project: Project, asked: Asked) -> Group:
    """First runs, each from nothing; and the graph, again and again in one project that is there already."""
    labels = {"tool": project.name, "where": Where.EMBEDDED.value}
    first = {
        cache: Case(
            {**labels, "work": "quickstart", "cache": cache},
            partial(_quickstart, project, cache == "cold"),
            rounds=asked.count(1, 3),
            warmup=0,
            estimate_s=20 if cache == "cold" else 6,
        )
        for cache in ("warm", "cold")
    }
    graph = Case(
        {**labels, "work": "graph", "graph": NOTHING.title},
        _graph,
        rounds=asked.count(1, 5),
        warmup=1,
        estimate_s=4,
    )
    cases = [first["warm"], graph] if asked.profile == "quick" else [first["warm"], first["cold"], graph]
    return Group(project.name, cases, partial(_installed, project), estimate_s=10)


@contextmanager
def _installed(project: Project, tell: Tell) -> Iterator[Room]:
    """A project that is there, for the graph. Its packages are then in uv's cache, so that *warm* is what it says."""
    tell("installing, which is not measured")
    with room.fresh(project) as there:
        there.install()
        there.make()
        there.put(project.graphs)
        yield there


def _quickstart(project: Project, cold: bool, opened: Room, tell: Tell) -> Taken:
    return room.quickstart(project, cold)


def _graph(opened: Room, tell: Tell) -> Taken:
    return room.graph(opened, TASKS)


MEASURE = Measure(
    name=Name.PEERS,
    title="Peers",
    question="How do these figures lie beside those that others publish, and beside other projects on this machine?",
    figures=(
        Figure(
            name="tthw_s",
            title="to the first run",
            unit="s",
            definition="From nothing to the end of the first successful run of the project's own hello world: install "
            "and first run, by a script, with no time to read or type.",
        ),
        Figure(
            name="install_s",
            title="install",
            unit="s",
            definition="Building a new environment from a hash-pinned lock with uv, bytecode included; cold with an "
            "empty package cache, so that every package is fetched, warm with a full one.",
        ),
        Figure(
            name="first_run_s",
            title="first run",
            unit="s",
            definition="The commands of the first run, in a new home: whatever the tool makes once is part of it.",
        ),
        Figure(
            name="disk_mb",
            title="on disk",
            unit="MB",
            definition="All files after the first run, in 10^6 bytes: the environment with its bytecode, and what the "
            "tool has written.",
        ),
        Figure(name="packages", title="packages", unit="count", definition="Packages in that environment."),
        *FIGURES,
    ),
    groups=groups,
    limits=(
        "A quickstart is no retraining: what these do first is less than the first registered model of our arms "
        "(`./bakeoff bench setup`). Of the graphs, `10 linear` is the one that these ran too.",
        "Kedro's nodes and ZenML's steps run in one process here; Kedro keeps no record of a run, ZenML a database.",
        "Published figures come from other machines, and from other versions of the tools.",
    ),
)
