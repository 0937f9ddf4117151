"""The benchmark's graphs: compiled, and run by KFP's local runner, whose log tells the times (a few seconds each)."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import pytest

from benchmarks.measures.graphs import processes
from benchmarks.places import ROOT, ArmName, child_env
from kubeflow_impl import graphs
from shared.graphs import parse


def test_a_chain_is_a_chain():
    tasks = graphs.pipeline(parse("3-linear")).pipeline_spec.root.dag.tasks
    assert {name: list(each.dependent_tasks) for name, each in tasks.items()} == {
        "step": [],
        "step-2": ["step"],
        "step-3": ["step-2"],
    }


def test_a_fan_out_is_a_loop_over_so_many():
    [loop] = graphs.pipeline(parse("5-fan-out")).pipeline_spec.root.dag.tasks.values()
    assert loop.parameter_iterator.items.raw == "[0, 1, 2, 3, 4]"


@pytest.mark.parametrize("name", ["2-linear-fib-10", "3-fan-out"])
def test_its_log_tells_when_each_task_was_ready_started_and_ended(name):
    graph, begin = parse(name), time.time()
    command = [sys.executable, "-m", "kubeflow_impl.graphs", name]
    done = subprocess.run(command, cwd=ROOT, env=child_env(), capture_output=True, text=True, check=True)
    found = processes.taken(ArmName.KUBEFLOW, graph, begin, done.stdout).figures
    assert 0 < found["execution_s"] < found["makespan_s"] < time.time() - begin
    assert found["schedule_s"] > 0


def test_lines_of_the_log_are_seen_where_no_handler_is(monkeypatch):
    root = logging.getLogger()
    for name, value in (("handlers", []), ("filters", []), ("level", logging.WARNING)):
        monkeypatch.setattr(root, name, value)
    log = graphs.Log()
    for told in (
        "Executing task 'step'",
        "Streamed logs:",
        "Task 'step' finished with status SUCCESS",
        "Task outputs:",
    ):
        logging.info(told)
    [[executing, finished]] = log.times()
    assert executing <= finished
