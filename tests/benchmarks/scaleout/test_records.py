from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.places import ArmName
from benchmarks.scaleout import plot, show
from benchmarks.scaleout.records import ScaleOut, Spread, merged, read, since_the_first
from tests.benchmarks.test_results import ENVIRONMENT

SPAN = st.floats(0, 1000, allow_nan=False)
TIMES = st.lists(st.tuples(SPAN, SPAN, st.floats(0.01, 1000)), min_size=1, max_size=40).map(
    lambda each: [(1e9 + ready, 1e9 + ready + wait, 1e9 + ready + wait + inside) for ready, wait, inside in each]
)


ABOUT = {"environment": ENVIRONMENT, "versions": {"prefect": "3"}}


def spread(times, asked=None, **fields):
    fields = {"tool": ArmName.AIRFLOW, "what": "small tasks", "workers": 2, **fields}
    return Spread(**fields, **ABOUT, asked=asked or len(times), tasks=since_the_first(times))


def failed(tool=ArmName.PREFECT):
    return Spread(tool=tool, what="candidates", workers=1, asked=4, error="it is | down", **ABOUT)


@given(TIMES)
def test_the_makespan_holds_every_task_and_begins_with_the_first(times):
    done = spread(times)
    assert min(each.ready for each in done.tasks) == 0
    assert done.makespan_s == pytest.approx(max(e for _, _, e in times) - min(r for r, _, _ in times), abs=0.01)
    assert done.makespan_s >= done.inside_s - 0.01
    assert done.per_task_s == pytest.approx(done.makespan_s / len(times))
    assert 1 <= done.at_once <= len(times)


def test_tasks_one_after_the_other_are_one_at_once():
    assert spread([(0, 0, 1), (0, 1, 2), (0, 2, 3)]).at_once == 1
    assert spread([(0, 0, 2), (0, 1, 3), (0, 2, 3)]).at_once == 2


def test_where_tasks_are_missing_there_is_no_makespan():
    assert spread([(0, 0, 1)], asked=2).makespan_s is None
    assert spread([(0, 0, 1)], asked=2).per_task_s is None
    assert failed().makespan_s is None


def test_a_file_can_be_read_again_and_what_is_not_measured_anew_stays(tmp_path):
    old = ScaleOut(spreads=(spread([(0, 0, 1)]), spread([(0, 0, 1)], workers=4), failed()))
    new = spread([(0, 0, 9)], workers=4)
    (tmp_path / "file.json").write_text(merged(old, [new]).model_dump_json())
    assert read(tmp_path / "file.json").spreads == (old.spreads[0], old.spreads[2], new)
    assert read(tmp_path / "none.json") is None


def test_a_failed_run_is_a_row(tmp_path):
    (tmp_path / "file.json").write_text(ScaleOut(spreads=(spread([(0, 0, 1.5)]), failed())).model_dump_json())
    told = show.table(tmp_path / "file.json")
    assert "| 4 candidates | Prefect | 1 | failed: it is / down | | | |" in told
    assert "| 1 small tasks | Airflow | 2 | 1.5 | 1,500 | 1.50 | 1 |" in told


def test_a_result_without_any_run_that_succeeded_can_be_drawn(tmp_path):
    plot.draw(ScaleOut(spreads=(failed(),)), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
