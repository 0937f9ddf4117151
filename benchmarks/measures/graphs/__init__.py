"""Graphs of tasks that do next to nothing, on every tool: what a run costs, and where its time goes.

`groups` makes the cases of any graphs. The measure `overhead` asks for those that do nothing, `peers` for those that
other benchmarks have published.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.graphs import processes, servers
from benchmarks.measures.graphs.airflow import OnAirflow, Services
from benchmarks.measures.graphs.servers import OnPrefect
from benchmarks.measures.rounds import Case, Group, Taken, Tell
from benchmarks.places import STATE, ArmName
from benchmarks.retraining import make_arm
from benchmarks.stacks import engine
from benchmarks.stacks.settings import StackSettings
from shared.errors import BakeoffError
from shared.graphs import Graph

#: That do nothing; --quick takes the small ones.
NOTHING = (Graph(1, "linear"), Graph(10, "linear"), Graph(10, "fan-out"), Graph(40, "linear"), Graph(40, "fan-out"))
QUICK_TASKS = 10
#: As in Windmill's benchmark (`published`): tasks one after the other.
WINDMILL = (Graph(40, "linear", fib=10), Graph(10, "linear", fib=33))

#: About how long one sample takes on two cores: for the run, and for each task of a chain and of a fan-out.
_ESTIMATE = {
    (ArmName.PLAIN, Where.EMBEDDED): (0.2, 0.0, 0.0),
    (ArmName.PREFECT, Where.EMBEDDED): (7.5, 0.01, 0.02),
    (ArmName.AIRFLOW, Where.EMBEDDED): (2.0, 1.0, 0.3),
    (ArmName.KUBEFLOW, Where.EMBEDDED): (1.0, 0.06, 0.06),
    (ArmName.PLAIN, Where.COMPOSE): (0.2, 0.0, 0.0),
    (ArmName.PREFECT, Where.COMPOSE): (10.5, 0.01, 0.01),
    (ArmName.AIRFLOW, Where.COMPOSE): (1.5, 1.0, 0.2),
}
_FIB_33_S = 0.4
_OPEN_S = {Where.EMBEDDED: 12.0, Where.COMPOSE: 60.0}


@dataclass(frozen=True)
class Open:
    """What a group has open: the tool that needs to run beforehand.

    Args:
        folder: receives logs.
        airflow: where it runs.
        services: of embedded Airflow.
        prefect: on its servers.
        settings: of the stack, where there is one.
    """

    folder: Path
    airflow: OnAirflow | None = None
    services: Services | None = None
    prefect: OnPrefect | None = None
    settings: StackSettings | None = None


def groups(asked: Asked, graphs: Sequence[Graph]) -> list[Group]:
    """The cases of these graphs, wherever they are asked for: embedded in one group, each tool's servers in its own.

    Labels: `work` graph, `tool`, `where`, `graph` (its title), and of the plain cases on servers `beside`, the tool
    that they take turns with (`baseline`).
    """
    found = [embedded(asked, graphs)] if Where.EMBEDDED in asked.where else []
    return found + [on_servers(asked, tool, graphs) for tool in stacks(asked)]


def stacks(asked: Asked) -> list[ArmName]:
    """The tools whose servers are asked for."""
    there: list[ArmName] = [each for each in asked.tools if each in (ArmName.AIRFLOW, ArmName.PREFECT)]
    return there if Where.COMPOSE in asked.where else []


def embedded(asked: Asked, graphs: Sequence[Graph], more: Sequence[Case] = ()) -> Group:
    """One group of all tools as processes of this machine.

    Args:
        asked: which tools, and how often.
        graphs: that each runs.
        more: cases that need the same to be open.
    """

    @contextlib.contextmanager
    def opened(tell: Tell) -> Iterator[Open]:
        folder = folder_of("graphs")
        for tool in asked.tools:
            make_arm(tool, folder).prepare()  # environments, and the tools' own databases
        if ArmName.AIRFLOW not in asked.tools:
            yield Open(folder)
            return
        tell("starting Airflow's services")
        services = Services(folder, graphs)
        with services.running() as airflow:
            yield Open(folder, airflow=airflow, services=services)

    cases = [case(asked, tool, Where.EMBEDDED, graph, graphs) for graph in graphs for tool in asked.tools]
    open_s = _OPEN_S[Where.EMBEDDED] if ArmName.AIRFLOW in asked.tools else 0.0
    return Group("graphs, embedded", [*cases, *more], opened, open_s)


def on_servers(asked: Asked, tool: ArmName, graphs: Sequence[Graph], more: Sequence[Case] = ()) -> Group:
    """One group of a tool's real servers, alone on the machine, and of plain Python in turns with it.

    Args:
        asked: how often, and whether the plain arm too.
        tool: whose servers.
        graphs: that it runs.
        more: cases that need the same to be open.
    """

    @contextlib.contextmanager
    def opened(tell: Tell) -> Iterator[Open]:
        with servers.stack(tool, graphs, tell) as found:
            if tool is ArmName.AIRFLOW:
                airflow = OnAirflow(found.address, found.login)
                airflow.prepare(graphs)
                yield Open(folder_of("graphs"), airflow=airflow, settings=found)
                return
            with contextlib.closing(OnPrefect(found)) as prefect:
                yield Open(folder_of("graphs"), prefect=prefect, settings=found)

    tools = [ArmName.PLAIN, tool] if ArmName.PLAIN in asked.tools else [tool]
    beside = {"beside": tool.value}
    cases = [
        case(asked, each, Where.COMPOSE, graph, graphs, beside if each is ArmName.PLAIN else {})
        for graph in graphs
        for each in tools
    ]
    return Group(f"{tool} on its servers", [*cases, *more], opened, _OPEN_S[Where.COMPOSE])


def case(
    asked: Asked,
    tool: ArmName,
    where: Where,
    graph: Graph,
    graphs: Sequence[Graph],
    labels: dict[str, str] | None = None,
) -> Case:
    """One tool's runs of one graph. Only the first of the graphs has a warm-up: it warms the tool for all."""

    def take(opened: Open, tell: Tell) -> Taken:
        if tool is ArmName.AIRFLOW:
            assert opened.airflow is not None
            return opened.airflow.run(graph)
        if tool is ArmName.PREFECT and where is Where.COMPOSE:
            assert opened.prefect is not None
            return opened.prefect.run(graph)
        return processes.run(tool, graph, opened.folder)

    fixed, chained, fanned = _ESTIMATE[tool, where]
    each_s = (chained if graph.shape == "linear" else fanned) + _FIB_33_S * 1.618 ** (graph.fib - 33)
    return Case(
        {"work": "graph", "tool": tool.value, "where": where.value, "graph": graph.title, **(labels or {})},
        take,
        rounds=asked.count(quick=1, full=5),
        warmup=1 if graph == graphs[0] else 0,
        estimate_s=fixed + graph.tasks * each_s,
        cannot=no_engine() if where is Where.COMPOSE else "",
    )


@cache
def no_engine() -> str:
    """Why no container can be started here, and what would; '' where one can."""
    try:
        engine.info()
        engine.compose_version()
    except BakeoffError as error:
        return f"{error.what}; {error.fix}, then measure with `--where compose`"
    return ""


def baseline(labels: dict[str, str]) -> dict[str, str]:
    """The labels of the plain case that a case of a graph or a retraining takes turns with."""
    beside = {"beside": labels.get("beside", labels["tool"])} if labels["where"] == Where.COMPOSE.value else {}
    kept = {name: value for name, value in labels.items() if name in ("work", "where", "graph")}
    return {**kept, "tool": ArmName.PLAIN.value, **beside}


def folder_of(name: str) -> Path:
    """A folder for the logs of one kind of work."""
    folder = STATE / "bench" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
