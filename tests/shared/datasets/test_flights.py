from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.datasets.flights import DATASET as FLIGHTS
from shared.datasets.flights.build import build, fetch
from shared.errors import DataError

ROOT = Path(__file__).resolve().parents[3]
RAW = ROOT / "data" / "raw"


def test_building_again_gives_the_same_bytes(tmp_path):
    build(RAW, tmp_path)
    for month in FLIGHTS.windows:
        again = hashlib.md5((tmp_path / f"{month}.parquet").read_bytes()).hexdigest()
        assert again == hashlib.md5((ROOT / FLIGHTS.path(month)).read_bytes()).hexdigest()


def test_another_source_file_is_refused(tmp_path):
    (tmp_path / "package" / "data").mkdir(parents=True)
    (tmp_path / "package" / "data" / "flights.csv.zip").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"flights\.csv\.zip is not the one"):
        fetch(tmp_path / "package", tmp_path / "raw")


def test_all_departures_are_there_and_keys_are_unique(months):
    frames = [months(month) for month in FLIGHTS.windows]
    assert sum(map(len, frames)) == 336_776
    for frame in frames:
        assert not frame.duplicated(list(FLIGHTS.key)).any()


def test_the_weather_is_what_was_observed_two_hours_before_departure(months):
    """Checked flight by flight against the source, by another way than the join."""
    raw = pd.read_csv(RAW / "weather.csv")
    observed = raw.assign(at=pd.to_datetime(raw["time_hour"]).dt.tz_localize(None)).set_index(["origin", "at"])
    some = months("2013-05").sample(200, random_state=0)
    for flight in some.itertuples():
        hour = pd.Timestamp(flight.sched_dep_utc).floor("h") - pd.Timedelta(hours=2)
        key = (flight.origin, hour)
        expected = observed.loc[key, "humid"] if key in observed.index else np.nan
        assert flight.humid == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_the_target_is_fifteen_minutes_late_or_more():
    frame = pd.DataFrame({"arr_delay": np.array([-3, 14, 15, 200], dtype="float32")})
    assert FLIGHTS.positive(frame).tolist() == [0, 0, 1, 1]
