"""The data contract: what a month of flights must look like, in pandera, so that one reading tells every breach."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pandera.pandas as pa

from shared.datasets.flights import DATASET

#: Physical ranges of the weather readings. A row outside them is set aside; too many of them refuse the month.
RANGES = {
    "temp": (-60, 130),  # degrees Fahrenheit
    "humid": (0, 100),  # per cent
    "wind_dir": (0, 360),  # degrees
    "wind_speed": (0, 200),  # miles per hour
    "wind_gust": (0, 250),
    "precip": (0, 10),  # inches an hour
    "pressure": (850, 1090),  # hectopascal
    "visib": (0, 10),  # statute miles
}
#: More missing values than this in a month and the column is broken. Gusts are only reported when there is one.
MAX_NULLS = {"wind_gust": 0.95, "pressure": 0.5, "wind_dir": 0.25}
MAX_NULLS_ELSEWHERE = 0.1


def _codes(pattern: str) -> pa.Check:
    """Check the categories, not the rows: a few dozen strings instead of thousands."""
    return pa.Check(
        lambda column: bool(pd.Series(column.cat.categories, dtype="str").str.fullmatch(pattern).all()),
        error=f"every value must match {pattern}",
    )


def _nulls(most: float) -> pa.Check:
    return pa.Check(
        lambda column: bool(column.isna().mean() <= most), error=f"at most {most:.0%} may be missing", ignore_na=False
    )


def _milliseconds() -> pa.Check:
    """Pandera takes one resolution of a time for another; the rows would be a thousand times as far apart."""
    return pa.Check(lambda column: str(column.dtype) == "datetime64[ms]", error="must be in milliseconds")


def unique_key(frame: pd.DataFrame) -> bool:
    """Is (scheduled departure, carrier, flight) unique? One sort of packed integers: pandera's own check is dearer."""
    minute = frame["sched_dep_utc"].to_numpy().astype("datetime64[m]").astype(np.int64)
    carrier = frame["carrier"].cat.codes.to_numpy().astype(np.int64)
    packed = np.sort((minute << 24) | (carrier << 16) | frame["flight"].to_numpy().astype(np.int64))
    return not bool((packed[1:] == packed[:-1]).any())


@cache
def contract(window: str, rows: tuple[int, int]) -> pa.DataFrameSchema:
    """The contract of one month.

    Args:
        window: a month such as `2013-05`; every local departure date must lie in it.
        rows: least and most rows.
    """
    first = pd.Timestamp(f"{window}-01")

    def number(dtype: str, low: float, high: float) -> pa.Column:
        return pa.Column(dtype, pa.Check.in_range(low, high))

    columns = {
        "sched_dep_utc": pa.Column("datetime64[ms]", _milliseconds()),
        "flight_date": pa.Column(
            "datetime64[ms]",
            [
                _milliseconds(),
                pa.Check.in_range(first, first + pd.offsets.MonthEnd(0), error=f"local departure date within {window}"),
            ],
        ),
        "carrier": pa.Column(pa.Category, _codes("[0-9A-Z]{2}")),
        "origin": pa.Column(pa.Category, _codes("EWR|JFK|LGA")),
        "dest": pa.Column(pa.Category, _codes("[A-Z]{3}")),
        "flight": number("int16", 1, 9999),
        "dep_min": number("int16", 0, 1439),
        "block_min": number("int16", 0, 1439),
        "dow": number("int8", 0, 6),
        "distance": number("int16", 10, 12_000),
        **{
            name: pa.Column(
                "float32",
                [pa.Check.in_range(low, high), _nulls(MAX_NULLS.get(name, MAX_NULLS_ELSEWHERE))],
                nullable=True,
            )
            for name, (low, high) in RANGES.items()
        },
        "dep_delay": pa.Column("float32", _nulls(0.25), nullable=True),
        "arr_delay": pa.Column("float32", _nulls(0.25), nullable=True),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[
            pa.Check(
                lambda frame: rows[0] <= len(frame) <= rows[1],
                error=f"a month must have between {rows[0]} and {rows[1]} rows",
            ),
            pa.Check(unique_key, error=f"({', '.join(DATASET.key)}) must be unique"),
        ],
        strict=True,
        name=window,
    )
