from __future__ import annotations

import pytest

from shared import promotion, registry, tracking
from shared.errors import DataError, RegistryError
from shared.lineage import lineage, reproduce
from shared.pipeline import retrain


@pytest.fixture
def config(make_config):
    """March is version 1, April version 2."""
    retrain(make_config("2013-03"), "march")
    retrain(make_config("2013-04", gate={"min_auc_gain": -1}), "april")
    return make_config("2013-03")


def test_a_version_leads_back_to_data_code_run_and_evidence(config):
    found = lineage(config, 2)
    assert (found.month, found.train_months, found.aliases) == ("2013-04", "2013-01..2013-03", ("champion",))
    assert (found.orchestrator, found.orchestrator_run) == ("plain", "april")
    assert found.data_version.endswith(".dir")
    assert found.config["gate"]["min_auc_gain"] == -1
    assert found.software["scikit-learn"]
    assert found.serving_check == "passed"
    assert found.ancestors == (1,)
    assert found.metrics["auc_gain"] == pytest.approx(found.metrics["holdout_auc"] - found.metrics["champion_auc"])
    run = tracking.connect(config).get_run(found.retraining)
    assert run.data.tags["bakeoff.version"] == "2"


def test_when_a_version_was_champion_is_told_across_a_rollback(config):
    promotion.rollback(config)
    first, second = lineage(config, 1), lineage(config, 2)
    assert (len(first.champion_from), len(first.champion_until)) == (2, 1)  # it reigns again
    assert first.champion_from[1] == second.champion_until[0]
    assert first.aliases == ("champion",)


def test_a_version_that_is_not_there_is_told(config):
    with pytest.raises(RegistryError, match="there is no version 9"):
        lineage(config, 9)


def test_a_version_that_somebody_else_registered_is_told(config):
    tracking.connect(config).delete_model_version_tag(config.model_name, "1", "retraining")
    with pytest.raises(RegistryError, match="was not registered by this pipeline"):
        lineage(config, 1)


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_comes_out_again_to_the_last_bit(config, tmp_path, version):
    before = registry.promotion_log(config)
    again = reproduce(config, version, tmp_path / "work")
    assert again.same
    assert again.digest_again == again.digest == lineage(config, version).model_digest
    assert again.largest_score_difference == 0
    assert again.differences == ()
    assert registry.promotion_log(config) == before


def test_data_that_have_changed_since_are_not_taken_for_the_old_ones(config, spoil, tmp_path):
    spoil("2013-01", lambda frame: frame.iloc[1:])
    with pytest.raises(DataError, match="is neither in the work tree nor in the commit"):
        reproduce(config, 1, tmp_path / "work")


def test_older_data_are_found_by_the_recorded_commit(make_config, small_repo, spoil, tmp_path):
    commit(small_repo, "first")
    retrain(make_config("2013-03"), "march")
    spoil("2013-01", lambda frame: frame.iloc[1:])
    commit(small_repo, "second")
    again = reproduce(make_config(), 1, tmp_path / "work")
    assert again.same
    assert again.differences[0].startswith("code ")


def commit(repo, message):
    import subprocess

    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", "add", "-A"], cwd=repo, check=True)
    subprocess.run(["git", *who, "commit", "-q", "-m", message], cwd=repo, check=True)


def test_a_model_that_was_recorded_otherwise_is_no_reproduction(config, tmp_path):
    client = tracking.connect(config)
    client.set_model_version_tag(config.model_name, "1", "model_digest", "0" * 32)
    again = reproduce(config, 1, tmp_path / "work")
    assert not again.same
    assert again.digest_again != again.digest
