"""Rain in Seattle, 2012 to 2015: will it rain tomorrow, as asked when today is over? The second, much smaller data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.datasets import Dataset

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TODAY = ("precipitation", "temp_max", "temp_min", "wind")
WEATHER = ("weather", "month", *TODAY, "precipitation_before")


def rainy(frame: pd.DataFrame) -> np.ndarray:
    """The target of each row, shape (n,), int8: 1 when any rain or snow is measured on the next day."""
    return (frame["next_precipitation"].to_numpy() > 0).astype("int8")


DATASET = Dataset(
    name="rain",
    model_name="rain-tomorrow",
    question="Will it rain in Seattle tomorrow?",
    rows_are="days",
    window_is="quarter",
    zone="America/Los_Angeles",
    folder="data/rain",
    windows=tuple(f"{year}-Q{quarter}" for year in range(2012, 2016) for quarter in range(1, 5)),
    features=WEATHER,  # known when the day is over
    categorical=("weather",),
    discrete=("month",),
    restless=WEATHER,  # no quarter is like the ones before it
    leaky=("next_precipitation",),
    key=("date",),
    block="week",  # rain comes in spells, so neighbouring days are no independent evidence
    slices=("weather",),
    slice_rows=20,  # of 90: weak evidence, which only warns
    outcome="next_precipitation",
    positive=rainy,
    rows=(60, 100),
    max_quarantined=0.03,  # two days of a quarter
)
