from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scaleout.records import Spread, since_the_first
from benchmarks.stacks.stack import Tool

SPAN = st.floats(0, 1000, allow_nan=False)
TIMES = st.lists(st.tuples(SPAN, SPAN, st.floats(0.01, 1000)), min_size=1, max_size=40).map(
    lambda each: [(1e9 + ready, 1e9 + ready + wait, 1e9 + ready + wait + inside) for ready, wait, inside in each]
)


def spread(times, asked=None):
    tasks = since_the_first(times)
    return Spread(tool=Tool.AIRFLOW, what="small tasks", workers=2, asked=asked or len(times), tasks=tasks)


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
    assert Spread(tool=Tool.PREFECT, what="candidates", workers=1, asked=4, error="down").makespan_s is None
