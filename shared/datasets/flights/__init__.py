"""Flights from New York in 2013: will this one arrive late, as seen two hours before it is due to leave?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.datasets import Dataset

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SCHEDULE = ("carrier", "origin", "dest", "dep_min", "block_min", "dow", "distance")
WEATHER = ("temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
LATE_MINUTES = 15
WEATHER_LAG_HOURS = 2


def late(frame: pd.DataFrame) -> np.ndarray:
    """The target of each row, shape (n,), int8: 1 when the flight arrived 15 minutes late or more."""
    return (frame["arr_delay"].to_numpy() >= LATE_MINUTES).astype("int8")


DATASET = Dataset(
    name="flights",
    model_name="late-flights",
    question="Will this flight arrive 15 minutes late or more?",
    rows_are="flights",
    zone="America/New_York",
    folder="data/flights",
    windows=tuple(f"2013-{month:02d}" for month in range(1, 13)),
    features=SCHEDULE + WEATHER,  # known two hours before the scheduled departure
    categorical=("carrier", "origin", "dest"),
    discrete=("dow",),
    binned=("dep_min",),  # lateness builds up through the day, and not along a line
    restless=WEATHER,
    leaky=("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"),
    key=("sched_dep_utc", "carrier", "flight"),
    block="flight_date",  # the flights of one day share their weather
    slices=("carrier", "origin"),
    outcome="arr_delay",
    positive=late,
    rows=(20_000, 60_000),
)
