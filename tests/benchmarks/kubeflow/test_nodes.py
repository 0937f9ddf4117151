"""What KFP says of a run, read as attempts at our steps. `argo.py` says where the answers' shape comes from."""

from __future__ import annotations

import pytest

from benchmarks.kubeflow import nodes
from tests.benchmarks.kubeflow import argo

NAMES = list(argo.CANDIDATES)
RUN = {"run_id": "r", "state": "SUCCEEDED"}


def told(attempts):
    return [(one.step, one.label, one.state) for one in attempts]


def test_a_run_to_its_end_is_its_steps_and_nothing_else():
    look = nodes.look_of(RUN, nodes.of_workflow(argo.whole().json()), NAMES)
    assert look.state == "finished"
    assert told(look.attempts) == [
        ("fetch", "", "finished"),
        ("ingest", "", "finished"),
        ("validate", "", "finished"),
        ("train", "logistic_regression", "finished"),
        ("train", "hist_gradient_boosting", "finished"),
        ("select", "", "finished"),
        ("evaluate", "", "finished"),
        ("register", "", "finished"),
    ]
    assert all(one.started is not None and one.ended is not None for one in look.attempts)
    assert len({one.id for one in look.attempts}) == len(look.attempts)


def test_the_pod_of_a_try_is_named_as_argo_names_pods():
    flow = argo.whole()
    first = nodes.attempts(nodes.of_workflow(flow.json()), NAMES)[0]
    executor = next(node for node in flow.nodes.values() if node["displayName"] == "executor")
    assert first.task["pod"] == f"{argo.WORKFLOW}-system-container-impl-{executor['id'].rpartition('-')[2]}"


def test_a_rejection_leaves_register_out():
    look = nodes.look_of(RUN, nodes.of_workflow(argo.whole(promoted=False).json()), NAMES)
    assert look.state == "finished"
    assert "register" not in {one.step for one in look.attempts}


@pytest.mark.parametrize("shape", ["workflow", "details with pods"])
def test_a_cached_task_is_finished_and_says_so(shape):
    flow = argo.whole(cached=True)
    found = nodes.of_workflow(flow.json()) if shape == "workflow" else nodes.of_details(flow.details(with_pods=True))
    notes = {one.step: one.note for one in nodes.attempts(found, NAMES)}
    assert notes.pop("fetch") == nodes.CACHED
    assert not any(notes.values())


def test_details_without_pod_names_still_tell_every_step():
    """As 2.17.0 answers where it no longer serves the workflow: which turn of the loop it is cannot be known."""
    found = nodes.attempts(nodes.of_details(argo.whole().details()), NAMES)
    assert [one for one in told(found) if one[0] == "train"] == [
        ("train", "#1", "finished"),
        ("train", "#2", "finished"),
    ]
    assert {one.step for one in found} == set(nodes.STEPS)


def test_each_try_is_an_attempt():
    flow = argo.Workflow()
    flow.task("ingest", [flow.add("root", [])], tries=("Failed", "Failed", "Running"))
    found = nodes.attempts(nodes.of_workflow(flow.json()), NAMES)
    assert told(found) == [("ingest", "", "failed"), ("ingest", "", "failed"), ("ingest", "", "running")]
    assert found[0].error == "main: Error (exit code 1)"
    assert found[2].ended is None
    assert not nodes.look_of({"state": "RUNNING"}, nodes.of_workflow(flow.json()), NAMES).failed, "it is tried again"


def test_more_than_nine_tries_are_in_order():
    flow = argo.Workflow()
    flow.task("ingest", [flow.add("root", [])], tries=("Failed",) * 11 + ("Succeeded",))
    assert nodes.attempts(nodes.of_workflow(flow.json()), NAMES)[-1].state == "finished"


def test_a_failed_step_is_the_one_that_failed():
    look = nodes.look_of({"state": "FAILED"}, nodes.of_workflow(argo.whole(fails="validate").json()), NAMES)
    assert look.state == "failed"
    assert [one.step for one in look.failed] == ["validate"]


def test_a_driver_that_fails_is_the_failure_of_its_step():
    flow = argo.Workflow()
    flow.add("train-driver", [flow.add("iteration-iterations(1:1)", [])], "Failed", "Pod", message="no such input")
    [one] = nodes.attempts(nodes.of_workflow(flow.json()), NAMES)
    assert (one.step, one.label, one.state) == ("train", "hist_gradient_boosting", "failed")
    assert one.error == "its driver failed: no such input"


def test_a_failure_outside_of_every_step_is_told():
    flow = argo.Workflow()
    top = flow.add("retrain", [], "Failed", message="child failed")
    flow.add("root-driver", [top], "Failed", "Pod", message="ErrImagePull: kfp-driver:2.17.0")
    look = nodes.look_of({"state": "FAILED"}, nodes.of_workflow(flow.json()), NAMES)
    assert look.message == "root-driver failed: ErrImagePull: kfp-driver:2.17.0"


def test_a_pod_that_cannot_start_is_waiting_though_kfp_calls_the_run_running():
    flow = argo.Workflow()
    flow.task("fetch", [flow.add("root", [], "Running")], "Pending")
    found = nodes.of_workflow(flow.json())
    look = nodes.look_of({"state": "RUNNING"}, found, NAMES)
    assert (look.state, look.message) == ("waiting", "executor waits: ErrImagePull: x:1 not found")
    assert told(look.attempts) == [("fetch", "", "waiting")]


def test_a_run_that_has_only_been_asked_for_has_no_task():
    look = nodes.look_of({"run_id": "r"}, [], NAMES)
    assert (look.state, look.said, look.attempts) == ("waiting", "pending", [])
    assert not nodes.has_begun([])
    assert nodes.has_begun(nodes.of_workflow(argo.whole().json()))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("PENDING", "waiting"),
        ("PAUSED", "waiting"),
        ("RUNTIME_STATE_UNSPECIFIED", "waiting"),
        ("CANCELED", "failed"),
        ("FAILED", "failed"),
        ("SUCCEEDED", "finished"),
    ],
)
def test_states_of_a_run(said, state):
    assert nodes.look_of({"state": said}, [], NAMES).state == state
