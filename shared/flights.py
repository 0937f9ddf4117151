"""All that is particular to the flights: the columns, the features, the target, the months.

Light on purpose: orchestrators import it while they parse, so nothing here needs pandas.
`shared.flights_build` makes the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

YEAR = 2013
MONTHS_DIR = "data/flights"

SCHEDULE = ("carrier", "origin", "dest", "dep_min", "block_min", "dow", "distance")
WEATHER = ("temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
CATEGORICAL = ("carrier", "origin", "dest")
#: The only columns a model may see: all of them are known two hours before the scheduled departure.
FEATURES = SCHEDULE + WEATHER
#: Known only once the flight has left or landed. A candidate that asks for one of them is refused.
LEAKY = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum")
#: What identifies a departure; unique in the data.
KEY = ("sched_dep_utc", "carrier", "flight")
#: The bootstrap resamples whole days, because the flights of one day share their weather.
BLOCK = "flight_date"
SLICES = ("carrier", "origin")
OUTCOME = "arr_delay"
LATE_MINUTES = 15
WEATHER_LAG_HOURS = 2


def late(frame: pd.DataFrame) -> np.ndarray:
    """The target of each row, shape (n,), int8: 1 when the flight arrived 15 minutes late or more."""
    return (frame[OUTCOME].to_numpy() >= LATE_MINUTES).astype("int8")


def month_file(month: str) -> str:
    """Path of one month (`2013-05`) inside the repository, as DVC tracks it."""
    return f"{MONTHS_DIR}/{month}.parquet"


def months() -> list[str]:
    """Every month there is, oldest first."""
    return [f"{YEAR}-{number:02d}" for number in range(1, 13)]
