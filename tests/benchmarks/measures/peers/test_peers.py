from __future__ import annotations

import ast
import os
import sys

import pytest

from benchmarks import locks
from benchmarks.measures import catalog, peers, rounds
from benchmarks.measures.catalog import Where
from benchmarks.measures.peers import projects, room
from benchmarks.measures.peers.projects import KEDRO, PROJECTS, Project
from benchmarks.measures.peers.room import Room
from benchmarks.measures.rounds import Failed
from benchmarks.places import LOCKS, ArmName

GRAPH = """
import json, sys, time
called = time.time()
print("tasks run")
print(json.dumps({"called": called, "ended": called + 2.5, "tasks": int(sys.argv[1]) - MISSING}))
"""
MADE = Project(
    name="kedro",  # for its lock
    quickstart="none",
    makes=("sh", "-c", "mkdir hello"),
    folder="hello",
    first=("sh", "-c", "test -f kept.py && env > $HOME/../seen"),
    graph=("python", "graph.py"),
    hello={"kedro_hello.py": "kept.py"},
    env={"OWN": "{room}/config"},
)


@pytest.fixture
def _installed(tmp_path, monkeypatch):
    """Rooms below a temporary folder, whose environment is a shell and this Python."""

    def install(self, cache=None):
        (self.folder / "venv" / "bin").mkdir(parents=True)
        (self.folder / "venv" / "bin" / "sh").symlink_to("/bin/sh")
        (self.folder / "venv" / "bin" / "python").symlink_to(sys.executable)
        (self.folder / "venv" / "lib" / "python3.11" / "site-packages" / "a-1.dist-info").mkdir(parents=True)
        return 4.0

    monkeypatch.setattr(Room, "install", install)
    monkeypatch.setattr(room, "STATE", tmp_path)


def others(profile="quick", **asked):
    return peers._others(catalog.Asked(profile, **asked))


def test_quick_is_short_and_full_has_a_cold_cache_too():
    quick, full = (
        [case.labels.get("cache") for group in others(profile) for case in group.cases] for profile in ("quick", "full")
    )
    assert quick == ["warm", None] * len(PROJECTS)
    assert full == ["warm", "cold", None] * len(PROJECTS)
    assert rounds.estimate_s(others()) < 120


def test_other_projects_are_left_out_where_a_tool_or_containers_are_asked_for():
    assert others(tools=[ArmName.AIRFLOW]) == []
    assert others(where=[Where.COMPOSE]) == []


def test_the_published_graphs_are_asked_of_our_arms():
    def asked_for(profile):
        found = peers.MEASURE.groups(catalog.Asked(profile, where=[Where.COMPOSE]))
        return {case.labels["graph"] for group in found for case in group.cases}

    assert asked_for("full") == {"40 linear fib(10)", "10 linear fib(33)", "10 linear"}
    assert asked_for("quick") == {"10 linear fib(33)"}


def test_no_case_is_part_of_another():
    labels = [case.labels for group in others("full") for case in group.cases]
    assert not any(one.items() <= other.items() for one in labels for other in labels if one is not other)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda each: each.name)
def test_a_project_has_its_lock_its_files_and_no_telemetry(project):
    assert project.name in locks.PEERS
    assert (LOCKS / f"{project.name}.txt").stat().st_size < 1_500_000
    for file in (*project.hello, *project.graphs):
        ast.parse((room._HERE / file).read_text())
    assert any("ANALYTICS" in name or "TELEMETRY" in name for name in project.env)
    assert Room(project, room._HERE).version().split(".") > ["0", "90"]


@pytest.mark.usefixtures("_installed")
def test_a_first_run_has_a_home_of_its_own_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://somebody")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    seen = {}
    monkeypatch.setattr(Room, "megabytes", lambda self: seen.update(env=(self.folder / "seen").read_text()) or 7.0)
    taken = room.quickstart(MADE, cold=False)
    env = dict(line.split("=", 1) for line in seen["env"].splitlines() if "=" in line)
    assert not env.keys() & {"PREFECT_API_URL", "PYTHONPATH"}
    assert env["HOME"] != os.environ.get("HOME")
    assert env["HOME"].startswith(str(tmp_path))
    assert env["OWN"] == env["HOME"].replace("/home", "/config")
    assert taken.figures["install_s"] == 4.0
    assert taken.figures["tthw_s"] == pytest.approx(4.0 + taken.figures["first_run_s"])
    assert (taken.figures["packages"], taken.figures["disk_mb"]) == (1, 7.0)
    assert list((tmp_path / "peers").iterdir()) == []


@pytest.mark.usefixtures("_installed")
def test_a_first_run_that_fails_says_why_and_keeps_what_it_had(tmp_path):
    broken = projects.Project(**{**vars(MADE), "first": ("sh", "-c", "echo 'ValueError: no such thing'; exit 3")})
    with pytest.raises(Failed, match=r"exit code 3.*ValueError: no such thing") as caught:
        room.quickstart(broken, cold=False)
    assert caught.value.taken.figures == {"install_s": 4.0, "packages": 1}
    assert str(tmp_path) not in caught.value.what


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.usefixtures("_installed")
def test_a_graph_counts_only_with_all_its_tasks(missing):
    with room.fresh(MADE) as there:
        there.install()
        there.make()
        (there.work / "hello" / "graph.py").write_text(GRAPH.replace("MISSING", str(missing)))
        if missing:
            with pytest.raises(Failed, match="9 of 10 tasks"):
                room.graph(there, 10)
        else:
            taken = room.graph(there, 10)
            assert taken.figures["makespan_s"] == pytest.approx(2.5, abs=1e-3)
            assert 0 < taken.figures["up_s"] < 30


@pytest.mark.usefixtures("_installed")
def test_a_process_that_tells_nothing_is_a_failure():
    with room.fresh(MADE) as there:
        there.install()
        there.make()
        (there.work / "hello" / "graph.py").write_text("print('done')")
        with pytest.raises(Failed, match="None of 10"):
            room.graph(there, 10)


def test_kedro_for_real(tmp_path, monkeypatch):
    """Out of its lock: its first run, then a graph of three; about six seconds."""
    monkeypatch.setattr(room, "STATE", tmp_path)
    with room.fresh(KEDRO) as there:
        there.install()
        there.make()
        there.put(KEDRO.hello)
        assert "Completed 2 out of 2 tasks" in there.run(*KEDRO.first)
        there.put(KEDRO.graphs)
        assert 0 < room.graph(there, 3).figures["makespan_s"] < 60
        assert there.packages() > 20
    assert list((tmp_path / "peers").iterdir()) == []
