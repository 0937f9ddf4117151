"""The cases of graphs, and the baseline for real: a process of the core environment, in a second."""

from __future__ import annotations

import pytest

from benchmarks.measures import graphs
from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.graphs import airflow, processes, published, servers
from benchmarks.measures.graphs.cost import Cost, cost
from benchmarks.measures.record import Result
from benchmarks.measures.rounds import Failed
from benchmarks.places import ARMS, ArmName
from shared.graphs import Graph
from tests.benchmarks.measures.made import result, sample

CHAIN = Graph(2, "linear")


@pytest.fixture(autouse=True)
def _engine(monkeypatch):
    monkeypatch.setattr(graphs, "no_engine", lambda: "")


def labels(groups):
    return [each.labels for group in groups for each in group.cases]


def test_every_tool_runs_every_graph_embedded_and_on_its_servers():
    found = labels(graphs.groups(Asked(), graphs.NOTHING))
    embedded = {(each["tool"], each["graph"]) for each in found if each["where"] == "embedded"}
    served = {(each["tool"], each["graph"]) for each in found if each["where"] == "compose"}
    titles = ["1 linear", "10 linear", "10 fan-out", "40 linear", "40 fan-out"]
    assert embedded == {(tool.value, title) for tool in ARMS for title in titles}
    assert served == {(tool, title) for tool in ("plain", "prefect", "airflow") for title in titles}
    assert len({tuple(sorted(each.items())) for each in found}) == len(found)


def test_only_the_first_graph_warms_a_tool_up_and_all_have_five_samples():
    for group in graphs.groups(Asked(), graphs.NOTHING):
        assert {each.rounds for each in group.cases} == {5}
        assert {each.labels["graph"] for each in group.cases if each.warmup} == {"1 linear"}


def test_each_case_has_one_baseline_that_takes_turns_with_it():
    for group in graphs.groups(Asked(), graphs.NOTHING):
        inside = labels([group])
        for each in inside:
            assert inside.count(graphs.baseline(each)) == 1


def test_what_is_over_plain_is_found_by_that_baseline():
    case = {"work": "graph", "where": "compose", "graph": "1 linear"}
    made: Result = result(
        [
            sample("plain", case={**case, "beside": "airflow"}, makespan_s=1.0),
            sample("plain", case={**case, "beside": "prefect"}, makespan_s=7.0),
            sample("airflow", case=case, makespan_s=3.0),
        ]
    )
    airflow = {**case, "tool": "airflow"}
    assert made.over("makespan_s", graphs.baseline(airflow), **airflow).samples == [2.0]


def test_where_no_container_can_be_started_the_rows_say_so(monkeypatch):
    monkeypatch.setattr(graphs, "no_engine", lambda: "no docker; install it")
    found = graphs.groups(Asked(where=[Where.COMPOSE]), [CHAIN])
    assert {each.cannot for group in found for each in group.cases} == {"no docker; install it"}


@pytest.mark.parametrize("tool", [ArmName.PREFECT, ArmName.AIRFLOW])
def test_one_tool_alone_has_its_own_cases_only(tool):
    found = labels(graphs.groups(Asked(tools=[tool]), [CHAIN]))
    assert [each["tool"] for each in found] == [tool.value] * 2


def test_what_windmill_published_is_of_graphs_that_are_run_here():
    assert {each.graph for each in published.WINDMILL} == {each.title for each in graphs.WINDMILL}


def test_the_baseline_runs_for_real_and_its_parts_add_up(tmp_path):
    found = processes.run(ArmName.PLAIN, Graph(3, "linear", fib=18), tmp_path).figures
    assert found["up_s"] > 0
    assert 0 < found["execution_s"] <= found["makespan_s"]
    assert found["schedule_s"] == 0


def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(Failed, match=r"exit code 1: .*0-linear is no graph"):
        processes.run(ArmName.PLAIN, Graph(0, "linear"), tmp_path)


def test_a_process_that_tells_nothing_is_a_failure():
    with pytest.raises(Failed, match="told no times"):
        processes.taken(ArmName.PREFECT, CHAIN, 0.0, "12:00:00 | INFO | Finished in state Completed()\n")


def test_times_are_found_behind_and_before_the_lines_of_others():
    line = '{"called": 10.0, "ended": 14.0, "tasks": [[11.0, 11.5, 12.0], [12.5, 12.75, 13.0]]}'
    found = processes.taken(ArmName.PREFECT, CHAIN, 8.0, f"    a line\n    {line}\n12:00 Stopping server\n").figures
    assert (found["up_s"], found["makespan_s"], found["end_s"]) == (2.0, 4.0, 1.0)


def test_airflows_answers_are_read_and_a_task_without_a_start_is_missing():
    moments = {
        "scheduled_when": "2026-01-01T00:00:01Z",
        "start_date": "2026-01-01T00:00:02Z",
        "end_date": "2026-01-01T00:00:02.500Z",
    }
    run = {"end_date": "2026-01-01T00:00:04Z"}
    called = 1767225600.0
    found = airflow.ran_of(run, [moments, {**moments, "start_date": None}], called)
    assert found.tasks == [(called + 1, called + 2, called + 2.5)]
    assert found.ended == called + 4


def test_prefects_answers_are_read():
    task = {
        "expected_start_time": "2026-01-01T00:00:01Z",
        "start_time": "2026-01-01T00:00:01.250000Z",
        "end_time": "2026-01-01T00:00:01.5Z",
    }
    called = 1767225600.0
    found = servers.ran_of({"end_time": "2026-01-01T00:00:03Z"}, [task], called)
    assert found.tasks == [(called + 1, called + 1.25, called + 1.5)]
    assert found.ended == called + 3
    assert servers.ended({"state_type": "RUNNING"}) is None


def test_what_a_run_and_a_task_cost_is_out_of_the_smallest_and_the_largest_graph():
    def runs(graph, *seconds):
        case = {"work": "graph", "where": "embedded", "graph": graph}
        return [sample("airflow", number, case=case, makespan_s=each) for number, each in enumerate(seconds)]

    made = result([*runs("1 linear", 2.0, 3.0, 9.0), *runs("10 linear", 12.0), *runs("40 fan-out", 22.5)])
    assert cost(made, "airflow", "embedded") == Cost(fixed_s=3.0, task_s=1.0, tasks=10)
    assert cost(made, "airflow", "embedded", "fan-out") == Cost(fixed_s=3.0, task_s=0.5, tasks=40)
    assert cost(made, "prefect", "embedded") is None
    assert cost(result(runs("1 linear", 2.0)), "airflow", "embedded") is None
