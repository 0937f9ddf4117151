from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared import registry
from shared.config import RetrainConfig
from shared.datasets.rain import DATASET as RAIN
from shared.datasets.rain.build import SOURCE, build, read, tidy
from shared.errors import DataError
from shared.evaluate import collapsed_slices
from shared.pipeline import retrain
from shared.validate import impossible_rows

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / ".venvs" / "data" / "vega_datasets"


@pytest.fixture
def state(_blank_store, tmp_path):
    shutil.copyfile(_blank_store, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture(scope="module")
def days():
    return pd.concat([pd.read_parquet(ROOT / RAIN.path(quarter)) for quarter in RAIN.windows], ignore_index=True)


def test_building_again_gives_the_same_bytes(tmp_path):
    build(PACKAGE, tmp_path)
    for quarter in RAIN.windows:
        again = hashlib.md5((tmp_path / f"{quarter}.parquet").read_bytes()).hexdigest()
        assert again == hashlib.md5((ROOT / RAIN.path(quarter)).read_bytes()).hexdigest()


def test_another_source_file_is_refused(tmp_path):
    (tmp_path / SOURCE).parent.mkdir()
    (tmp_path / SOURCE).write_text("date,precipitation\n")
    with pytest.raises(DataError, match=r"seattle-weather\.csv is not the one"):
        build(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / "2012-Q1.parquet").exists()


def test_every_day_of_the_four_years_is_there_once(days):
    assert days["date"].tolist() == pd.date_range("2012-01-01", "2015-12-31").tolist()
    assert (days["week"].dt.day_of_week == 0).all()
    assert ((days["date"] - days["week"]).dt.days < 7).all()


def test_the_answer_is_what_the_source_says_of_the_next_day(days):
    """Read line by line, by another way than the shift."""
    lines = [line.split(",") for line in (PACKAGE / SOURCE).read_text().splitlines()[1:]]
    fell = {pd.Timestamp(date): float(precipitation) for date, precipitation, *_ in lines}
    assert days["next_precipitation"].isna().sum() == 1
    answered = days[days["next_precipitation"].notna()]
    expected = [int(fell[date + pd.Timedelta(days=1)] > 0) for date in answered["date"]]
    assert RAIN.positive(answered).tolist() == expected


@pytest.mark.parametrize("last", [40, 400, 1200])
def test_no_feature_of_a_day_knows_what_comes_after_it(days, last):
    """Without all later days, the features are the same: nothing of them has leaked back."""
    cut = tidy(read(PACKAGE).head(last))
    features = list(RAIN.features)
    pd.testing.assert_frame_equal(cut[features], days.head(last)[features], check_dtype=False, check_categorical=False)
    assert cut["next_precipitation"].isna().sum() == 1


def test_two_impossible_days_are_set_aside_and_three_refuse_the_quarter():
    frame = pd.read_parquet(ROOT / RAIN.path("2014-Q1"))
    config = RetrainConfig(dataset="rain", month="2014-Q1")
    frame.loc[[3, 5], "wind"] = 1000
    assert impossible_rows(frame, "2014-Q1", config).tolist() == [3, 5]
    frame.loc[7, "temp_max"] = -273
    with pytest.raises(DataError, match=r"temp_max: 1 rows break .*; wind: 2 rows break"):
        impossible_rows(frame, "2014-Q1", config)


def test_another_kind_of_weather_breaks_the_contract():
    frame = pd.read_parquet(ROOT / RAIN.path("2014-Q1"))
    frame["weather"] = frame["weather"].astype("str").replace("sun", "frogs").astype("category")
    with pytest.raises(DataError, match=r"weather: .* rows break isin.*frogs"):
        impossible_rows(frame, "2014-Q1", RetrainConfig(dataset="rain", month="2014-Q1"))


def test_a_slice_of_a_few_days_is_compared():
    """The least rows of a slice are the data set's own: 500, as for flights, would be longer than a year."""
    target = np.tile([0, 1], 15).astype(np.int8)
    right, wrong = target.astype(float), 1.0 - target
    sun = pd.DataFrame({"weather": ["sun"] * 30}, dtype="category")
    assert collapsed_slices(RAIN, wrong, right, sun, target) == ["weather sun: AUC falls from 1.000 to 0.000 (30 days)"]


def test_the_core_retrains_on_it_as_it_is(state):
    def config(quarter: str) -> RetrainConfig:
        return RetrainConfig(dataset="rain", month=quarter, state=state, request_id=quarter)

    first = retrain(config("2013-Q1"), "first")
    assert first.promote, first.reason
    assert first.challenger.auc > 0.7
    second = retrain(config("2013-Q2"), "second")
    assert not second.promote
    assert second.champion_version == 1
    assert second.drift is not None
    assert registry.champion(config("2013-Q2")) == 1
    told = registry.outcome(config("2013-Q2"))
    assert told is not None
    assert (told.month, told.promoted, told.version) == ("2013-Q2", False, None)
    model, features = registry.load_model(config("2013-Q2"), 1)
    assert features == RAIN.features
    evening = {"weather": "rain", "month": 11, "precipitation": 8.0, "temp_max": 9, "temp_min": 6, "wind": 5}
    assert model.predict_proba(pd.DataFrame([{**evening, "precipitation_before": 12.0}]))[0, 1] > 0.6
