"""
### A graph of tasks that do next to nothing

What Airflow itself costs. There is one DAG for each graph that BAKEOFF_GRAPHS names, and by default there is none:
`./bakeoff bench overhead` sets it, for the services that it starts.
"""

from __future__ import annotations

import os

from airflow.sdk import dag, task

from shared.graphs import Graph, parse, work


def make(graph: Graph) -> None:
    """One DAG."""

    @dag(dag_id=f"graph-{graph.name}", schedule=None, doc_md=__doc__, tags=["bake-off"])
    def build():
        @task
        def step(number: int) -> int:
            work(graph.fib)
            return number

        if graph.shape == "fan-out":
            step.expand(number=list(range(graph.tasks)))
            return
        last = step(0)
        for _ in range(graph.tasks - 1):
            last = step(last)

    build()


for name in os.environ.get("BAKEOFF_GRAPHS", "").split(","):
    if name:
        make(parse(name))
