from __future__ import annotations

import json

import pytest

from benchmarks import docs_stacks, results, stack_cost
from benchmarks.places import ROOT
from benchmarks.stack_cost import StackCost, StackCosts, Start
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.footprint import Idle, ServiceIdle
from benchmarks.stacks.image_size import ImageSize, Part
from benchmarks.stacks.stack import Tool
from benchmarks.stats import timing
from shared.errors import BakeoffError

ENVIRONMENT = {
    **{"date": "2026-01-01T00:00:00+00:00", "commit": "abcdef0123456", "os": "Linux", "machine": "x86_64"},
    **{"cpu": "a cpu", "cpus": 2, "memory_gib": 8.0, "python": "3.11.0"},
}
FAILED = Start(error="airflow-scheduler is not healthy: exited with code 1.\nThe end | of its log")


def start(seconds):
    return Start(seconds=seconds, build_s=1.5, publish_s=2.0, start_s=seconds - 4)


def cost(tool=Tool.AIRFLOW, celery=False, **changes):
    # As measured on the stacks of one machine.
    image = ImageSize(
        **{"name": "airflow:0.1.0", "mb": 972.2, "base_mb": 194.7, "largest": [Part(name="pyarrow", mb=117.2)]},
        **{"packages_rest_mb": 575.4, "bytecode_mb": 84.3, "other_mb": 0.5},
    )
    service = ServiceIdle(
        service="airflow-scheduler", role="control plane", memory_mib=timing([280.7, 513.9, 513.9]), cpu_percent=2.91
    )
    fields = {"first": start(90.0), "warm": [start(60.0), start(58.0), start(64.0)], "again": [start(6.0)]}
    fields |= {"images": [image, ImageSize(name="postgres:15", mb=555.9)], "versions": {"apache-airflow": "3.3.2"}}
    fields |= {"idle": Idle(settle_s=30, seconds=60.1, services=[service])}
    told = {"environment": ENVIRONMENT, "docker": "26.1.5", "compose": "2.26.1", "tool": tool, "celery": celery}
    return StackCost(**{**told, **fields, **changes})


def saved(tmp_path, *costs):
    path = tmp_path / "stacks.json"
    path.write_text(StackCosts(stacks=list(costs)).model_dump_json(indent=2))
    return path


def test_a_result_file_can_be_read_again(tmp_path):
    kept = saved(tmp_path, cost(), cost(Tool.PREFECT))
    assert stack_cost.read(kept) == StackCosts(stacks=[cost(), cost(Tool.PREFECT)])
    assert stack_cost.read(tmp_path / "none.json") is None


def test_a_stack_measured_anew_replaces_itself_only():
    before = StackCosts(stacks=[cost(), cost(Tool.PREFECT)])
    new = StackCosts(stacks=[cost(celery=True), cost(warm=[])])
    merged = stack_cost.merged(before, new)
    assert [(each.tool, each.celery) for each in merged.stacks] == [
        *((Tool.AIRFLOW, False), (Tool.AIRFLOW, True), (Tool.PREFECT, False))
    ]
    assert merged.stacks[0].warm == []
    assert stack_cost.merged(None, new).stacks[0].warm == []


def test_failed_starts_take_no_part_in_the_figures_but_stay_rows(tmp_path):
    starts = [start(60.0), FAILED, start(58.0)]
    assert stack_cost.spread(starts, lambda each: each.seconds) == timing([60.0, 58.0])
    assert stack_cost.spread([FAILED], lambda each: each.seconds) is None
    shown = docs_stacks.starts(saved(tmp_path, cost(warm=starts)))
    assert "| Airflow | warm: after `down`, images built | 2 | 59.0 (58.0 - 60.0) | 55.0 (54.0 - 56.0) |" in shown
    assert "failed: airflow-scheduler is not healthy: exited with code 1. The end / of its log |" in shown


def test_a_stack_that_never_came_up_stays_a_row(tmp_path):
    broken = cost(first=None, warm=[], again=[], images=[], idle=None, error="out of luck")
    path = saved(tmp_path, broken)
    assert "| Airflow | failed: out of luck |" in docs_stacks.starts(path)
    assert "| Airflow | failed: out of luck |" in docs_stacks.idle(path)


def test_every_table_has_as_many_cells_in_each_row(tmp_path):
    broken = cost(Tool.PREFECT, first=FAILED, warm=[], again=[], images=[], idle=None, error="out of luck")
    path = saved(tmp_path, cost(first=None), cost(celery=True, warm=[FAILED]), broken)
    for make in (docs_stacks.starts, docs_stacks.idle, docs_stacks.images):
        rows = [line for line in make(path).splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) == 1, make
        assert len(rows) > 3


def test_an_image_shared_by_two_stacks_is_shown_once(tmp_path):
    shown = docs_stacks.images(saved(tmp_path, cost(), cost(celery=True)))
    assert shown.count("postgres:15") == 1
    assert "| `airflow:0.1.0` | 972 | 195 | 693 | 84 | 0 |" in shown
    assert "pyarrow 117; all others 575." in docs_stacks.space(saved(tmp_path, cost()))


def test_tables_without_their_file_say_so(tmp_path):
    for make in (docs_stacks.starts, docs_stacks.idle, docs_stacks.images, docs_stacks.space, docs_stacks.faults):
        assert make(tmp_path / "none.json") == docs_stacks.NOT_YET


def test_faults_are_shown_as_they_were_recorded(tmp_path):
    path = tmp_path / "faults.json"
    recovered = {"outcome": "recovered", "retried": False, "cause": None, "champion_changed_wrongly": False}
    failed = {
        "outcome": "failed",
        "retried": True,
        "cause": "No heartbeat\nfor | 90 s",
        "champion_changed_wrongly": True,
    }
    entries = [
        {"tool": "airflow", "fault": "Postgres killed", "month": "2013-05", "seconds": 71.4, **recovered},
        {"tool": "prefect", "fault": "worker killed", "month": "2013-06", "seconds": 116.0, **failed},
    ]
    path.write_text(json.dumps({"environment": results.environment().model_dump(), "faults": entries}))
    shown = docs_stacks.faults(path)
    assert "| Postgres killed | airflow | recovered | 71 | right |  |" in shown
    repeated = "failed; right when repeated"
    assert f"| worker killed | prefect | {repeated} | 116 | **WRONG** | No heartbeat for / 90 s |" in shown


def test_an_error_is_kept_without_paths_of_this_machine():
    error = BakeoffError(f"{ROOT}/.bakeoff/stacks/up.log says no", where="x", fix="y")
    assert stack_cost.brief(error) == ".bakeoff/stacks/up.log says no"


def test_versions_are_those_of_the_locks():
    assert set(stack_cost.versions(Tool.AIRFLOW)) == {"apache-airflow", "mlflow"}
    assert set(stack_cost.versions(Tool.PREFECT)) == {"prefect", "mlflow"}


def test_the_time_is_told_before():
    assert stack_cost.estimate_s(2, 3) == 2 * stack_cost.estimate_s(1, 3)
    assert stack_cost.estimate_s(1, 5) > stack_cost.estimate_s(1, 3) > 60


def test_a_named_env_file_that_is_not_there_starts_nothing_and_is_not_made(tmp_path):
    path = tmp_path / "slip.env"
    with pytest.raises(StackError, match="there is no env file"):
        stack_cost.check_env(path)
    assert not path.exists()
