"""What happens within a run: branches, a fan-out that is known late, failures, and going on after one."""

from __future__ import annotations

import pytest

from tests.stacks.prefect.client import most_at_once, step, until

#: More leaves than a machine's integer can count: scikit-learn cannot train it, and trying again does not help.
BROKEN = {"name": "random_forest", "label": "broken", "n_estimators": 2, "min_samples_leaf": 2**63}
SEARCH = {"name": "hist_gradient_boosting", "values": {"max_leaf_nodes": [7, 15, 31], "learning_rate": [0.05, 0.1]}}
LIMIT = 4
#: `kill -9` of the process of one flow run, in the worker's container.
KILL = """
import os, pathlib, sys
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        if sys.argv[1] in (process / "environ").read_text(errors="replace"):
            os.kill(int(process.name), 9)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def wide(server):
    """Six drawn candidates and one that cannot be trained, on a month that lacks wind gusts."""
    config = {
        **{"month": "2013-02", "model_name": "prefect-wide", "candidates": [BROKEN], "tolerate_failed": True},
        **{"search": {**SEARCH, "draws": 6}, "contract": {"impute_above": 0.2}},
    }
    run = server.start(config=config)
    return server.ends(run), {task["name"]: task for task in server.tasks(run)}


@pytest.mark.capability("fan-out")
def test_the_fan_out_is_as_wide_as_the_search_and_no_wider_than_the_limit(wide, server):
    _, tasks = wide
    names = [f"train-hist_gradient_boosting-{number:02}" for number in range(1, 7)]
    trained = [tasks[name] for name in names]
    assert {task["state_name"] for task in trained} == {"Completed"}
    assert 1 < most_at_once([*trained, tasks["train-broken"]]) <= LIMIT


@pytest.mark.capability("tolerated-failure")
def test_a_candidate_that_cannot_be_trained_does_not_sink_the_others(wide):
    run, tasks = wide
    assert tasks["train-broken"]["state_type"] == "FAILED"
    assert "OverflowError" in tasks["train-broken"]["state"]["message"]
    assert run["state_name"] == "Promoted"


@pytest.mark.capability("conditional")
def test_a_step_is_run_where_the_data_ask_for_it_and_shown_as_skipped_elsewhere(wide, resumed, server):
    _, tasks = wide
    assert {task["state_name"] for name, task in tasks.items() if name.startswith("impute-")} == {"Completed"}
    _, run = resumed
    first = [task for task in server.tasks(run["id"]) if task["flow_run_run_count"] == 1]
    assert [task["state_name"] for task in first if task["name"].startswith("impute-")] == ["Skipped"]


@pytest.fixture(scope="module")
def resumed(server, stack):
    """A run whose process was killed when one of two candidates was trained, and that was then retried."""
    slow = {"name": "random_forest", "n_estimators": 300}
    candidates = [{"name": "logistic_regression"}, slow]
    run = server.start(config={"month": "2013-02", "model_name": "prefect-resumed", "candidates": candidates})
    until(lambda: server.states(run).get("train-logistic_regression") == "Completed", "one candidate")
    stack.compose.exec("prefect-worker", "python", "-c", KILL, run)
    crashed = server.ends(run)

    def retried():
        """A process worker reports a crash twice, some seconds apart: a retry that comes between is lost."""
        if server.run(run)["state_name"] == "Crashed":
            server.ask("POST", f"flow_runs/{run}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}})
        return server.run(run)["state_type"] in ("RUNNING", "COMPLETED")

    until(retried, "the retry")
    return crashed, server.ends(run)


@pytest.mark.capability("resume")
def test_a_run_that_was_killed_goes_on_where_it_was(resumed, server):
    crashed, run = resumed
    assert (crashed["state_name"], run["state_name"]) == ("Crashed", "Promoted")
    assert (run["id"], run["run_count"]) == (crashed["id"], 2)
    done = server.executions(run["id"])
    assert {name: done[name] for name in ("ingest", "validate", "train-logistic_regression", "select", "register")} == {
        **{"ingest": 1, "validate": 1, "train-logistic_regression": 1, "select": 1, "register": 1}
    }
    assert done["train-random_forest"] == 2


@pytest.mark.capability("cache")
def test_what_was_done_comes_from_the_cache(resumed, server):
    _, run = resumed
    second = [task for task in server.tasks(run["id"]) if task["flow_run_run_count"] == 2]
    cached = {step(task) for task in second if task["state_name"] == "Cached"}
    assert cached == {"ingest", "validate", "impute", "train-logistic_regression"}


@pytest.mark.capability("retry")
def test_what_passes_by_itself_is_tried_again_after_a_while(server, stack):
    run = server.start(config={"month": "2013-02", "model_name": "prefect-retried"})
    until(lambda: any(state == "Running" for name, state in server.states(run).items() if "train" in name), "training")
    stack.compose.run("stop", "--timeout", "1", "mlflow")
    stack.compose.run("start", "mlflow")
    assert server.ends(run)["state_name"] == "Promoted"
    retried = [task for task in server.tasks(run) if task["run_count"] > 1]
    assert retried
    for task in retried:
        history = server.ask("GET", f"task_run_states/?task_run_id={task['id']}")
        names = [state["name"] for state in sorted(history, key=lambda state: state["timestamp"])]
        waited = names.index("AwaitingRetry")
        assert names[waited + 1 : waited + 2] == ["Retrying"], names
        assert names[-1] == "Completed"
