from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures.graphs.split import Ran, begun_in_kfp_log, covered, parts
from benchmarks.measures.rounds import Failed

MOMENT = st.integers(0, 10_000).map(lambda each: each / 64)  # exact in binary: sums are too
TASK = st.tuples(MOMENT, MOMENT, MOMENT)
PARTS = ("start_s", "schedule_s", "execution_s", "transition_s", "end_s")


def chain(*lengths, called=100.0, tail=0.0):
    """A chain of tasks, each of (transition, schedule, execution) seconds."""
    now, tasks = called, []
    for transition, schedule, execution in lengths:
        ready = now + transition
        tasks.append((ready, ready + schedule, ready + schedule + execution))
        now = tasks[-1][2]
    return Ran(called, now + tail, tasks)


@given(MOMENT, MOMENT, st.lists(TASK, min_size=1, max_size=12))
def test_the_parts_add_up_and_none_is_negative_whatever_the_clocks_say(called, ended, tasks):
    found = parts(Ran(called, ended, tasks))
    assert all(value >= 0 for value in found.values())
    assert sum(found[each] for each in PARTS) == pytest.approx(found["makespan_s"], abs=1e-9)
    assert found["tasks_s"] == pytest.approx(found["makespan_s"] - found["start_s"] - found["end_s"], abs=1e-9)
    assert found["start_s"] <= found["trigger_s"] <= found["makespan_s"]


@given(st.lists(st.tuples(MOMENT, MOMENT, MOMENT), min_size=1, max_size=8), MOMENT)
def test_of_a_chain_each_part_is_the_sum_over_its_tasks(lengths, tail):
    """As Windmill's benchmark has it: created to started, started to completed, completed to the next one's created."""
    found = parts(chain(*lengths, tail=tail))
    assert found["schedule_s"] == pytest.approx(sum(schedule for _, schedule, _ in lengths))
    assert found["execution_s"] == pytest.approx(sum(execution for _, _, execution in lengths))
    assert found["start_s"] == pytest.approx(lengths[0][0])
    assert found["transition_s"] == pytest.approx(sum(transition for transition, _, _ in lengths[1:]))
    assert found["end_s"] == pytest.approx(tail)


def test_of_tasks_at_once_each_moment_counts_once():
    # Two wait 1 s for one that runs 2 s; then both run, 1 and 3 s; the run closes 1 s later.
    found = parts(Ran(0.0, 7.0, [(0.5, 1.0, 3.0), (2.0, 3.0, 4.0), (2.0, 3.0, 6.0)]))
    assert {name: found[name] for name in PARTS} == {
        "start_s": 0.5,
        "schedule_s": 0.5,
        "execution_s": 5.0,
        "transition_s": 0.0,
        "end_s": 1.0,
    }
    assert (found["makespan_s"], found["trigger_s"], found["tasks_s"], found["latency_s"]) == (7.0, 1.0, 5.5, 1.0)


@given(st.lists(st.tuples(MOMENT, MOMENT).map(sorted), max_size=10))
def test_what_is_covered_is_no_more_than_all_spans_and_no_less_than_the_longest(spans):
    lengths = [end - begin for begin, end in spans]
    assert max(lengths, default=0.0) <= covered(spans) <= sum(lengths)


def test_a_run_whose_tasks_are_not_all_told_has_no_figures():
    with pytest.raises(Failed, match="the times of 1 of 2 tasks"):
        chain((0, 1, 1)).whole(2)


def test_kfps_log_tells_when_components_began_wherever_their_lines_stand():
    text = """
    [KFP Executor 2026-01-05 12:00:01,500 INFO]: Looking for component `step` in --component_module_path `/tmp/x.py`
12:00:01.600 - INFO - Executing task 'step'
[KFP Executor 2026-01-05 12:00:00,250 INFO]: Looking for component `step` in --component_module_path `/tmp/y.py`
        [KFP Executor 2026-01-05 12:00:01,500 INFO]: Loading KFP component "step"
"""
    noon = datetime(2026, 1, 5, 12).timestamp()
    assert begun_in_kfp_log(text) == [noon + 0.25, noon + 1.5]
