"""The commands about the model, on the real months: March is promoted, then a second version by another store move."""

from __future__ import annotations

import json
import os
import subprocess

import pandas as pd
import pytest

from benchmarks.places import ROOT
from shared import registry, tracking
from shared.config import StoreConfig


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A store in which February and March have been promoted."""
    folder = tmp_path_factory.mktemp("state")
    done = bakeoff("replay", "--from", "2013-02", "--to", "2013-03", state=folder)
    assert done.returncode == 0, done.stderr
    return folder


def bakeoff(*arguments, state):
    command = [ROOT / "bakeoff", *arguments, "--state", state]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "COLUMNS": "100"})


def test_history_tells_who_was_champion_and_why(state):
    done = bakeoff("history", state=state)
    assert done.returncode == 0
    assert "champion of late-flights: version" in done.stdout
    entries = json.loads(bakeoff("history", "--json", state=state).stdout)
    assert [entry["event"] for entry in entries[:2]] == ["promoted", "promoted"]
    assert entries[1]["former"] == 1
    assert entries[1]["evidence"]["auc"] > entries[1]["evidence"]["champion_auc"]


def test_lineage_leads_back_to_data_and_code(state):
    found = json.loads(bakeoff("lineage", "2", "--json", state=state).stdout)
    assert found["month"] == "2013-03"
    assert found["ancestors"] == [1]
    assert found["data_version"] in (ROOT / "dvc.lock").read_text()
    assert "model digest" in bakeoff("lineage", "2", state=state).stdout


def test_reproduce_proves_the_digest_and_a_wrong_one_is_no_proof(state):
    done = bakeoff("reproduce", "1", "--json", state=state)
    again = json.loads(done.stdout)
    assert (done.returncode, again["same"], again["largest_score_difference"]) == (0, True, 0)
    client = tracking.connect(StoreConfig(state=state / "plain"))
    right = client.get_model_version("late-flights", "1").tags["model_digest"]
    client.set_model_version_tag("late-flights", "1", "model_digest", "0" * 32)
    done = bakeoff("reproduce", "1", state=state)
    client.set_model_version_tag("late-flights", "1", "model_digest", right)
    assert done.returncode == 1
    assert "another model" in done.stdout


def test_drift_can_be_asked_for_by_a_script(state):
    done = bakeoff("drift", "--month", "2013-09", "--exit-code", state=state)
    assert done.returncode == 3, done.stderr
    assert "2013-09 against champion version" in done.stdout
    assert "asks: the champion predicts" in done.stdout
    assert json.loads(bakeoff("drift", "--month", "2013-09", "--json", state=state).stdout)["retrain"] is True


def test_predict_scores_a_file(state, tmp_path):
    rows = pd.read_parquet(ROOT / "data/flights/2013-05.parquet").head(30)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    done = bakeoff("predict", str(tmp_path / "rows.csv"), "--to", str(tmp_path / "scored.parquet"), state=state)
    assert done.returncode == 0, done.stderr
    scored = pd.read_parquet(tmp_path / "scored.parquet")
    assert len(scored) == 30
    assert scored["score"].between(0, 1).all()
    assert "30 rows scored by version" in done.stderr
    piped = bakeoff("predict", str(tmp_path / "rows.csv"), state=state)
    assert piped.stdout.splitlines()[0].endswith(",score")
    assert len(piped.stdout.splitlines()) == 31


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "nothing.csv"), "cannot be read"),
        (("predict", "README.md"), "neither a CSV nor a parquet file"),
        (("predict", "data/flights/2013-05.parquet", "--alias", "best"), "has the alias best"),
        (("lineage", "99"), "there is no version 99"),
        (("rollback", "--to", "99"), "there is no version 99"),
        (("drift", "--month", "2013-01"), "2013-01 is the first month"),
        (("history", "--dataset", "moon"), "there is no data set moon"),
        (("history", "--on", "prefect"), "the prefect arm has no tracking store yet"),
    ],
)
def test_bad_input_is_told_and_changes_nothing(state, arguments, message):
    before = registry.promotion_log(StoreConfig(state=state / "plain"))
    done = bakeoff(*arguments, state=state)
    assert done.returncode == 1
    assert message in done.stderr
    assert "What to do:" in done.stderr
    assert registry.promotion_log(StoreConfig(state=state / "plain")) == before


def test_rollback_then_no_former_champion(state):
    done = bakeoff("rollback", "--reason", "see [link] and [/red]", state=state)
    assert done.returncode == 0, done.stderr
    assert "champion is version 1 again, in place of version 2" in done.stdout
    assert "see [link] and [/red]" in bakeoff("history", state=state).stdout
    again = bakeoff("rollback", state=state)
    assert again.returncode == 1
    assert "there is no former one" in again.stderr


def test_a_log_that_was_damaged_by_hand_is_told_and_repaired(state):
    client = tracking.connect(StoreConfig(state=state / "plain"))
    client.set_registered_model_tag("late-flights", "log.0001", "scribble")
    done = bakeoff("history", state=state)
    assert done.returncode == 1
    assert "the promotion log is damaged at entry 1" in done.stderr
    repaired = bakeoff("history", "--repair", state=state)
    assert repaired.returncode == 0
    assert "set aside" in repaired.stderr
