from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.config import RetrainConfig
from shared.datasets.flights import DATASET as FLIGHTS
from shared.datasets.flights import WEATHER, scale
from shared.datasets.flights.contract import RANGES, unique_key
from shared.errors import ConfigError
from shared.validate import impossible_rows

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / FLIGHTS.folder
ROWS = 200_000
CONFIG = RetrainConfig(month="2013-12", contract={"min_rows": ROWS // 24, "max_rows": ROWS // 6})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scaled")
    told = dict(scale.write(ROWS, 0, SOURCE, folder))
    assert list(told) == list(FLIGHTS.windows)
    assert sum(told.values()) == ROWS
    return folder


@pytest.mark.parametrize("month", FLIGHTS.windows)
def test_every_month_keeps_the_contract(made, months, month):
    frame = pd.read_parquet(made / f"{month}.parquet")
    assert len(impossible_rows(frame, month, CONFIG)) == 0
    assert frame.dtypes.to_dict() == months(month).dtypes.to_dict() | {
        name: frame[name].dtype for name in FLIGHTS.categorical
    }
    assert (frame["dow"] == frame["flight_date"].dt.day_of_week).all()


def test_there_are_exactly_as_many_rows_as_were_asked_for(made):
    assert sum(len(pd.read_parquet(path)) for path in made.iterdir()) == ROWS


def test_same_rows_and_seed_give_the_same_bytes_and_another_seed_gives_others(made, months):
    real = months("2013-05")
    count = len(pd.read_parquet(made / "2013-05.parquet"))
    from shared.files import write_window

    write_window(scale.make_month(real, count, 0), made.parent / "again.parquet")
    again = hashlib.md5((made.parent / "again.parquet").read_bytes()).digest()
    assert again == hashlib.md5((made / "2013-05.parquet").read_bytes()).digest()
    assert not scale.make_month(real, count, 1).equals(scale.make_month(real, count, 0))


@pytest.fixture(scope="module")
def triple(months) -> pd.DataFrame:
    return scale.make_month(months("2013-03"), 90_000, 0)


def test_a_month_larger_than_the_real_one_has_unique_keys(triple):
    assert len(triple) == 90_000
    assert unique_key(triple)
    assert triple["flight"].between(1, 9999).all()
    assert not triple.duplicated(list(FLIGHTS.key)).any()
    packed = triple[["sched_dep_utc", "flight"]].assign(carrier=triple["carrier"].cat.codes)
    assert packed.equals(packed.sort_values(["sched_dep_utc", "carrier", "flight"], ignore_index=True)[packed.columns])


def test_weather_moves_within_its_range_and_stays_missing_where_it_was(triple, months):
    real = months("2013-03")
    for name in WEATHER:
        low, high = RANGES[name]
        assert triple[name].dropna().between(low, high).all()
        assert triple[name].isna().mean() == pytest.approx(real[name].isna().mean(), abs=0.03)
    assert (triple["precip"] == 0).mean() == pytest.approx((real["precip"] == 0).mean(), abs=0.05)
    assert triple["temp"].nunique() > 3 * real["temp"].nunique()


def test_flights_of_one_synthetic_day_share_its_shift(months):
    real = months("2013-03")
    day = real[real["flight_date"] == real["flight_date"].iloc[0]]
    made = scale.make_month(day, len(day), 0)
    shift = made["temp"].to_numpy() - day.sort_values(["sched_dep_utc", "carrier"], kind="stable")["temp"].to_numpy()
    assert np.ptp(shift) < 1e-4
    assert abs(shift[0]) > 1e-3


def test_delays_move_by_whole_minutes_and_keep_their_share(triple, months):
    real = months("2013-03")
    assert (triple["arr_delay"].dropna() % 1 == 0).all()
    assert FLIGHTS.positive(triple).mean() == pytest.approx(FLIGHTS.positive(real).mean(), abs=0.02)
    assert triple["arr_delay"].isna().mean() == pytest.approx(real["arr_delay"].isna().mean(), abs=0.01)


def test_local_time_and_utc_fit_together_on_both_sides_of_the_clock_change(triple):
    local = triple["flight_date"] + pd.to_timedelta(triple["dep_min"].astype("int64"), unit="m")
    utc = local.dt.tz_localize("America/New_York").dt.tz_convert("UTC").dt.tz_localize(None)
    assert (utc == triple["sched_dep_utc"]).all()


def test_a_real_day_is_drawn_three_times_in_three_times_the_rows(months):
    real = months("2013-09").head(9_000)
    made = scale.make_month(real, 3 * len(real), 0)
    assert (made["dest"].value_counts() == 3 * real["dest"].value_counts()).all()


def test_the_impossible_readings_of_february_are_not_copied(months):
    assert scale.make_month(months("2013-02"), 60_000, 0)["wind_speed"].max() < 150


@pytest.mark.parametrize("rows", [-1, 0, 199_999, 100_000_001])
def test_nonsense_numbers_of_rows_are_refused(rows, tmp_path):
    with pytest.raises(ConfigError, match="choose from 200,000 to 100,000,000"):
        list(scale.write(rows, 0, SOURCE, tmp_path))
    assert not list(tmp_path.iterdir())
