from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from shared import registry, tracking
from shared.errors import DataError
from shared.pipeline import retrain
from shared.serve import STOP_WITH_STDIN

ROOT = Path(__file__).resolve().parents[2]


def test_a_month_promotes_and_the_same_month_again_rejects(make_config):
    first = retrain(make_config("2013-03", request_id="one"), "run-1")
    again = retrain(make_config("2013-03", request_id="two"), "run-2")
    config = make_config("2013-03")
    assert first.promote
    assert not again.promote  # the very same model does not beat itself
    assert again.challenger.model_digest == first.challenger.model_digest
    assert again.auc_gain == (0.0, 0.0, 0.0)
    assert registry.champion(config) == 1
    assert [each.event for each in registry.promotion_log(config)] == ["promoted", "rejected"]


def test_a_failed_run_leaves_the_champion_and_can_be_run_again(make_config, spoil, months):
    retrain(make_config("2013-03"), "run-1")
    config = make_config("2013-04")
    spoil("2013-04", lambda frame: frame.drop(columns="dest"))
    with pytest.raises(DataError, match="dest is missing"):
        retrain(config, "run-2")
    assert registry.champion(config) == 1
    assert registry.outcome(config) is None


def test_a_retried_run_does_nothing_twice(make_config):
    config = make_config("2013-03")
    first, again = retrain(config, "run-1"), retrain(config, "run-1")
    assert first == again
    client = tracking.connect(config)
    assert len(client.search_model_versions(f"name = '{config.model_name}'")) == 1
    experiment = client.get_experiment_by_name(config.model_name).experiment_id
    assert len(client.search_runs([experiment])) == 3  # one parent, two candidates


def serve(config, python, tmp_path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps([config if isinstance(config, dict) else config.json_dict()]))
    command = [python, "-m", "shared.pipeline", request]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)


def test_the_process_says_no_in_one_line(make_config, spoil, python, tmp_path):
    spoil("2013-02", lambda frame: frame.astype({"distance": "float64"}))
    done = serve(make_config(), python, tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: the data contract is broken: column distance has type float64 instead of int16")
    assert "Traceback" not in done.stderr


def test_the_process_refuses_a_bad_request(make_config, python, tmp_path):
    done = serve({**make_config().json_dict(), "month": "2013-01"}, python, tmp_path)
    assert done.returncode == 1
    assert "no earlier one to train on" in done.stderr


@pytest.mark.parametrize(("held", "code"), [(True, 0), (False, 130)])
def test_a_process_ends_with_whoever_holds_its_standard_input(make_config, python, tmp_path, held, code):
    request = tmp_path / "request.json"
    request.write_text(json.dumps([make_config().json_dict()]))
    process = subprocess.Popen(
        [python, "-m", "shared.pipeline", request],
        cwd=ROOT,
        env={**os.environ, STOP_WITH_STDIN: "1"},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    if not held:
        time.sleep(1)
        process.stdin.close()  # as the system does when the holder is killed
    assert process.wait(timeout=120) == code
    assert (registry.outcome(make_config()) is not None) == held
    process.stdin.close()
