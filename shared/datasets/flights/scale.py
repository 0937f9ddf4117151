"""Make any number of realistic flights out of the real ones, the same bytes for the same rows and seed.

A balanced bootstrap of days (Davison, Hinkley & Schechtman 1986): every real day of a month is used equally often, in
random order, and each draw becomes a synthetic day on a date of the same month, with weather and delays of its own.
Such rows weigh as much as real ones, but they hold no more information than the real 336,776: they are for measuring
time and memory, and an accuracy on them means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.datasets.flights import DATASET
from shared.datasets.flights.contract import RANGES
from shared.errors import ConfigError, DataError
from shared.files import read_window, write_window

#: Fewer, and a month has so few days that one with many cancellations breaks the contract; more, and flight numbers
#: run out (9,999 a carrier and minute).
MIN_ROWS, MAX_ROWS = 200_000, 100_000_000
#: Standard deviation of a synthetic day's shift; the flights of one day share it, as they share the weather.
_SHIFT = {"temp": 3.0, "humid": 4.0, "wind_dir": 15.0, "pressure": 2.0, "visib": 0.3}
#: Standard deviation of the logarithm of its factor, for readings that must stay zero where they are zero.
_FACTOR = {"wind_speed": 0.15, "wind_gust": 0.15, "precip": 0.3}
_DELAY_MINUTES = 3  # each delay moves by up to this many minutes, early or late

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def write(rows: int, seed: int, source: Path, out: Path) -> Iterator[tuple[str, int]]:
    """Write all months, `rows` flights altogether, shared out as in the real data. One month is in memory at a time.

    Args:
        rows: how many flights, in [200,000, 100,000,000].
        seed: of the days and the jitter.
        source: folder of the real months.
        out: folder to fill.

    Yields:
        Each month and its number of rows, when it is written.

    Raises:
        ConfigError: the number of rows makes no sense.
        DataError: a real month cannot be read.
    """
    check_rows(rows)
    real = [len(read_window(source / f"{month}.parquet")) for month in DATASET.windows]
    ends = np.rint(np.cumsum(real) / sum(real) * rows).astype(np.int64)  # rounded sums add up to exactly `rows`
    for month, count in zip(DATASET.windows, np.diff(ends, prepend=0).tolist(), strict=True):
        write_window(make_month(read_window(source / f"{month}.parquet"), count, seed), out / f"{month}.parquet")
        yield month, count


def check_rows(rows: int) -> None:
    """Refuse a number of rows that no month could be made of.

    Raises:
        ConfigError
    """
    if not MIN_ROWS <= rows <= MAX_ROWS:
        raise ConfigError(
            f"{rows:,} rows cannot be made", where="--rows", fix=f"choose from {MIN_ROWS:,} to {MAX_ROWS:,}"
        )


def make_month(real: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    """Make one month of exactly `rows` flights out of a real one, with its columns and types, sorted by key.

    Args:
        real: one real month.
        rows: how many flights to make.
        seed: of the days and the jitter.

    Raises:
        DataError: there are more flights of one carrier in one minute than flight numbers.
    """
    real = real[_possible(real)].sort_values("flight_date", kind="stable", ignore_index=True)
    dates, starts, lengths = np.unique(real["flight_date"].to_numpy(), return_index=True, return_counts=True)
    rng = np.random.default_rng([seed, int(dates[0].astype("datetime64[M]").astype(np.int64))])

    drawn, landed = _days(rng, lengths, rows)
    day = np.repeat(np.arange(len(drawn)), lengths[drawn])[:rows]  # the synthetic day of each row
    within = np.arange(len(day)) - (np.cumsum(lengths[drawn]) - lengths[drawn])[day]
    origin = starts[drawn][day] + within  # the real row of each row

    utc = _utc(real, dates, starts)[landed][day] + real["dep_min"].to_numpy().astype(np.int64)[origin]
    carrier = real["carrier"].cat.codes.to_numpy().astype(np.int64)[origin]
    order = np.lexsort((origin, carrier, utc))
    origin, day, utc, carrier = origin[order], day[order], utc[order], carrier[order]

    frame = real.iloc[origin].reset_index(drop=True)
    date = dates[landed][day]
    frame["sched_dep_utc"] = utc.astype("datetime64[m]").astype("datetime64[ms]")
    frame["flight_date"] = date
    frame["dow"] = _weekday(dates)[landed][day]
    frame["flight"] = _numbers(utc, carrier)
    for name in (*_SHIFT, *_FACTOR):
        frame[name] = _weather(rng, name, frame[name].to_numpy(), day, len(drawn))
    for name in ("dep_delay", "arr_delay"):
        moved = rng.integers(-_DELAY_MINUTES, _DELAY_MINUTES, len(frame), endpoint=True, dtype=np.int8)
        frame[name] += moved.astype(np.float32)
    return frame


def _possible(real: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows hold no impossible reading: two of February's do, and would be copied a hundred times."""
    possible = np.ones(len(real), dtype=bool)
    for name, (low, high) in RANGES.items():
        possible &= (real[name].isna() | real[name].between(low, high)).to_numpy()
    return possible


def _days(rng: np.random.Generator, lengths: NDArray[np.intp], rows: int) -> tuple[Ints, Ints]:
    """Draw synthetic days until there are rows enough: the number of the real day, and of the date it lands on."""
    n = len(lengths)
    rounds = rows // int(lengths.sum()) + 1
    drawn = np.concatenate([rng.permutation(n) for _ in range(rounds)])
    landed = np.concatenate([rng.permutation(n) for _ in range(rounds)])
    enough = int(np.searchsorted(np.cumsum(lengths[drawn]), rows)) + 1
    return drawn[:enough], landed[:enough]


def _utc(real: pd.DataFrame, dates: NDArray[np.datetime64], starts: NDArray[np.intp]) -> Ints:
    """UTC of each date's local midnight, in minutes since 1970, as that date's first real flight tells it."""
    first = real.iloc[starts]
    departure = first["sched_dep_utc"].to_numpy().astype("datetime64[m]").astype(np.int64)
    return np.asarray(departure - first["dep_min"].to_numpy())


def _weekday(dates: NDArray[np.datetime64]) -> NDArray[np.int8]:
    return pd.DatetimeIndex(dates).day_of_week.to_numpy().astype(np.int8)


def _numbers(utc: Ints, carrier: Ints) -> NDArray[np.int16]:
    """Flight numbers, counted from 1 for every minute and carrier: all that matters is that the key is unique."""
    new = np.ones(len(utc), dtype=bool)
    new[1:] = (utc[1:] != utc[:-1]) | (carrier[1:] != carrier[:-1])
    place = np.arange(len(utc))
    number = place - np.maximum.accumulate(np.where(new, place, 0)) + 1
    if number.max() > 9999:
        raise DataError("flight numbers run out", where="flight", fix="ask for fewer rows")
    return number.astype(np.int16)


def _weather(rng: np.random.Generator, name: str, values: Floats, day: Ints, days: int) -> Floats:
    """Readings moved by their day's jitter, within the contract's range; missing ones stay missing."""
    low, high = RANGES[name]
    if name in _FACTOR:
        moved = values * np.exp(rng.normal(0, _FACTOR[name], days)).astype(np.float32)[day]
    else:
        moved = values + rng.normal(0, _SHIFT[name], days).astype(np.float32)[day]
    return np.asarray(np.clip(moved, np.float32(low), np.float32(high)))
