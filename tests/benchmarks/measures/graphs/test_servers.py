"""How a run on a server is asked for and read, against scripted answers; the real ones are in the measure itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.measures.graphs import airflow, servers
from benchmarks.measures.graphs.airflow import OnAirflow
from benchmarks.measures.graphs.servers import OnPrefect
from benchmarks.measures.rounds import Failed
from benchmarks.places import ArmName
from benchmarks.stacks.stack import Tool
from shared.graphs import Graph

GRAPH = Graph(1, "linear")
AT = "2100-01-01T00:00:0{}Z"
TASK = {"scheduled_when": AT.format(1), "start_date": AT.format(2), "end_date": AT.format(3)}
FLOW_TASK = {"expected_start_time": AT.format(1), "start_time": AT.format(2), "end_time": AT.format(3)}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    for module in (airflow, servers):
        monkeypatch.setattr(module, "LOOK_S", 0.0)


@pytest.fixture
def fake_airflow(monkeypatch):
    """An API that says what `answers` has for the end of a path, one after the other, the last one again and again."""
    asked, answers = [], {}

    class Api:
        def __init__(self, address, login, dag_id):
            self.dag_id = dag_id
            self.rest = SimpleNamespace(close=lambda: asked.append(("close", "")))

        def ask(self, method, path, **more):
            asked.append((method, path))
            for end, given in answers.items():
                if path.endswith(end) and method == "GET":
                    return given.pop(0) if len(given) > 1 else given[0]
            return {}

        def cancel(self, run):
            asked.append(("cancel", ""))

        def page(self, run):
            return "its page"

    monkeypatch.setattr(airflow, "AirflowApi", Api)
    monkeypatch.setattr(airflow.uuid, "uuid4", lambda: SimpleNamespace(hex="0" * 32))
    return OnAirflow("http://airflow", ("admin", "secret")), answers, asked


RUN = "dagRuns/bench__00000000"


def test_a_dag_run_is_followed_to_its_end(fake_airflow):
    on, answers, asked = fake_airflow
    answers[RUN] = [{"state": "queued"}, {"state": "running"}, {"state": "success", "end_date": AT.format(5)}]
    answers["taskInstances"] = [{"task_instances": [TASK]}]
    found = on.run(GRAPH).figures
    assert (found["schedule_s"], found["execution_s"], found["end_s"]) == (1.0, 1.0, 2.0)
    assert asked[-1] == ("close", "")


def test_a_dag_run_that_fails_is_told(fake_airflow):
    on, answers, _ = fake_airflow
    answers[RUN] = [{"state": "failed"}]
    with pytest.raises(Failed, match="the DAG run is failed"):
        on.run(GRAPH)


def test_a_dag_run_that_lost_a_task_is_told(fake_airflow):
    on, answers, _ = fake_airflow
    answers |= {RUN: [{"state": "success", "end_date": AT.format(5)}], "taskInstances": [{"task_instances": []}]}
    with pytest.raises(Failed, match="0 of 1 tasks"):
        on.run(GRAPH)


def test_a_dag_run_that_does_not_end_is_cancelled(fake_airflow, monkeypatch):
    on, answers, asked = fake_airflow
    monkeypatch.setattr(airflow, "PATIENCE_S", -1.0)
    answers[RUN] = [{"state": "running"}]
    with pytest.raises(Failed, match="no end"):
        on.run(GRAPH)
    assert ("cancel", "") in asked


def test_dags_are_waited_for_what_was_cut_off_is_ended_and_they_may_run(fake_airflow):
    on, answers, asked = fake_airflow
    old, stale = ({"is_stale": each, "last_parsed_time": AT.format(0)} for each in (False, True))
    answers["graph-1-linear"] = [stale, old, {"is_stale": False, "last_parsed_time": "2101-01-01T00:00:00Z"}]
    answers["dagRuns"] = [{"dag_runs": [{"dag_run_id": "cut-off"}]}, {"dag_runs": []}]
    on.prepare([GRAPH], since=4118083200.0)  # the middle of 2100
    changes = [path for method, path in asked if method == "PATCH"]
    assert changes == ["/api/v2/dags/graph-1-linear/dagRuns/cut-off", "/api/v2/dags/graph-1-linear"]


def test_a_dag_that_is_not_parsed_in_time_is_told(fake_airflow, monkeypatch):
    on, answers, _ = fake_airflow
    monkeypatch.setattr(airflow, "PARSED_S", -1.0)
    answers["graph-1-linear"] = [{"is_stale": True, "last_parsed_time": None}]
    with pytest.raises(Failed, match="no DAG graph-1-linear"):
        on.prepare([GRAPH])


@pytest.fixture
def fake_prefect(monkeypatch):
    answers = {"deployments/name": [{"id": "d"}], "create_flow_run": [{"id": "f"}]}

    class Rest:
        def ask(self, method, path, **more):
            given = next(given for part, given in answers.items() if part in path)
            return given.pop(0) if len(given) > 1 else given[0]

        def close(self):
            pass

    api = SimpleNamespace(rest=Rest(), page=lambda run: "its page", cancel=lambda run: answers.setdefault("gone", run))
    monkeypatch.setattr(servers, "PrefectApi", lambda address, login: api)
    return OnPrefect(SimpleNamespace(address="", login=("", ""))), answers


def run_state(kind):
    return {"state_type": kind, "state_name": kind.title(), "end_time": AT.format(5)}


def test_a_flow_run_is_followed_until_the_server_knows_its_tasks(fake_prefect):
    on, answers = fake_prefect
    answers |= {"flow_runs/f": [run_state("SCHEDULED"), run_state("RUNNING"), run_state("COMPLETED")]}
    answers |= {"task_runs/count": [0, 1], "task_runs/filter": [[FLOW_TASK]]}
    found = on.run(GRAPH).figures
    assert (found["schedule_s"], found["execution_s"], found["end_s"]) == (1.0, 1.0, 2.0)


def test_a_flow_run_that_crashes_is_told(fake_prefect):
    on, answers = fake_prefect
    answers["flow_runs/f"] = [run_state("CRASHED")]
    with pytest.raises(Failed, match="ended as Crashed"):
        on.run(GRAPH)


def test_a_flow_run_that_nobody_takes_is_cancelled(fake_prefect, monkeypatch):
    on, answers = fake_prefect
    monkeypatch.setattr(servers, "PATIENCE_S", -1.0)
    answers["flow_runs/f"] = [run_state("SCHEDULED")]
    with pytest.raises(Failed, match="no end"):
        on.run(GRAPH)
    assert answers["gone"] == "f"


@pytest.fixture
def lifecycle(monkeypatch, tmp_path):
    """What is brought up and down, instead of doing it."""
    done = []
    monkeypatch.setattr(servers, "STATE", tmp_path)
    monkeypatch.setattr(servers.lifecycle, "up", lambda tool, path, console: done.append(f"up {path.read_text()}"))
    monkeypatch.setattr(servers.lifecycle, "down", lambda tool, path, console, volumes: done.append(f"down {volumes}"))
    monkeypatch.setattr(servers.env_file, "make_another", _written)
    compose = SimpleNamespace(exec=lambda *words, timeout_s: done.append(words[1:3]))
    monkeypatch.setattr(servers, "settings", lambda tool, path: SimpleNamespace(compose=compose))
    return tmp_path / "bench", done


def _written(path: Path, prefix: str, **more: str) -> None:
    path.write_text(f"{prefix} {more['BAKEOFF_GRAPHS']}")


@pytest.mark.parametrize("tool", [ArmName.AIRFLOW, ArmName.PREFECT])
def test_a_stack_of_its_own_has_the_graphs_and_is_gone_with_its_data(lifecycle, tool):
    folder, done = lifecycle
    folder.mkdir()
    with contextlib.suppress(KeyboardInterrupt), servers.stack(tool, [GRAPH, Graph(2, "fan-out")], lambda _: None):
        raise KeyboardInterrupt
    deployed = [("prefect", "--no-prompt")] * (Tool(tool) is Tool.PREFECT)
    assert done == ["up bakeoff-bench 1-linear,2-fan-out", *deployed, "down True"]
    assert list(folder.iterdir()) == []


def test_what_a_killed_measurement_left_is_removed_first(lifecycle):
    folder, done = lifecycle
    folder.mkdir()
    (folder / "airflow.env").write_text("left")
    with servers.stack(ArmName.AIRFLOW, [GRAPH], lambda _: None):
        pass
    assert done == ["down True", "up bakeoff-bench 1-linear", "down True"]
