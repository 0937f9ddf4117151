"""Validate: hold every month of the window against the contract, set impossible rows aside, tell what drifts."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pandera.errors
from numpy.typing import NDArray

from shared import flights
from shared.config import ContractConfig, RetrainConfig
from shared.data import make_folder, read_month
from shared.errors import DataError
from shared.flights_build import write_month
from shared.records import Report, Window
from shared.schema import WEATHER_RANGES, contract

log = logging.getLogger(__name__)
_FLOOR = 1e-6  # share given to an empty bin, so that the PSI stays finite


def validate_window(window: Window, out: Path) -> Report:
    """Check every month of the window and write the accepted rows to `out`, one file a month.

    Args:
        window: the ingested months.
        out: folder to fill; an earlier attempt's files are replaced.

    Raises:
        DataError: naming every breach of the contract, and the file.
        StorageError: `out` cannot be written.
    """
    config = window.config
    make_folder(out, empty=True)
    frames: dict[str, pd.DataFrame] = {}
    quarantined: dict[str, int] = {}
    for month in [*config.train_months, config.month]:
        source = window.data / f"{month}.parquet"
        frame = read_month(source)
        bad = impossible_rows(frame, month, config.contract, flights.month_file(month))
        if len(bad):
            frames[month] = frame.drop(index=bad)
            quarantined[month] = len(bad)
            write_month(frames[month], out / source.name)
        else:
            frames[month] = frame
            _link_or_copy(source, out / source.name)
    report = _report(frames, quarantined, config)
    for line in report.warnings:
        log.warning("%s", line)
    return report


def impossible_rows(frame: pd.DataFrame, month: str, settings: ContractConfig, where: str) -> pd.Index:
    """Index of the rows to set aside because a weather reading is physically impossible.

    Raises:
        DataError: any other breach of the contract, or more impossible rows than `settings.max_quarantined` allows.
    """
    try:
        contract(month, settings).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        reading = cases["column"].isin(list(WEATHER_RANGES)) & cases["check"].str.startswith("in_range")
        bad: pd.Index = pd.Index(cases.loc[reading, "index"].dropna().unique())
        breaches = _told(cases[~reading], frame)
        if len(bad) > settings.max_quarantined * len(frame):
            breaches += _told(cases[reading], frame)
        if breaches:
            raise DataError(
                f"the data contract is broken: {'; '.join(breaches)}",
                where=where,
                fix="correct the file at its source, or, if the data have changed for good, change shared/schema.py",
            ) from None
        return bad
    return pd.Index([])


def _told(cases: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    """One phrase for each column and rule that is broken, with the number of rows and an example."""
    checks = cases["check"].astype("str")
    structure = checks.str.startswith(("column_in_", "dtype("))
    if structure.any():  # what the rows hold is beside the point while columns are missing or of another type
        cases, checks = cases[structure], checks[structure]
    phrases = []
    for names, group in cases.groupby(["column", checks], sort=False, dropna=False):
        column, check = (str(name) for name in cast("tuple[object, object]", names))
        example = group["failure_case"].iloc[0]
        if check == "column_in_dataframe":
            phrases.append(f"column {example} is missing")
        elif check == "column_in_schema":
            leak = ": it would leak the answer" if example in flights.LEAKY else ""
            phrases.append(f"column {example} is not part of the contract{leak}")
        elif check.startswith("dtype("):
            phrases.append(f"column {column} has type {frame[column].dtype} instead of {check[7:-2]}")
        elif group["index"].isna().all():
            phrases.append(check if group["schema_context"].iloc[0] == "DataFrameSchema" else f"{column}: {check}")
        else:
            phrases.append(f"{column}: {len(group)} rows break {check}, such as {example}")
    return phrases


def psi(reference: NDArray[np.float64], current: NDArray[np.float64], bins: int = 10) -> float:
    """Population stability index of a number between two samples; missing values are a bin of their own.

    Args:
        reference: sample that sets the bins (its quantiles), shape (n,), NaN where missing.
        current: sample to compare, shape (m,).
        bins: quantile bins.

    Returns:
        Sum over bins of (q - p) ln(q / p), in nats, 0 for equal shares. Source: Siddiqi (2006), Credit Risk Scorecards.
    """
    known = reference[~np.isnan(reference)]
    edges = _edges(known, bins)

    def shares(sample: NDArray[np.float64]) -> NDArray[np.float64]:
        missing = np.isnan(sample)
        counts = np.bincount(np.searchsorted(edges, sample[~missing], side="right"), minlength=len(edges) + 1)
        return np.append(counts, missing.sum()) / max(len(sample), 1)

    return _divergence(shares(reference), shares(current))


def _edges(known: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Inner edges of quantile bins; a value that fills whole bins (rain: mostly 0) gets one to itself."""
    if not len(known):
        return np.array([])
    quantiles = np.quantile(known, np.linspace(0, 1, bins + 1))
    repeated = np.unique(quantiles[:-1][np.diff(quantiles) == 0])
    return np.unique(np.concatenate([quantiles[1:-1], repeated, np.nextafter(repeated, np.inf)]))


def category_psi(reference: dict[str, int], current: dict[str, int]) -> float:
    """Population stability index of a category, from the counts of each value; a new value counts as a bin."""
    names = sorted({*reference, *current})

    def shares(counts: dict[str, int]) -> NDArray[np.float64]:
        return np.array([counts.get(name, 0) for name in names]) / max(sum(counts.values()), 1)

    return _divergence(shares(reference), shares(current))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    p, q = np.maximum(p, _FLOOR), np.maximum(q, _FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def _report(frames: dict[str, pd.DataFrame], quarantined: dict[str, int], config: RetrainConfig) -> Report:
    """Compare the month that has arrived with the training months, feature by feature."""
    settings = config.contract
    reference = [frames[month] for month in config.train_months]
    holdout = frames[config.month]
    warnings = [
        f"{month}: {count} rows set aside for an impossible weather reading" for month, count in quarantined.items()
    ]
    notes: list[str] = []
    scores: dict[str, float] = {}
    for name in flights.FEATURES:
        if name in flights.CATEGORICAL:
            before: dict[str, int] = {}
            for frame in reference:
                for value, count in frame[name].value_counts().items():
                    before[str(value)] = before.get(str(value), 0) + int(count)
            now = {str(value): int(count) for value, count in holdout[name].value_counts().items() if count}
            scores[name] = category_psi(before, now)
            if new := sorted(set(now) - {value for value, count in before.items() if count}):
                warnings.append(f"{config.month}: {name} has values never trained on: {', '.join(new)}")
        else:
            old = np.concatenate([frame[name].to_numpy(np.float64) for frame in reference])
            new_values = holdout[name].to_numpy(np.float64)
            scores[name] = psi(old, new_values)
            jump = float(np.isnan(new_values).mean() - np.isnan(old).mean())
            if jump > settings.null_jump:
                warnings.append(f"{config.month}: {name} misses {jump:.1%} more of its values than in training")
        if scores[name] > settings.psi_warning:
            line = f"{config.month}: {name} has drifted (PSI {scores[name]:.2f})"
            # The weather drifts every month, that is what weather does: told, but no reason to worry.
            (notes if name in flights.WEATHER else warnings).append(line)
    return Report(
        rows={month: len(frame) for month, frame in frames.items()},
        quarantined=quarantined,
        warnings=tuple(warnings),
        notes=tuple(notes),
        psi={name: round(value, 4) for name, value in scores.items()},
    )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)  # no second copy of what did not change
    except OSError:
        shutil.copyfile(source, target)
