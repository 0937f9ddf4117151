"""What the pipeline does by itself, shown by `kfp.local`: every component in a process of its own, as in a pod."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from shared import approval, registry
from shared.tracking import connect
from tests.stacks.kubeflow.conftest import QUICK, until

RETRAIN, ALERTED = "kubeflow_impl.pipeline:retrain", "kubeflow_impl.alerting:alerted"
#: sklearn overflows. KFP passes numbers as doubles: 2**70, as in the core's tests, would be refused before.
BROKEN = {"name": "random_forest", "label": "broken", "n_estimators": 2, "min_samples_leaf": 2**62}
#: KFP's local runner never runs more of a loop at once, whatever the pipeline says.
LOCAL_LIMIT = 2


def answer(config, *, approve):
    """Answer as soon as somebody waits: `./bakeoff approve` does no other."""
    client = connect(config)

    def waiting():
        experiment = client.get_experiment_by_name(config.model_name)
        runs = client.search_runs([experiment.experiment_id], "tags.`bakeoff.month` != ''") if experiment else []
        return [run.info.run_id for run in runs if run.info.status == "RUNNING" and "bakeoff.result" in run.data.tags]

    def wait_and_answer():
        [run] = until(waiting, 180)
        approval.answer(config, run, "Ada", approve=approve)

    thread = threading.Thread(target=wait_and_answer, daemon=True)
    thread.start()
    return thread


@pytest.mark.capability("conditional")
@pytest.mark.capability("fan-out")
@pytest.mark.capability("tolerated-failure")
@pytest.mark.capability("alert")
@pytest.mark.capability("approval")
@pytest.mark.bad_input("approval-refused")
def test_what_the_data_and_the_user_ask_for(make_config, run_locally, webhook):
    posted, address = webhook
    config = make_config(
        "2013-03",
        contract={"min_rows": 1000, "impute_above": 0.5},  # most hours have no gust
        candidates=[BROKEN],
        search={
            "name": "hist_gradient_boosting",
            "values": {"max_leaf_nodes": [3, 7], "max_iter": [3, 5, 8]},
            "draws": 5,
        },
        tolerate_failed=True,
    )
    answer(config, approve=False)
    run = run_locally(ALERTED, config, webhook=address, approval=True, approval_s=120)
    code, log = run.end()
    assert code == 0, log
    # The branch that the data ask for, and what it leads to; the other one is skipped.
    counts = run.counts()
    assert (counts["impute"], counts["evaluate"], counts["register"]) == (1, 1, 0)
    assert run.outputs("select-2")
    assert not run.outputs("select")
    # As many as the search has drawn; the broken one has not sunk them.
    assert counts["train"] == 5
    assert [each["label"] for each in run.told("train", "failed")] == ["broken"]
    assert 1 < most_at_once(run.told("train")) <= LOCAL_LIMIT
    # A person was asked, and has refused; somebody is told.
    assert [entry.event for entry in registry.promotion_log(config)] == ["refused"]
    assert registry.champion(config) is None
    [told] = posted
    assert (told["event"], told["month"]) == ("rejected", "2013-03")
    assert "Ada" in told["reason"]


def most_at_once(told):
    running = most = 0
    for each in sorted(told, key=lambda each: each["time"]):
        running += 1 if each["state"] == "started" else -1
        most = max(most, running)
    return most


@pytest.mark.capability("resume")
@pytest.mark.capability("cache")
@pytest.mark.capability("alert")
@pytest.mark.bad_input("approval-timeout")
def test_after_a_hard_failure_a_new_run_repeats_all_but_the_data(make_config, run_locally, webhook):
    """kfp.local cannot go on with a run; what a server's `retry` repeats is shown by `verify`."""
    posted, address = webhook
    config = make_config("2013-03", candidates=[QUICK])
    killed = run_locally(RETRAIN, config, "killed", approval=True)
    until(lambda: killed.counts()["evaluate"])
    os.killpg(killed.process.pid, signal.SIGKILL)
    killed.process.wait()
    assert registry.champion(config) is None

    again = run_locally(ALERTED, config, "again", webhook=address, approval=True, approval_s=0)
    code, log = again.end()
    assert code == 0, log
    assert killed.counts()["fetch"] == 1
    assert again.counts() == {"ingest": 1, "validate": 1, "train": 1, "evaluate": 1, "refuse": 1}  # and no `fetch`
    # Nobody has answered in time: that is a refusal too.
    assert [entry.event for entry in registry.promotion_log(config)] == ["refused"]
    assert approval.NOBODY in posted[0]["reason"]


@pytest.mark.capability("retry")
@pytest.mark.capability("approval")
@pytest.mark.capability("drift")
def test_what_passes_is_tried_again_a_person_agrees_and_drift_asks_for_more(
    make_config, run_locally, small_repo, webhook, figure
):
    config = make_config("2013-02", candidates=[QUICK])
    away = small_repo.with_name("away")
    small_repo.rename(away)
    answer(config, approve=True)
    run = run_locally(RETRAIN, config, approval=True, approval_s=120)
    until(lambda: run.told("fetch", "failed"))
    away.rename(small_repo)
    code, log = run.end()
    assert code == 0, log
    failed, *_ = run.told("fetch", "failed")
    pause = run.told("fetch", "started")[1]["time"] - failed["time"]
    assert (run.counts("failed")["fetch"], run.counts()["fetch"]) == (1, 1)
    assert 5 <= pause < 15
    figure("pause before the second try", pause, "s", of="retry")
    assert run.counts()["register"] == 1
    assert registry.champion(config) == 1

    drift = "kubeflow_impl.drift:on_drift"
    calm = make_config("2013-03", request_id="calm", drift={"rate_gap": 9, "score_psi": 9, "novel_share": 1})
    code, log = (looked := run_locally(drift, calm, "calm")).end()
    assert code == 0, log
    assert looked.counts() == {}  # no step of a retraining
    moved = make_config("2013-03", request_id="moved", candidates=[QUICK], drift={"rate_gap": 0})
    code, log = (looked := run_locally(drift, moved, "moved")).end()
    assert code == 0, log
    assert looked.counts()["evaluate"] == 1


@pytest.mark.capability("alert")
def test_a_failure_is_told_with_its_cause(make_config, run_locally, webhook, spoil):
    posted, address = webhook
    spoil("2013-03", lambda frame: frame.rename(columns={"origin": "airport"}))
    config = make_config("2013-03", candidates=[QUICK])
    code, _ = run_locally(ALERTED, config, webhook=address).end()
    assert code == 1
    [told] = posted
    assert told["event"] == "failed"
    assert "column origin is missing" in told["reason"]
    assert registry.champion(config) is None
