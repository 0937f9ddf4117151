from __future__ import annotations

import mlflow
import pandas as pd
import pytest

from shared import registry, steps, tracking
from shared.data import load
from shared.datasets.flights import DATASET as FLIGHTS
from shared.errors import RegistryError
from shared.pipeline import retrain


@pytest.fixture
def judged(make_config):
    """A retraining that has come as far as a verdict to promote."""
    window = steps.validate(steps.ingest(make_config("2013-03"), "plain", "run-1"))
    trained = [steps.train(window, candidate) for candidate in window.candidates]
    verdict = steps.evaluate(window, steps.select(trained))
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
    outcome = registry.promote(window, verdict)
    assert (outcome.version, outcome.promoted, outcome.orchestrator) == (1, True, "plain")
    assert registry.promote(window, verdict) == outcome  # a retry of register
    assert versions(config) == [1]
    assert aliases(config) == {"champion": 1}
    assert registry.outcome(config) == outcome
    assert registry.promotion_log(config) == [outcome]


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
            registry.promote(window, verdict)
    assert registry.champion(window.config) is None
    assert aliases(window.config) == {"challenger": 1}
    registry.promote(window, verdict)
    assert aliases(window.config) == {"champion": 1}
    assert versions(window.config) == [1]


def test_a_rejected_challenger_cannot_be_registered(judged):
    window, verdict = judged
    with pytest.raises(RegistryError, match="gate has rejected"):
        registry.promote(window, verdict.model_copy(update={"promote": False}))
    assert versions(window.config) == []


def test_a_champion_that_changed_since_the_verdict_is_not_replaced(judged, make_config):
    window, verdict = judged
    retrain(make_config("2013-03", request_id="faster"), "run-2")
    with pytest.raises(RegistryError, match="the champion is now version 1, but the gate compared with version None"):
        registry.promote(window, verdict)
    assert aliases(window.config)["champion"] == 1


def test_the_version_says_what_it_was_made_of(judged):
    window, verdict = judged
    registry.promote(window, verdict)
    version = tracking.connect(window.config).get_model_version(window.config.model_name, "1")
    assert version.tags["data_version"] == window.data_version
    assert version.tags["model_digest"] == verdict.challenger.model_digest
    assert version.tags["train_months"] == "2013-01..2013-02"
    run = tracking.connect(window.config).get_run(window.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["bakeoff.orchestrator"] == "plain"


def test_the_registered_model_serves_plain_strings(judged, small_repo):
    window, verdict = judged
    registry.promote(window, verdict)
    model = mlflow.pyfunc.load_model(f"models:/{window.config.model_name}@champion")
    features, _ = load(FLIGHTS, [small_repo / FLIGHTS.path("2013-03")], FLIGHTS.features)
    rows = features.head(5).astype({name: "str" if name in FLIGHTS.categorical else "float64" for name in features})
    expected = tracking.holdout_scores(window.config, verdict.challenger)[:5]
    assert pd.Series(model.predict(rows)[:, 1]).to_numpy() == pytest.approx(expected)
