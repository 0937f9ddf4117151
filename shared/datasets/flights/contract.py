"""The data contract: what a month of flights must look like, in pandera, so that one reading tells every breach."""

from __future__ import annotations

import re
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
#: Types and bounds of the other numbers.
NUMBERS = {
    "flight": ("int16", 1, 9999),
    "dep_min": ("int16", 0, 1439),
    "block_min": ("int16", 0, 1439),
    "dow": ("int8", 0, 6),
    "distance": ("int16", 10, 12_000),
}
#: What the labels look like.
PATTERNS = {"carrier": "[0-9A-Z]{2}", "origin": "EWR|JFK|LGA", "dest": "[A-Z]{3}"}
#: More missing values than this in a month and the column is broken. Gusts are only reported when there is one.
MAX_NULLS = {
    **dict.fromkeys(RANGES, 0.1),
    **{"wind_gust": 0.95, "pressure": 0.5, "wind_dir": 0.25, "dep_delay": 0.25, "arr_delay": 0.25},
}
_DATES = ("sched_dep_utc", "flight_date")


def _match(column: pd.Series, pattern: str) -> bool:
    """Check the categories, not the rows: a few dozen strings instead of thousands."""
    return all(re.fullmatch(pattern, str(label)) for label in column.cat.categories.tolist())


def _codes(pattern: str) -> pa.Check:
    return pa.Check(lambda column: _match(column, pattern), error=f"every value must match {pattern}")


def _nulls(most: float) -> pa.Check:
    return pa.Check(
        lambda column: bool(column.isna().mean() <= most), error=f"at most {most:.0%} may be missing", ignore_na=False
    )


def _milliseconds() -> pa.Check:
    """Pandera takes one resolution of a time for another; the rows would be a thousand times as far apart."""
    return pa.Check(lambda column: str(column.dtype) == "datetime64[ms]", error="must be in milliseconds")


def unique_key(frame: pd.DataFrame) -> bool:
    """Is (scheduled departure, carrier, flight) unique? Packed into integers: pandera's own check is dearer."""
    minute = frame["sched_dep_utc"].to_numpy().astype("datetime64[m]").astype(np.int64)
    carrier = frame["carrier"].cat.codes.to_numpy().astype(np.int64)
    packed = (minute << 24) | (carrier << 16) | frame["flight"].to_numpy().astype(np.int64)
    if (packed[1:] <= packed[:-1]).any():  # not sorted by key, as the build leaves it
        packed.sort()
    return not bool((packed[1:] == packed[:-1]).any())


def _last(first: pd.Timestamp) -> pd.Timestamp:
    return first + pd.offsets.MonthEnd(0)


def kept(frame: pd.DataFrame, window: str, rows: tuple[int, int]) -> bool:
    """Does a month surely keep the contract? The same rules, on the extremes of each column: much quicker than pandera.

    Pandera then only gets a month that does not, to find out what is wrong and in which rows.
    """
    types = {
        **dict.fromkeys(_DATES, "datetime64[ms]"),
        **{name: dtype for name, (dtype, _, _) in NUMBERS.items()},
        **dict.fromkeys(MAX_NULLS, "float32"),
        **dict.fromkeys(PATTERNS, "category"),
    }
    if {name: str(dtype) for name, dtype in frame.dtypes.items()} != types or len(frame.columns) != len(types):
        return False
    values = {name: frame[name].to_numpy() for name in types if name not in PATTERNS}
    first = pd.Timestamp(f"{window}-01")
    bounds = {name: (low, high) for name, (_, low, high) in NUMBERS.items()} | RANGES
    return bool(
        max(rows[0], 1) <= len(frame) <= rows[1]
        # The least date is a missing one where there is one, and no comparison with that is true.
        and first.to_datetime64() <= values["flight_date"].min()
        and values["flight_date"].max() <= _last(first).to_datetime64()
        and not np.isnat(values["sched_dep_utc"].min())
        and all(low <= np.fmin.reduce(values[each]) for each, (low, _) in bounds.items())
        and all(np.fmax.reduce(values[each]) <= high for each, (_, high) in bounds.items())
        and all(np.isnan(values[each]).mean() <= most for each, most in MAX_NULLS.items())
        and all(frame[each].cat.codes.min() >= 0 and _match(frame[each], rule) for each, rule in PATTERNS.items())
        and unique_key(frame)
    )


@cache
def contract(window: str, rows: tuple[int, int]) -> pa.DataFrameSchema:
    """The contract of one month.

    Args:
        window: a month such as `2013-05`; every local departure date must lie in it.
        rows: least and most rows.
    """
    first = pd.Timestamp(f"{window}-01")
    columns = {
        "sched_dep_utc": pa.Column("datetime64[ms]", _milliseconds()),
        "flight_date": pa.Column(
            "datetime64[ms]",
            [
                _milliseconds(),
                pa.Check.in_range(first, _last(first), error=f"local departure date within {window}"),
            ],
        ),
        **{name: pa.Column(pa.Category, _codes(pattern)) for name, pattern in PATTERNS.items()},
        **{name: pa.Column(dtype, pa.Check.in_range(low, high)) for name, (dtype, low, high) in NUMBERS.items()},
        **{
            name: pa.Column(
                "float32",
                [*([pa.Check.in_range(*RANGES[name])] if name in RANGES else []), _nulls(most)],
                nullable=True,
            )
            for name, most in MAX_NULLS.items()
        },
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
