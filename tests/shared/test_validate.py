from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared import flights
from shared.config import ContractConfig, RetrainConfig
from shared.errors import DataError
from shared.records import Window
from shared.validate import category_psi, impossible_rows, psi, validate_window

samples = hnp.arrays(np.float64, st.integers(1, 300), elements=st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))))


@settings(deadline=None)
@given(samples)
def test_psi_of_equal_samples_is_zero(sample):
    assert psi(sample, sample.copy()) == 0
    assert psi(sample, np.concatenate([sample, sample])) == pytest.approx(0, abs=1e-12)


@settings(deadline=None)
@given(samples, samples)
def test_psi_is_never_negative(one, two):
    assert psi(one, two) >= 0


def test_psi_sees_a_shift_and_new_missing_values():
    rng = np.random.default_rng(0)
    sample = rng.normal(size=5000)
    assert psi(sample, sample + 1) > 0.25
    holes = sample.copy()
    holes[:2000] = np.nan
    assert psi(sample, holes) > 0.25
    assert psi(sample, rng.normal(size=5000)) < 0.02


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 1000), min_size=1))
def test_category_psi_of_equal_counts_is_zero(counts):
    assert category_psi(counts, counts) == 0
    assert category_psi(counts, {name: 3 * count for name, count in counts.items()}) == pytest.approx(0, abs=1e-12)


def test_psi_sees_rain_among_dry_hours():
    dry, wet = np.zeros(1000), np.concatenate([np.zeros(700), np.full(300, 0.1)])
    assert psi(dry, wet) > 0.25
    assert psi(wet, dry) > 0.25


@given(st.floats(-1e6, 1e6), st.floats(0.1, 1e3))
def test_psi_sees_a_constant_that_moves(value, shift):
    assert psi(np.full(50, value), np.full(50, value + shift)) > 1


def test_category_psi_sees_a_new_value():
    assert category_psi({"AA": 100}, {"AA": 60, "ZZ": 40}) > 0.25


def refuse(frame: pd.DataFrame, message: str, month: str = "2013-03", **settings_: object) -> None:
    with pytest.raises(DataError, match=message):
        impossible_rows(frame, month, ContractConfig(**settings_), "a file")


def test_a_real_month_keeps_the_contract(months):
    assert len(impossible_rows(months("2013-03"), "2013-03", ContractConfig(), "a file")) == 0


def test_the_two_impossible_flights_of_february_are_set_aside(months):
    february = months("2013-02")
    bad = impossible_rows(february, "2013-02", ContractConfig(), "a file")
    assert len(bad) == 2
    assert (february.loc[bad, "wind_speed"] > 1000).all()


def test_too_many_impossible_readings_refuse_the_month(months):
    frame = months("2013-03")
    frame.loc[:40, "wind_speed"] = 999.0
    refuse(frame, "wind_speed: 41 rows break")


@pytest.mark.parametrize("column", [*flights.FEATURES, *flights.KEY, "arr_delay", "flight_date"])
def test_a_missing_column_is_refused(months, column):
    refuse(months("2013-03").drop(columns=column), f"column {column} is missing")


@pytest.mark.parametrize("column", flights.LEAKY)
def test_a_renamed_or_leaky_column_is_refused(months, column):
    frame = months("2013-03").drop(columns=["dep_delay", "arr_delay"], errors="ignore").assign(**{column: 1.0})
    refuse(
        frame, "missing" if column in ("dep_delay", "arr_delay") else f"column {column} is not part .*leak the answer"
    )


def test_every_breach_is_told_at_once(months):
    frame = months("2013-03").rename(columns={"temp": "temperature"}).astype({"carrier": "str", "distance": "float64"})
    with pytest.raises(DataError) as caught:
        impossible_rows(frame, "2013-03", ContractConfig(), "data/flights/2013-03.parquet")
    text = str(caught.value)
    for part in ("temperature is not part", "temp is missing", "carrier has type str", "distance has type float64"):
        assert part in text
    assert "data/flights/2013-03.parquet" in text


def test_wrong_values_are_refused(months):
    frame = months("2013-03")
    refuse(frame.assign(dow=np.int8(9)), "dow: .* rows break in_range")
    refuse(frame.assign(origin=frame["origin"].cat.rename_categories({"EWR": "LAX"})), "origin: every value must match")
    refuse(frame.assign(temp=np.float32("nan")), "temp: at most 10% may be missing")
    refuse(frame.head(100), "between 20000 and 60000 rows")
    refuse(frame, "local departure date within 2013-04", month="2013-04")
    twice = pd.concat([frame, frame.head(1)], ignore_index=True).astype(dict.fromkeys(flights.CATEGORICAL, "category"))
    refuse(twice, "must be unique")


def window(make_config, small_repo, month="2013-03", **settings_) -> Window:
    return Window(
        config=make_config(month, **settings_),
        run_id="-",
        data_version="-",
        files={},
        data=small_repo / flights.MONTHS_DIR,
    )


def test_the_report_tells_new_destinations_and_drift(make_config, small_repo, tmp_path):
    report = validate_window(window(make_config, small_repo), tmp_path / "out")
    assert set(report.rows) == {"2013-01", "2013-02", "2013-03"}
    assert set(report.psi) == set(flights.FEATURES)
    assert report.psi["temp"] > 0.25  # spring has come
    assert any("temp has drifted" in note for note in report.notes)
    assert not any("temp has drifted" in warning for warning in report.warnings)
    assert all((tmp_path / "out" / f"{month}.parquet").exists() for month in report.rows)


def test_a_value_never_trained_on_is_a_warning(make_config, small_repo, spoil, tmp_path):
    spoil("2013-03", lambda frame: frame.assign(dest=frame["dest"].cat.rename_categories({"ATL": "XYZ"})))
    report = validate_window(window(make_config, small_repo), tmp_path / "out")
    assert any("dest has values never trained on" in line and "XYZ" in line for line in report.warnings)


def test_a_jump_of_missing_values_is_a_warning(make_config, small_repo, spoil, tmp_path):
    def lose(frame):
        frame.loc[: len(frame) // 20, "visib"] = np.nan
        return frame

    spoil("2013-03", lose)
    report = validate_window(window(make_config, small_repo), tmp_path / "out")
    assert any("visib misses 4.9%" in line for line in report.warnings)


def test_quarantined_rows_do_not_reach_training(make_config, small_repo, spoil, tmp_path):
    def storm(frame):
        frame.loc[0, "wind_speed"] = 1048.0
        return frame

    spoil("2013-02", storm)
    seen = window(make_config, small_repo, contract={"min_rows": 1000, "max_quarantined": 0.01})
    report = validate_window(seen, tmp_path / "out")
    assert report.quarantined["2013-02"] >= 1
    kept = pd.read_parquet(tmp_path / "out" / "2013-02.parquet")
    assert kept["wind_speed"].max() < 200
    assert len(kept) == report.rows["2013-02"]
    assert kept["carrier"].dtype == "category"


def test_two_halves_of_one_month_are_not_drift(months):
    july = months("2013-07")
    halves = july[july.index % 2 == 0], july[july.index % 2 == 1]
    for name in flights.FEATURES:
        one, two = (half[name] for half in halves)
        if name in flights.CATEGORICAL:
            assert category_psi(one.value_counts().to_dict(), two.value_counts().to_dict()) < 0.1
        else:
            assert psi(one.to_numpy(np.float64), two.to_numpy(np.float64)) < 0.1


def test_thresholds_come_from_the_config():
    assert RetrainConfig(month="2013-05").contract == ContractConfig()
