from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from shared import events, registry, steps, tracking
from shared.config import LogisticRegression
from shared.errors import ConfigError, DataError, RegistryError, TrainingError
from shared.pipeline import retrain
from shared.records import Trained, Window


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
    verdict = through_json(steps.evaluate(window, through_json(steps.select(window, trained))))
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


def test_select_takes_the_lowest_log_loss_whatever_the_order(make_config):
    def trained(name, loss):
        return Trained(candidate=name, run_id="", model_uri="", model_digest="", auc=0.7, log_loss=loss, base_rate=0.2)

    config = make_config(candidates=[{"name": "logistic_regression", "label": label} for label in "abc"])
    window = Window(config=config, run_id="1", data_version="1", files={}, data=config.state)
    one, two, tie = trained("a", 0.50), trained("b", 0.49), trained("c", 0.49)
    assert steps.select(window, [one, two, tie]) == steps.select(window, [tie, two, one]) == two


#: sklearn cannot fit it: no row count is that large.
BROKEN = {"name": "random_forest", "label": "broken", "n_estimators": 2, "min_samples_leaf": 2**70}


def test_a_candidate_that_cannot_be_trained_fails_the_retraining(make_config):
    config = make_config(candidates=[{"name": "logistic_regression"}, BROKEN])
    with pytest.raises(OverflowError):
        retrain(config, "run-1")
    assert registry.champion(config) is None
    window = steps.validate(steps.ingest(config, "plain", "run-2"))
    with pytest.raises(TrainingError, match="1 of 2 candidates could not be trained: broken"):
        steps.select(window, [steps.train(window, window.candidates[0])])


def test_where_that_is_tolerated_the_others_go_on(make_config):
    config = make_config(candidates=[{"name": "logistic_regression"}, BROKEN], tolerate_failed=True)
    verdict = retrain(config, "run-1")
    assert verdict.challenger.candidate == "logistic_regression"
    assert verdict.confidence == config.gate_confidence == pytest.approx(0.975)  # still of two
    [run] = tracking.connect(config).search_runs(["1"], "tags.`bakeoff.failed.broken` LIKE 'OverflowError%'")
    assert run.info.status == "FINISHED"


def test_with_no_candidate_left_nothing_is_tolerated(make_config):
    config = make_config(candidates=[BROKEN], tolerate_failed=True)
    with pytest.raises(TrainingError, match="1 of 1"):
        retrain(config, "run-1")
    assert registry.champion(config) is None


def test_impute_is_asked_for_by_the_data_and_fills_in_what_is_missing(make_config, spoil):
    spoil("2013-03", lambda frame: frame.assign(wind_gust=frame["wind_gust"].where(frame.index % 5 == 0)))
    window = steps.validate(steps.ingest(make_config("2013-03"), "plain", "run-1"))
    assert window.report.impute == ("wind_gust",)
    imputed = through_json(steps.impute(through_json(window)))
    frame = pd.read_parquet(Path(imputed["data"]) / "2013-03.parquet")
    before = pd.concat([pd.read_parquet(path) for path in window.paths(["2013-01", "2013-02"])])
    missed = pd.read_parquet(window.data / "2013-03.parquet")["wind_gust"].isna()
    assert missed.mean() > 0.9
    assert set(frame.loc[missed, "wind_gust"]) == {before["wind_gust"].median()}
    assert len(frame) == window.report.rows["2013-03"]
    assert steps.train(imputed, window.candidates[0]).candidate == "logistic_regression"
    tags = tracking.connect(window.config).get_run(window.run_id).data.tags
    assert tags["bakeoff.imputed"].startswith("wind_gust = ")


def test_the_step_is_not_asked_for_when_the_month_has_its_readings(make_config):
    contract = make_config().contract.model_copy(update={"impute_above": 0.999})
    window = steps.validate(steps.ingest(make_config(contract=contract), "plain", "run-1"))
    assert window.report.impute == ()


def test_the_fan_out_is_as_wide_as_the_search_space_says(make_config):
    search = {"name": "logistic_regression", "values": {"C": [0.1, 1, 10]}, "draws": 2}
    config = make_config(candidates=[], search=search)
    window = Window(config=config, run_id="1", data_version="1", files={}, data=config.state)
    drawn = steps.candidates(through_json(window))
    assert [each["label"] for each in drawn] == ["logistic_regression-01", "logistic_regression-02"]
    assert len({each["C"] for each in drawn}) == 2


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


def test_a_record_given_for_another_is_told_by_what_it_lacks(make_config):
    window = steps.ingest(make_config(), "plain", "run-1")
    fields = {"model_uri": "", "model_digest": "", "auc": 0.7, "log_loss": 0.5, "base_rate": 0.2}
    trained = Trained(candidate="logistic_regression", run_id=window.run_id, **fields)
    with pytest.raises(ConfigError, match=r"window: Input should be .* instance of Window"):
        steps.evaluate(trained, window)
    with pytest.raises(ConfigError, match=r"window\.config: Field required"):
        steps.evaluate(through_json(trained), through_json(window))


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
