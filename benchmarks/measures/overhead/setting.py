"""One setting of a tool that a team changes if it wants less latency: how often the tool looks for work.

Every other case has the tools' defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from benchmarks.measures import graphs
from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.graphs import servers
from benchmarks.measures.graphs.airflow import OnAirflow, Services
from benchmarks.measures.graphs.servers import OnPrefect
from benchmarks.measures.rounds import Case, Group, Taken, Tell
from benchmarks.places import ArmName
from shared.graphs import Graph

GRAPH = Graph(10, "linear")
#: Ten times as often as by default: an idle scheduler sleeps for 1 s, a worker asks every 10 s.
SETTINGS = {
    ArmName.AIRFLOW: ("AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME", "0.1"),
    ArmName.PREFECT: ("PREFECT_WORKER_QUERY_SECONDS", "1"),
}
_RUN_S = {ArmName.AIRFLOW: 6.0, ArmName.PREFECT: 4.0}
_OPEN_S = {Where.EMBEDDED: 25.0, Where.COMPOSE: 60.0}


def groups(asked: Asked) -> list[Group]:
    """Airflow embedded, and each tool on its servers: embedded Prefect and kfp.local look for no work."""
    if asked.profile == "quick":
        return []
    places = [(ArmName.AIRFLOW, Where.EMBEDDED), (ArmName.AIRFLOW, Where.COMPOSE), (ArmName.PREFECT, Where.COMPOSE)]
    return [_group(asked, *each) for each in places if each[0] in asked.tools and each[1] in asked.where]


def _group(asked: Asked, tool: ArmName, where: Where) -> Group:
    name, value = SETTINGS[tool]

    @contextmanager
    def opened(tell: Tell) -> Iterator[graphs.Open]:
        folder = graphs.folder_of("setting")
        if where is Where.EMBEDDED:
            with Services(folder, [GRAPH], {name: value}).running() as airflow:
                yield graphs.Open(folder, airflow=airflow)
            return
        with servers.stack(tool, [GRAPH], tell, **{name: value}) as found:
            if tool is ArmName.AIRFLOW:
                airflow = OnAirflow(found.address, found.login)
                airflow.prepare([GRAPH])
                yield graphs.Open(folder, airflow=airflow)
                return
            with closing(OnPrefect(found)) as prefect:
                yield graphs.Open(folder, prefect=prefect)

    def take(opened: graphs.Open, tell: Tell) -> Taken:
        running = opened.airflow or opened.prefect
        assert running is not None
        return running.run(GRAPH)

    case = Case(
        {
            "work": "setting",
            "tool": tool.value,
            "where": where.value,
            "graph": GRAPH.title,
            "setting": f"{name}={value}",
        },
        take,
        rounds=asked.count(quick=1, full=5),
        estimate_s=_RUN_S[tool],
        cannot=graphs.no_engine() if where is Where.COMPOSE else "",
    )
    return Group(f"a setting of {tool}, {where}", [case], opened, _OPEN_S[where])
