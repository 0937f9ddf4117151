from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from benchmarks import processes
from shared import lineage, promotion, registry, steps, tracking
from shared.data import load
from shared.datasets.flights import DATASET as FLIGHTS
from shared.errors import ConfigError, DataError, RegistryError, TrackingError
from shared.pipeline import retrain

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def judged(make_config):
    """A retraining that has come as far as a verdict to promote."""
    window = steps.validate(steps.ingest(make_config("2013-03"), "plain", "run-1"))
    trained = [steps.train(window, candidate) for candidate in window.candidates]
    verdict = steps.evaluate(window, steps.select(window, trained))
    assert verdict.promote, verdict.reason
    return window, verdict


def versions(config):
    client = tracking.connect(config)
    return [int(each.version) for each in client.search_model_versions(f"name = '{config.model_name}'")]


def aliases(config):
    found = tracking.connect(config).get_registered_model(config.model_name).aliases
    return {alias: int(version) for alias, version in found.items()}


def test_promotion_registers_once_and_moves_the_alias(judged):
    window, verdict = judged
    config = window.config
    assert registry.champion(config) is None
    outcome = promotion.promote(window, verdict)
    assert (outcome.version, outcome.promoted, outcome.orchestrator) == (1, True, "plain")
    assert promotion.promote(window, verdict) == outcome  # a retry of register
    assert versions(config) == [1]
    assert aliases(config) == {"champion": 1}
    assert registry.outcome(config) == outcome
    [entry] = registry.promotion_log(config)
    assert (entry.event, entry.champion, entry.former) == ("promoted", 1, None)
    assert (entry.run_id, entry.reason, entry.model_digest) == (window.run_id, verdict.reason, outcome.model_digest)
    assert entry.evidence["auc"] == verdict.challenger.auc


def test_a_run_cut_off_before_the_last_move_is_completed_by_a_retry(judged, monkeypatch):
    window, verdict = judged
    real = mlflow.MlflowClient.set_registered_model_alias

    def dies_at_champion(self, name, alias, version):
        if alias == "champion":
            raise ConnectionError("the network went away")
        return real(self, name, alias, version)

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.MlflowClient, "set_registered_model_alias", dies_at_champion)
        with pytest.raises(ConnectionError):
            promotion.promote(window, verdict)
    assert registry.champion(window.config) is None
    assert aliases(window.config) == {"challenger": 1}
    promotion.promote(window, verdict)
    assert aliases(window.config) == {"champion": 1}
    assert versions(window.config) == [1]


def test_a_run_that_died_before_it_could_write_the_log_is_logged_by_the_next(judged, make_config, monkeypatch):
    window, verdict = judged
    with monkeypatch.context() as patched:
        patched.setattr(promotion.ledger, "append", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("gone")))
        with pytest.raises(ConnectionError):
            promotion.promote(window, verdict)
    assert registry.champion(window.config) == 1
    assert registry.promotion_log(window.config) == []
    assert not retrain(make_config("2013-04", gate={"min_auc_gain": 1}), "run-2").promote
    assert promotion.promote(window, verdict).version == 1  # the retry, late as it is, finds all done
    log = registry.promotion_log(window.config)
    assert [(entry.event, entry.champion) for entry in log] == [("promoted", 1), ("rejected", 1)]
    assert versions(window.config) == [1]


def test_a_model_that_serves_other_scores_is_never_champion(judged, monkeypatch):
    window, verdict = judged
    other = window.model_copy(
        update={"data": window.data.parent / "ingested"}
    )  # whole: the holdout's rows as they were
    rows = pd.read_parquet(other.data / "2013-03.parquet")
    (other.data / "2013-03.parquet").unlink()
    rows.assign(dep_min=rows["dep_min"].to_numpy()[::-1]).to_parquet(other.data / "2013-03.parquet")
    with pytest.raises(RegistryError, match="version 1 does not serve what was trained: scores differ by up to"):
        promotion.promote(other, verdict)
    assert registry.champion(window.config) is None
    assert aliases(window.config) == {}
    assert registry.promotion_log(window.config) == []
    tags = tracking.connect(window.config).get_model_version(window.config.model_name, "1").tags
    assert "scores differ" in tags["serving_check"]
    assert promotion.promote(window, verdict).version == 1  # what was registered is kept, and is right after all
    assert aliases(window.config) == {"champion": 1}


def test_a_model_that_cannot_be_loaded_back_is_never_champion(judged):
    window, verdict = judged
    for path in window.config.state.rglob("model.pkl"):
        path.write_bytes(b"not a pickle")
    with pytest.raises(RegistryError, match="version 1 does not serve what was trained: "):
        promotion.promote(window, verdict)
    assert registry.champion(window.config) is None
    with pytest.raises(RegistryError, match="does not serve"):
        promotion.rollback(window.config, to=1)
    assert registry.champion(window.config) is None


def test_a_holdout_that_is_gone_is_told(judged):
    window, verdict = judged
    shutil.rmtree(window.data)
    with pytest.raises(DataError, match="the holdout is gone"):
        promotion.promote(window, verdict)
    assert registry.champion(window.config) is None


@pytest.fixture
def two_champions(make_config):
    """March is version 1, April version 2 and champion."""
    retrain(make_config("2013-03"), "march")
    retrain(make_config("2013-04", gate={"min_auc_gain": -1}), "april")
    config = make_config()
    assert registry.champion(config) == 2
    return config


def test_a_rollback_restores_the_former_champion_and_is_logged(two_champions):
    entry = promotion.rollback(two_champions, reason="it pages at night")
    assert (entry.event, entry.champion, entry.former, entry.reason) == ("rolled back", 1, 2, "it pages at night")
    assert registry.champion(two_champions) == 1
    with pytest.raises(RegistryError, match="version 1 is the first champion: there is no former one"):
        promotion.rollback(two_champions)
    assert promotion.rollback(two_champions, to=2).champion == 2  # by name one may go anywhere
    assert promotion.rollback(two_champions).champion == 1
    assert [each.event for each in registry.promotion_log(two_champions)] == ["promoted"] * 2 + ["rolled back"] * 3


def test_a_retry_after_a_rollback_does_not_undo_it(two_champions, make_config):
    promotion.rollback(two_champions)
    retrain(make_config("2013-04", gate={"min_auc_gain": -1}), "april")  # as when a DAG run's tasks are cleared
    assert registry.champion(two_champions) == 1
    assert [entry.event for entry in registry.promotion_log(two_champions)] == ["promoted", "promoted", "rolled back"]


def test_a_rollback_that_died_before_it_could_write_the_log_is_not_undone_by_the_next(two_champions, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(promotion.ledger, "append", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("gone")))
        with pytest.raises(ConnectionError):
            promotion.rollback(two_champions)
    assert registry.champion(two_champions) == 1
    with pytest.raises(RegistryError, match="version 1 is the first champion"):
        promotion.rollback(two_champions)
    assert registry.champion(two_champions) == 1
    last = registry.promotion_log(two_champions)[-1]
    assert (last.event, last.champion, last.former) == ("moved", 1, 2)


def test_an_alias_that_was_removed_by_hand_is_restored_by_a_rollback(two_champions):
    tracking.connect(two_champions).delete_registered_model_alias(two_champions.model_name, "champion")
    assert promotion.rollback(two_champions).champion == 2
    assert registry.champion(two_champions) == 2


def test_a_version_from_elsewhere_under_the_alias_is_logged_and_can_be_rolled_back(two_champions):
    client = tracking.connect(two_champions)
    source = client.get_model_version(two_champions.model_name, "1").source
    foreign = client.create_model_version(two_champions.model_name, source)
    client.set_registered_model_alias(two_champions.model_name, "champion", str(foreign.version))
    assert promotion.rollback(two_champions).champion == 2
    events = [(entry.event, entry.champion) for entry in registry.promotion_log(two_champions)]
    assert events[-2:] == [("moved", int(foreign.version)), ("rolled back", 2)]


def test_a_store_from_before_the_log_gets_one(two_champions, make_config):
    client = tracking.connect(two_champions)
    for tag in list(client.get_registered_model(two_champions.model_name).tags):
        client.delete_registered_model_tag(two_champions.model_name, tag)
    assert registry.promotion_log(two_champions) == []
    assert not retrain(make_config("2013-04", request_id="again", gate={"min_auc_gain": 1}), "again").promote
    log = registry.promotion_log(two_champions)
    assert [(entry.event, entry.champion, entry.former) for entry in log] == [("promoted", 2, 1), ("rejected", 2, 2)]
    made = client.get_model_version(two_champions.model_name, "2").creation_timestamp / 1000
    assert datetime.fromisoformat(log[0].time).timestamp() == pytest.approx(made, abs=0.01)
    assert promotion.rollback(two_champions).champion == 1


def test_a_verdict_with_much_to_tell_is_kept_whole(judged):
    window, verdict = judged
    long = verdict.model_copy(update={"warnings": tuple(f"dest {number}: AUC falls" for number in range(1000))})
    tracking.record_verdict(window, long)
    assert promotion.promote(window, long).version == 1
    assert tracking.earlier_verdict(window) == long
    assert registry.outcome(window.config).version == 1
    assert promotion.promote(window, long).version == 1


def test_a_reason_that_no_tag_can_hold_is_refused_before_anything_moves(two_champions):
    with pytest.raises(ConfigError, match="a reason of 2000 characters"):
        promotion.rollback(two_champions, reason="x" * 2000)
    assert registry.champion(two_champions) == 2


def test_it_all_works_over_a_tracking_server(make_config, python, tmp_path):
    """A real MLflow server; versions are strings there, and every call is an HTTP request."""
    port = processes.free_port()
    shutil.copyfile(make_config().state / "mlflow.db", tmp_path / "server.db")
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    places = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path / "a")]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = processes.start([*command, *places], tmp_path / "server.log", env, tmp_path)
    address = {"tracking_uri": f"http://127.0.0.1:{port}", "artifact_location": None}
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                tracking.connect(make_config(**address))
                break
            except TrackingError:
                assert time.monotonic() < deadline, processes.tail(tmp_path / "server.log")
                time.sleep(0.3)
        assert retrain(make_config("2013-03", **address), "march").promote
        assert retrain(make_config("2013-04", **address, gate={"min_auc_gain": -1}), "april").promote
        config = make_config("2013-03", **address)
        assert registry.champion(config) == 2
        assert promotion.rollback(config).champion == 1
        assert [entry.champion for entry in registry.promotion_log(config)] == [1, 2, 1]
        assert lineage.lineage(config, 2).ancestors == (1,)
        assert lineage.reproduce(config, 1, tmp_path / "again").same
    finally:
        processes.stop(server)


def test_a_rollback_to_nowhere_is_told_and_changes_nothing(two_champions, make_config):
    with pytest.raises(RegistryError, match="there is no version 7"):
        promotion.rollback(two_champions, to=7)
    with pytest.raises(RegistryError, match="version 2 is champion already"):
        promotion.rollback(two_champions, to=2)
    with pytest.raises(RegistryError, match="there has been no champion"):
        promotion.rollback(make_config(model_name="another"))
    assert registry.champion(two_champions) == 2
    assert len(registry.promotion_log(two_champions)) == 2


def test_two_runs_at_once_neither_lose_nor_double_a_promotion(make_config, python, tmp_path):
    """Four real processes retrain the same model at the same time; each month may be won once."""
    settings = {"gate": {"min_auc_gain": -1}}
    requests = [
        make_config(month, request_id=f"{month}-{n}", **settings) for n in (1, 2) for month in ("2013-03", "2013-04")
    ]
    processes = []
    for request in requests:
        path = tmp_path / f"{request.request_id}.json"
        path.write_text(json.dumps([request.json_dict()]))
        command = [python, "-m", "shared.pipeline", path]
        processes.append(
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    told = [process.communicate(timeout=240)[0] for process in processes]
    won = [request for request, process in zip(requests, processes, strict=True) if process.returncode == 0]
    config = requests[0]
    log = registry.promotion_log(config)
    assert won, told
    # Who did not win was told that somebody else was faster; nobody was promoted over a champion it had not met.
    for process, text in zip(processes, told, strict=True):
        assert process.returncode == 0 or "error: the champion is now" in text or "is no holdout for it" in text, text
    assert [entry.event for entry in log] == ["promoted"] * len(won)
    assert [entry.champion for entry in log] == sorted(versions(config))
    assert [entry.former for entry in log] == [None, *(entry.champion for entry in log)][: len(log)]
    assert registry.champion(config) == log[-1].champion
    assert aliases(config) == {"champion": log[-1].champion}
    names = [model.name for model in tracking.connect(config).search_registered_models()]
    assert names == [config.model_name]  # no lock is left behind


def test_a_rejected_challenger_cannot_be_registered(judged):
    window, verdict = judged
    with pytest.raises(RegistryError, match="gate has rejected"):
        promotion.promote(window, verdict.model_copy(update={"promote": False}))
    assert versions(window.config) == []


def test_a_champion_that_changed_since_the_verdict_is_not_replaced(judged, make_config):
    window, verdict = judged
    retrain(make_config("2013-03", request_id="faster"), "run-2")
    with pytest.raises(RegistryError, match="the champion is now version 1, but the gate compared with version None"):
        promotion.promote(window, verdict)
    assert aliases(window.config)["champion"] == 1


def test_the_version_says_what_it_was_made_of(judged):
    window, verdict = judged
    promotion.promote(window, verdict)
    version = tracking.connect(window.config).get_model_version(window.config.model_name, "1")
    assert version.tags["data_version"] == window.data_version
    assert version.tags["model_digest"] == verdict.challenger.model_digest
    assert version.tags["train_months"] == "2013-01..2013-02"
    run = tracking.connect(window.config).get_run(window.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["bakeoff.orchestrator"] == "plain"


def test_the_registered_model_serves_plain_strings(judged, small_repo):
    window, verdict = judged
    promotion.promote(window, verdict)
    model = mlflow.pyfunc.load_model(f"models:/{window.config.model_name}@champion")
    features, _ = load(FLIGHTS, [small_repo / FLIGHTS.path("2013-03")], FLIGHTS.features)
    rows = features.head(5).astype({name: "str" if name in FLIGHTS.categorical else "float64" for name in features})
    expected = tracking.holdout_scores(window.config, verdict.challenger)[:5]
    assert pd.Series(model.predict(rows)[:, 1]).to_numpy() == pytest.approx(expected)
