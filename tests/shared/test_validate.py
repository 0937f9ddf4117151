from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.errors
import pytest

from shared.config import ContractConfig, RetrainConfig
from shared.datasets.flights import DATASET as FLIGHTS
from shared.datasets.flights.contract import RANGES, contract, kept
from shared.errors import DataError
from shared.records import Window
from shared.validate import impossible_rows, validate_window

CONFIG = RetrainConfig(month="2013-05")


def refuse(frame: pd.DataFrame, message: str, month: str = "2013-03") -> None:
    with pytest.raises(DataError, match=message):
        impossible_rows(frame, month, CONFIG)


def test_a_real_month_keeps_the_contract(months):
    assert len(impossible_rows(months("2013-03"), "2013-03", CONFIG)) == 0


def test_the_two_impossible_flights_of_february_are_set_aside(months):
    february = months("2013-02")
    bad = impossible_rows(february, "2013-02", CONFIG)
    assert len(bad) == 2
    assert (february.loc[bad, "wind_speed"] > 1000).all()


def test_too_many_impossible_readings_refuse_the_month(months):
    frame = months("2013-03")
    frame.loc[:40, "wind_speed"] = 999.0
    refuse(frame, "wind_speed: 41 rows break")


@pytest.mark.parametrize("column", [*FLIGHTS.features, *FLIGHTS.key, "arr_delay", "flight_date"])
def test_a_missing_column_is_refused(months, column):
    refuse(months("2013-03").drop(columns=column), f"column {column} is missing")


@pytest.mark.parametrize("column", FLIGHTS.leaky)
def test_a_renamed_or_leaky_column_is_refused(months, column):
    frame = months("2013-03").drop(columns=["dep_delay", "arr_delay"], errors="ignore").assign(**{column: 1.0})
    refuse(
        frame, "missing" if column in ("dep_delay", "arr_delay") else f"column {column} is not part .*leak the answer"
    )


def test_every_breach_is_told_at_once(months):
    frame = months("2013-03").rename(columns={"temp": "temperature"}).astype({"carrier": "str", "distance": "float64"})
    with pytest.raises(DataError) as caught:
        impossible_rows(frame, "2013-03", CONFIG)
    text = str(caught.value)
    for part in ("temperature is not part", "temp is missing", "carrier has type str", "distance has type float64"):
        assert part in text
    assert "data/flights/2013-03.parquet" in text


def test_wrong_values_are_refused(months):
    frame = months("2013-03")
    refuse(frame.assign(dow=np.int8(9)), "dow: .* rows break in_range")
    refuse(frame.assign(origin=frame["origin"].cat.rename_categories({"EWR": "LAX"})), "origin: every value must match")
    refuse(frame.assign(temp=np.float32("nan")), "temp: at most 10% may be missing")
    refuse(frame.astype({"sched_dep_utc": "datetime64[ns]"}), "sched_dep_utc: must be in milliseconds")
    refuse(frame.head(100), "between 20000 and 60000 rows")
    refuse(frame, "local departure date within 2013-04", month="2013-04")
    twice = pd.concat([frame, frame.head(1)], ignore_index=True).astype(dict.fromkeys(FLIGHTS.categorical, "category"))
    refuse(twice, "must be unique")


def window(make_config, small_repo, month="2013-03", **settings_) -> Window:
    return Window(
        config=make_config(month, **settings_),
        run_id="-",
        data_version="-",
        files={},
        data=small_repo / FLIGHTS.folder,
    )


def test_the_report_tells_new_destinations_and_drift(make_config, small_repo, tmp_path):
    report = validate_window(window(make_config, small_repo), tmp_path / "out")
    assert set(report.rows) == {"2013-01", "2013-02", "2013-03"}
    assert set(report.psi) == set(FLIGHTS.features)
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


@pytest.mark.parametrize("answer", [-10.0, 100.0])
@pytest.mark.parametrize(("spoilt", "told"), [(["2013-03"], "2013-03"), (["2013-01", "2013-02"], "2013-01 to 2013-02")])
def test_windows_with_one_answer_only_are_refused(spoilt, told, answer, make_config, small_repo, spoil, tmp_path):
    def same(frame):
        return frame.assign(arr_delay=np.float32(answer))

    for month in spoilt:
        spoil(month, same)
    with pytest.raises(DataError, match=f"{told} has one answer only: .* flights are positive"):
        validate_window(window(make_config, small_repo), tmp_path / "out")


def test_a_holdout_of_a_single_block_is_refused(make_config, small_repo, spoil, tmp_path):
    spoil("2013-03", lambda frame: frame.assign(flight_date=frame["flight_date"].min()))
    with pytest.raises(DataError, match=r"2013-03 is a single block \(column flight_date\)"):
        validate_window(window(make_config, small_repo), tmp_path / "out")


def test_thresholds_come_from_the_config():
    assert RetrainConfig(month="2013-05").contract == ContractConfig()


def spoilt(frame):
    """Months that break the contract, each in one way."""
    yield from (frame.drop(columns=name) for name in frame.columns)
    yield frame.assign(tailnum="N1")
    yield frame.iloc[:, [0, *range(len(frame.columns))]]
    yield frame.head(100)
    yield pd.concat([frame] * 3, ignore_index=True).astype(dict.fromkeys(FLIGHTS.categorical, "category"))
    for name in ("flight", "dep_min", "block_min", "dow", "distance"):
        yield frame.assign(**{name: frame[name].astype("int32")})
        yield with_cell(frame, name, -1)
    for name, (low, high) in RANGES.items():
        yield with_cell(frame, name, low - 0.1)
        yield with_cell(frame, name, high + 0.1)
        yield frame.assign(**{name: np.float32("nan")})
        yield frame.assign(**{name: frame[name].astype("float64")})
    yield frame.assign(arr_delay=np.float32("nan"))
    for name in ("sched_dep_utc", "flight_date"):
        yield with_cell(frame, name, pd.NaT)
    yield with_cell(frame, "flight_date", pd.Timestamp("2013-04-01"))
    yield with_cell(frame, "flight_date", pd.Timestamp("2013-02-28"))
    for name in FLIGHTS.categorical:
        yield with_cell(frame, name, None)
        yield frame.assign(**{name: frame[name].astype("str")})
        yield frame.assign(**{name: frame[name].cat.rename_categories({frame[name].iloc[0]: "?"})})
    twice = pd.concat([frame, frame.head(1)], ignore_index=True)
    yield twice.astype(dict.fromkeys(FLIGHTS.categorical, "category"))


def with_cell(frame, name, value):
    changed = frame.copy()
    changed.loc[changed.index[7], name] = value
    return changed.astype({name: frame[name].dtype})


def test_the_quick_check_lets_nothing_pass_that_pandera_refuses(months):
    frame = months("2013-03")
    rows = CONFIG.contract.rows(FLIGHTS)
    assert kept(frame, "2013-03", rows)
    assert kept(frame.sample(frac=1, random_state=0), "2013-03", rows)
    for broken in spoilt(frame):
        assert not kept(broken, "2013-03", rows)
        with pytest.raises(pandera.errors.SchemaErrors):
            contract("2013-03", rows).validate(broken, lazy=True)


def test_the_quick_check_passes_every_real_month_that_pandera_passes(months):
    for month in FLIGHTS.windows:
        rows = CONFIG.contract.rows(FLIGHTS)
        assert kept(months(month), month, rows) == (month != "2013-02")  # it holds two impossible wind speeds
