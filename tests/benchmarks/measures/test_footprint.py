from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures import footprint
from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.family import Look, Member
from benchmarks.measures.footprint import compose, embedded
from benchmarks.measures.footprint.embedded import Quiet, Watched
from benchmarks.measures.footprint.parts import EMBEDDED, of_stack, rows
from benchmarks.measures.rounds import Failed, estimate_s
from benchmarks.places import ARMS, ArmName
from benchmarks.stacks.stack import STACKS, Tool

EVERY_TOOL = [*EMBEDDED.values(), *(of_stack(tool) for tool in STACKS)]


@pytest.mark.parametrize("parts", EVERY_TOOL, ids=[*EMBEDDED, *(f"{tool} compose" for tool in STACKS)])
def test_roles_and_all_are_told_of_every_tool_and_no_row_twice(parts):
    found = rows(parts)
    assert len({each.key for each in found}) == len(found)
    for phase in ("idle", "busy"):
        whole = [each for each in found if each.phase == phase]
        assert [set(each.of) for each in whole if each.role == "all"] == [set(parts)]
        roles = {each.role: set(each.of) for each in whole if each.part == "all" and each.role != "all"}
        assert set.union(*roles.values()) == set(parts)
        assert sum(map(len, roles.values())) == len(parts)  # no part has two roles


def test_the_rows_of_airflow_tell_its_services_apart():
    idle = {(each.part, each.role) for each in rows(EMBEDDED[ArmName.AIRFLOW]) if each.phase == "idle"}
    services = {(each, "control plane") for each in ("api-server", "scheduler", "dag-processor", "all")}
    assert idle == {*services, ("all", "workers"), ("all", "all")}


@pytest.mark.parametrize(
    ("name", "root", "is_root", "command", "part"),
    [
        (ArmName.AIRFLOW, "scheduler", True, "airflow scheduler", "scheduler"),
        (ArmName.AIRFLOW, "scheduler", False, "airflow worker -- LocalExecutor: <idle>", "LocalExecutor"),
        (ArmName.AIRFLOW, "dag-processor", False, "parses a DAG", "dag-processor"),
        (ArmName.PREFECT, "prefect", True, "python -m prefect_impl request.json", "flow run"),
        (
            *(ArmName.PREFECT, "prefect", False),
            *("python -m uvicorn --factory prefect.server.api.server:create_app --port 8642", "ephemeral API"),
        ),
        (ArmName.KUBEFLOW, "kubeflow", True, "python -m kubeflow_impl request.json", "local runner"),
        (ArmName.KUBEFLOW, "kubeflow", False, "python -m kfp.dsl.executor_main", "components"),
        (ArmName.PLAIN, "plain", True, "python -m shared.pipeline request.json", "process"),
    ],
)
def test_a_process_belongs_to_a_part_that_is_told(name, root, is_root, command, part):
    assert embedded.part_of(name)(Member(None, root, is_root, command)) == part
    assert part in EMBEDDED[name]


def look(at, **memory):
    return Look(at, dict.fromkeys(memory, 1), memory, dict.fromkeys(memory, at / 2))


def row(parts, part, phase):
    return next(each for each in rows(parts) if (each.part, each.role, each.phase) == (part, "all", phase))


def test_busy_is_the_most_at_one_time_and_not_the_sum_of_each_parts_most():
    parts = {"a": "workers", "b": "workers"}
    looks = [look(0.0), look(1.0, a=100.0, b=10.0), look(2.0, a=10.0, b=90.0), look(4.0, a=50.0, b=50.0)]
    told = embedded.taken(row(parts, "all", "busy"), looks, 0.1).figures
    assert told == {"memory_mib": 110.0, "cpu_percent": 100.0, "processes": 2.0}
    assert embedded.taken(row(parts, "all", "idle"), looks, 0.1).figures["memory_mib"] == 100.0


def test_what_was_too_short_to_be_looked_at_is_no_zero():
    with pytest.raises(Failed, match="nobody looked"):
        embedded.taken(row({"a": "workers"}, "all", "busy"), [look(0.0)], 0.1)
    with pytest.raises(Failed, match="nobody looked"):
        compose.of_busy(row({"a": "workers"}, "all", "busy"), [], {"a": 1.0})


mib = st.floats(0, 4000)


@given(st.lists(st.fixed_dictionaries({"a": mib, "b": mib}), min_size=1, max_size=6), st.floats(0, 200))
def test_containers_together_take_no_more_than_the_most_of_each(samples, percent):
    parts = {"a": "workers", "b": "base"}
    told = {
        each.of: compose.of_busy(each, samples, {"a": percent, "b": 1.0}).figures
        for each in rows(parts)
        if each.phase == "busy"
    }
    together = told["a", "b"]
    assert together["memory_mib"] <= told[("a",)]["memory_mib"] + told[("b",)]["memory_mib"] + 1e-9
    assert together["memory_mib"] >= max(told[("a",)]["memory_mib"], told[("b",)]["memory_mib"])
    assert together["cpu_percent"] == pytest.approx(percent + 1)


def test_idle_containers_are_summed():
    used = {"a": (100.0, 1.5), "b": (50.0, 0.5)}
    told = compose.of_idle(row({"a": "base", "b": "workers"}, "all", "idle"), used).figures
    assert told == {"memory_mib": 150.0, "cpu_percent": 2.0, "processes": 2.0}


def test_every_case_has_labels_of_its_own_and_what_cannot_be_run_says_how_it_could():
    cases = [case for group in footprint.groups(Asked()) for case in group.cases]
    assert len({tuple(case.labels.items()) for case in cases}) == len(cases)
    [kind] = [case for case in cases if case.cannot]
    assert kind.labels["tool"] == "kubeflow"
    assert "`./bakeoff up kubeflow" in kind.cannot


def test_the_quick_profile_keeps_to_its_time():
    groups = footprint.groups(Asked("quick", ARMS, [Where.EMBEDDED]))
    assert len(groups) == 1
    assert estimate_s(groups) <= 150


def test_image_cases_are_of_services_that_there_are():
    for tool in (Tool.AIRFLOW, Tool.PREFECT):
        images = [
            case.labels["part"].removeprefix("image of ")
            for group in footprint.groups(Asked(tools=[ArmName(tool)], where=[Where.COMPOSE]))
            for case in group.cases
            if case.labels["part"].startswith("image of ")
        ]
        assert len(images) == 3
        assert set(images) <= set(STACKS[tool].services)


def test_a_real_retraining_is_watched_and_leaves_nothing(monkeypatch, tmp_path):
    """The plain arm on its smallest window: about ten seconds."""
    monkeypatch.setattr(embedded, "STATE", tmp_path)
    said = []
    told = Watched(ArmName.PLAIN, Quiet(0, 0), said.append, "2013-02").measure()
    assert said == ["idle", "busy"]
    assert set(told) == {each.key for each in rows(EMBEDDED[ArmName.PLAIN])}
    assert told["all, all, idle"].figures == {"memory_mib": 0.0, "cpu_percent": 0.0, "processes": 0.0}
    busy = told["all, all, busy"]
    assert 100 < busy.figures["memory_mib"] < 2000
    assert 1 < busy.figures["cpu_percent"] < 400
    assert busy.figures["processes"] == 1
    assert list((tmp_path / "footprint").iterdir()) == []
