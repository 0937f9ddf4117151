"""The benchmark's graphs: none by default, else one DAG each, of tasks that run (`dag.test()`: a few seconds)."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

FILE = Path(__file__).resolve().parents[2] / "airflow_impl" / "dags" / "graphs.py"


@pytest.fixture
def parsed(monkeypatch):
    monkeypatch.setenv("BAKEOFF_GRAPHS", "3-linear,2-fan-out,2-linear-fib-10")
    bag = DagBag(dag_folder=str(FILE))
    assert bag.import_errors == {}
    return bag.dags


def test_users_have_none_of_them(bag):
    assert not [each for each in bag.dags if each.startswith("graph")]


def test_there_is_a_dag_for_each_graph(parsed):
    assert set(parsed) == {"graph-3-linear", "graph-2-fan-out", "graph-2-linear-fib-10"}


def test_a_chain_is_a_chain(parsed):
    downstream = {task.task_id: task.downstream_task_ids for task in parsed["graph-3-linear"].tasks}
    assert downstream == {"step": {"step__1"}, "step__1": {"step__2"}, "step__2": set()}


def test_a_fan_out_is_one_mapped_task(parsed):
    [task] = parsed["graph-2-fan-out"].tasks
    assert task.is_mapped


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("graph", ["graph-3-linear", "graph-2-fan-out"])
def test_all_tasks_run(parsed, graph):
    run = parsed[graph].test()
    states = [each.state for each in run.get_task_instances()]
    assert states == ["success"] * int(graph.split("-")[1])
