from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared import events, registry, steps, tracking
from shared.config import LogisticRegression
from shared.errors import ConfigError, DataError, RegistryError
from shared.pipeline import retrain
from shared.records import Trained


def told(config):
    return [(each["step"], each["label"], each["state"]) for each in events.read(config.events)]


def through_json(record):
    """What a record looks like after XCom or a KFP parameter: plain JSON, all numbers floats."""
    return json.loads(json.dumps(record.json_dict()), parse_int=float)


def test_the_steps_take_what_tools_pass_between_tasks(make_config):
    config = make_config()
    window = through_json(steps.ingest(through_json(config), "plain", "run-1"))
    window = through_json(steps.validate(window))
    trained = [through_json(steps.train(window, candidate)) for candidate in window["config"]["candidates"]]
    verdict = through_json(steps.evaluate(window, through_json(steps.select(trained))))
    outcome = steps.register(window, verdict)
    assert outcome.version == 1
    assert told(config)[0] == ("ingest", "", "started")
    assert ("train", "logistic_regression", "finished") in told(config)
    assert told(config)[-1] == ("register", "", "finished")


def test_a_fetch_of_its_own_is_the_same_as_one_within_ingest(make_config, tmp_path):
    config = make_config()
    fetched = through_json(steps.fetch(through_json(config), tmp_path / "fetched"))
    apart = steps.ingest(config, "plain", "run-1", fetched=fetched)
    within = steps.ingest(make_config(request_id="other"), "plain", "run-2")
    assert (apart.data_version, apart.files) == (within.data_version, within.files)
    assert apart.data == tmp_path / "fetched"
    assert told(config)[:3] == [("fetch", "", "started"), ("fetch", "", "finished"), ("ingest", "", "started")]


def test_a_step_that_is_told_of_no_listener_tells_the_environments(make_config, tmp_path, monkeypatch):
    monkeypatch.setenv(events.LISTENER, str(tmp_path / "listener"))
    steps.fetch(make_config(events=None), tmp_path / "fetched")
    assert [each["state"] for each in events.read(tmp_path / "listener")] == ["started", "finished"]


def test_select_takes_the_lowest_log_loss_whatever_the_order():
    def trained(name, loss):
        return Trained(candidate=name, run_id="", model_uri="", model_digest="", auc=0.7, log_loss=loss, base_rate=0.2)

    one, two, tie = trained("a", 0.50), trained("b", 0.49), trained("c", 0.49)
    assert steps.select([one, two, tie]) == steps.select([tie, two, one]) == two


def test_a_failed_step_leaves_its_cause_in_mlflow_and_in_the_events(make_config, spoil):
    spoil("2013-03", lambda frame: frame.rename(columns={"temp": "temperature"}))
    config = make_config()
    window = steps.ingest(config, "plain", "run-1")
    with pytest.raises(DataError, match="temperature"):
        steps.validate(window)
    run = tracking.connect(config).get_run(window.run_id)
    assert run.info.status == "FAILED"
    assert "temperature is not part of the contract" in run.data.tags["bakeoff.failure"]
    last = events.read(config.events)[-1]
    assert (last["step"], last["state"], last["kind"]) == ("validate", "failed", "DataError")
    assert "What to do:" in last["error"]


def test_a_failed_ingest_closes_its_run(make_config, small_repo):
    (small_repo / "data/flights/2013-02.parquet").unlink()
    (small_repo / "data/flights/2013-02.parquet").write_bytes(b"cut")
    config = make_config()
    with pytest.raises(DataError, match="2013-02 has changed"):
        steps.ingest(config, "plain", "run-1")
    run_id = tracking.open_run(config, "plain", "run-1")
    assert "ingest" in tracking.connect(config).get_run(run_id).data.tags["bakeoff.failure"]


def test_a_second_verdict_is_not_reached(make_config):
    window = steps.validate(steps.ingest(make_config(), "plain", "run-1"))
    trained = steps.train(window, window.candidates[0])
    verdict = steps.evaluate(window, trained)
    steps.register(window, verdict)
    # Now the challenger is the champion; judged again it would meet itself and be rejected.
    assert steps.evaluate(window, trained) == verdict


def test_a_rejected_run_that_is_run_again_keeps_its_verdict(make_config):
    retrain(make_config("2013-03"), "run-1")
    config = make_config("2013-03", request_id="again")
    first = retrain(config, "run-2")
    assert not first.promote
    outcome = registry.outcome(config)
    assert retrain(config, "run-2") == first  # as when all tasks of a DAG run are cleared
    assert registry.outcome(config) == outcome


def test_running_an_old_month_again_does_not_rewrite_history(make_config):
    march, april = make_config("2013-03"), make_config("2013-04", gate={"min_auc_gain": -1})
    retrain(march, "march")
    retrain(april, "april")
    before = registry.promotion_log(march)
    assert [each.event for each in before] == ["promoted", "promoted"]
    with pytest.raises(RegistryError, match="is no holdout for it"):
        retrain(march, "march")
    assert registry.promotion_log(march) == before


def test_a_champion_that_has_seen_the_month_is_told_at_once(make_config):
    retrain(make_config("2013-04", gate={"min_auc_gain": -1}), "run-1")
    config = make_config("2013-03")
    with pytest.raises(RegistryError, match="trained on months up to 2013-03: 2013-03 is no holdout for it"):
        steps.ingest(config, "plain", "run-2")
    assert registry.champion(config) == 1


def test_data_that_change_under_a_run_are_told(make_config, spoil):
    steps.ingest(make_config(), "plain", "run-1")
    spoil("2013-01", lambda frame: frame.iloc[1:])
    with pytest.raises(RegistryError, match="start a new run"):
        steps.ingest(make_config(), "plain", "run-1")


def test_a_run_id_is_needed(make_config):
    with pytest.raises(ConfigError, match="orchestrator_run"):
        steps.ingest(make_config(), "plain", "")


def test_nonsense_is_told_by_field(make_config):
    with pytest.raises(ConfigError, match=r"window\.run_id: Field required"):
        steps.train({"config": make_config().json_dict()}, LogisticRegression())


def test_nobody_listening_is_no_error(make_config, tmp_path):
    events.tell(None, step="x")
    events.tell(tmp_path / "no" / "such" / "folder", step="x")
    assert events.read(tmp_path / "nothing") == []


def test_a_line_that_is_being_written_is_left_for_later(tmp_path):
    path = tmp_path / "events.jsonl"
    events.tell(path, step="a")
    with path.open("a") as stream:
        stream.write('{"step": "b"')
    assert [each["step"] for each in events.read(path)] == ["a"]
    assert events.read(path, skip=1) == []


@pytest.mark.parametrize("module", ["shared.steps", "shared.serve", "shared.pipeline"])
def test_orchestrators_parse_without_the_heavy_libraries(module):
    code = (
        f"import sys, {module}; print([name for name in ('pandas', 'sklearn', 'mlflow', 'pandera', 'dvc', 'pyarrow',"
        " 'airflow', 'prefect', 'kfp') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
