from __future__ import annotations

import pytest

from shared import registry, tracking
from shared.errors import DataError, RegistryError
from shared.monitor import watch
from shared.pipeline import retrain


@pytest.fixture
def march(make_config):
    """A store whose champion was promoted on March."""
    retrain(make_config("2013-03"), "march")
    return make_config("2013-04")


def test_a_month_is_held_against_the_champions_own_reference(march, tmp_path):
    seen = watch(march, tmp_path / "work")
    assert (seen.month, seen.champion_version) == ("2013-04", 1)
    assert seen.psi["temp"] > 0.25  # from winter into spring
    assert any("temp has drifted" in note for note in seen.notes)
    gap = abs(seen.positive_rate - seen.mean_score)
    assert seen.retrain == (gap > 0.05 or seen.score_psi > 0.1 or seen.novel_share > 0.05)


def test_a_retraining_records_the_same_drift(march, make_config, tmp_path):
    seen = watch(march, tmp_path / "work")
    verdict = retrain(make_config("2013-04"), "april")
    assert verdict.drift == seen


def test_no_champion_is_told(make_config, tmp_path):
    with pytest.raises(RegistryError, match="there is no champion whose drift"):
        watch(make_config(), tmp_path / "work")


def test_a_month_that_the_champion_has_seen_is_refused(march, make_config, tmp_path):
    with pytest.raises(RegistryError, match="is no holdout"):
        watch(make_config("2013-02"), tmp_path / "work")


def test_a_month_that_breaks_the_contract_is_refused(march, spoil, tmp_path):
    spoil("2013-04", lambda frame: frame.drop(columns="temp"))
    with pytest.raises(DataError, match="column temp is missing"):
        watch(march, tmp_path / "work")


def test_a_champion_without_a_reference_is_told_but_stops_no_retraining(march, make_config, tmp_path):
    run = tracking.connect(march).get_model_version(march.model_name, "1").run_id
    for path in march.state.rglob("reference.json"):
        if run in str(path):
            path.unlink()
    with pytest.raises(RegistryError, match="version 1 has no training reference"):
        watch(march, tmp_path / "work")
    verdict = retrain(make_config("2013-04", gate={"min_auc_gain": -1}), "april")
    assert verdict.drift is None
    assert registry.champion(march) == 2
