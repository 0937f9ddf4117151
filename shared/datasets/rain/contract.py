"""The data contract: what a quarter of days must look like."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pandera.pandas as pa

from shared.datasets.rain import DATASET

#: Readings that Seattle can have. A row outside them is set aside; too many of them refuse the quarter.
RANGES = {
    "precipitation": (0, 200),  # millimetres a day
    "precipitation_before": (0, 200),
    "temp_max": (-25, 50),  # degrees Celsius
    "temp_min": (-30, 40),
    "wind": (0, 40),  # metres a second
}


@cache
def contract(window: str, rows: tuple[int, int]) -> pa.DataFrameSchema:
    """The contract of one quarter.

    Args:
        window: a quarter such as `2014-Q1`; every date must lie in it.
        rows: least and most rows.
    """
    quarter = pd.Period(window.replace("-", ""), freq="Q")
    first, last = quarter.start_time, quarter.end_time
    columns = {
        "date": pa.Column("datetime64[ms]", pa.Check.in_range(first, last, error=f"date within {window}"), unique=True),
        "week": pa.Column("datetime64[ms]"),
        "weather": pa.Column(pa.Category, pa.Check.isin(["drizzle", "fog", "rain", "snow", "sun"])),
        "month": pa.Column("int8", pa.Check.in_range(1, 12)),
        **{
            name: pa.Column("float32", pa.Check.in_range(*limits), nullable=name == "precipitation_before")
            for name, limits in RANGES.items()
        },
        DATASET.outcome: pa.Column("float32", pa.Check.in_range(0, 200), nullable=True),
    }
    count = pa.Check(
        lambda frame: rows[0] <= len(frame) <= rows[1],
        error=f"a quarter must have between {rows[0]} and {rows[1]} rows",
    )
    return pa.DataFrameSchema(columns, checks=[count], strict=True, name=window)
