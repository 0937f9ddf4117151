"""Drift: how far has a new month moved away from what a model was trained on, and does that ask for a retraining?

A model's training reference is a histogram of each feature, made once by validation and stored with the model. Features
that move need not hurt, so they only warn; what asks for a retraining is a champion whose predictions no longer fit:
its mean prediction misses what happened, its scores have another shape, or many rows are of kinds it never saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.config import RetrainConfig
from shared.datasets import Dataset
from shared.records import Drift, Histogram, Reference

#: Name of the file with the training reference: beside the months, and among a model's artifacts.
REFERENCE = "reference.json"
_BINS = 10
_SAMPLE = 100_000  # of so many rows, or half of them, chance moves a PSI by less than 0.001
_FLOOR = 1e-6  # share given to an empty bin, so that the PSI stays finite


@dataclass(frozen=True)
class Shift:
    """A month against a reference, feature by feature."""

    psi: dict[str, float]
    more_missing: dict[str, float]  # share of missing values beyond the reference's
    novel: dict[str, list[str]]  # values that the reference has never seen
    novel_share: float  # of the rows


def reference(dataset: Dataset, frames: Iterable[pd.DataFrame]) -> Reference:
    """Count the features of the training months: labels in all rows, numbers in a sample where there are many.

    Args:
        dataset: names the features, and which of them are labels.
        frames: the months, with features and outcome; taken one by one, and none of them is kept.
    """
    labels: dict[str, dict[str, int]] = {each: {} for each in dataset.features if each in dataset.categorical}
    numbers: dict[str, list[NDArray[Any]]] = {each: [] for each in dataset.features if each not in dataset.categorical}
    rows, every = 0, 1
    for frame in frames:
        rows += len(frame)
        while rows > every * _SAMPLE:  # the same share of every month
            every *= 2
            numbers = {name: [part[::2].copy() for part in parts] for name, parts in numbers.items()}
        known = frame[dataset.outcome].notna().to_numpy()  # without an answer no row is trained on
        for name, parts in numbers.items():
            parts.append(frame[name].to_numpy()[::every][known[::every]])
        for name, counts in labels.items():
            for value, count in _counts(frame[name][known]).items():
                counts[value] = counts.get(value, 0) + count
        del frame  # before the next one is read
    return Reference(
        numbers={name: histogram(np.concatenate(parts)) for name, parts in numbers.items()},
        labels={name: dict(sorted(counts.items())) for name, counts in labels.items()},
    )


def only(reference: Reference, features: tuple[str, ...]) -> Reference:
    """The part of a reference that a model with these features was trained on."""
    return reference.model_copy(
        update={
            "numbers": {name: each for name, each in reference.numbers.items() if name in features},
            "labels": {name: each for name, each in reference.labels.items() if name in features},
        }
    )


def _counts(column: pd.Series) -> dict[str, int]:
    labels = column.astype("category").cat  # as they are in the files
    codes = labels.codes.to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(labels.categories))
    return {
        str(label): count for label, count in zip(labels.categories.tolist(), counts.tolist(), strict=True) if count
    }


def histogram(values: NDArray[Any], edges: tuple[float, ...] | None = None) -> Histogram:
    """Count values between edges; missing ones have a bin of their own.

    Args:
        values: shape (n,), NaN where missing.
        edges: inner edges, ascending; by default the deciles of `values`.
    """
    known = values[~np.isnan(values)] if np.issubdtype(values.dtype, np.floating) else values
    inner = _deciles(known) if edges is None else np.asarray(edges, dtype=np.float64)
    # One pass for each edge is several times faster than a search for each value.
    reached = [np.count_nonzero(known >= edge) for edge in _of_type(inner, known.dtype)]
    counts = -np.diff([len(known), *reached, 0])
    return Histogram(edges=tuple(inner.tolist()), counts=(*counts.tolist(), len(values) - len(known)))


def _of_type(edges: NDArray[np.float64], dtype: np.dtype[Any]) -> list[Any]:
    """The least value of a type that is not below each edge: compared without turning all values into float64."""
    if not np.issubdtype(dtype, np.floating):
        return [math.ceil(edge) for edge in edges]
    near = edges.astype(dtype)
    return list(np.where(near < edges, np.nextafter(near, np.asarray(np.inf, dtype)), near))


def _deciles(known: NDArray[Any]) -> NDArray[np.float64]:
    """Inner edges of ten equal bins; a value that fills whole bins (rain: mostly 0) gets one to itself."""
    if not len(known):
        return np.array([])
    quantiles = np.quantile(known, np.linspace(0, 1, _BINS + 1)).astype(np.float64)
    repeated = np.unique(quantiles[:-1][np.diff(quantiles) == 0])
    return np.unique(np.concatenate([quantiles[1:-1], repeated, np.nextafter(repeated, np.inf)]))


def psi(reference: Iterable[int], current: Iterable[int]) -> float:
    """Population stability index between two histograms over the same bins.

    Returns:
        Sum over bins of (q - p) ln(q / p), in nats, 0 for equal shares. Source: Siddiqi (2006), Credit Risk Scorecards.
    """
    old, new = (np.asarray(list(counts), dtype=np.float64) for counts in (reference, current))
    p, q = (np.maximum(counts / max(counts.sum(), 1), _FLOOR) for counts in (old, new))
    return float(np.sum((q - p) * np.log(q / p)))


def compare(reference: Reference, frame: pd.DataFrame) -> Shift:
    """Compare a month with a reference, feature by feature.

    Args:
        reference: of the training months.
        frame: the month, with at least the reference's features.
    """
    scores: dict[str, float] = {}
    missing: dict[str, float] = {}
    novel: dict[str, list[str]] = {}
    strange = np.zeros(len(frame), dtype=bool)
    for name, old in reference.labels.items():
        new = _counts(frame[name])
        values = sorted({*old, *new})
        scores[name] = psi((old.get(value, 0) for value in values), (new.get(value, 0) for value in values))
        if unseen := [value for value in values if value in new and value not in old]:
            novel[name] = unseen
            strange |= frame[name].isin(unseen).to_numpy()
    for name, before in reference.numbers.items():
        now = histogram(frame[name].to_numpy(), before.edges)
        scores[name] = psi(before.counts, now.counts)
        missing[name] = now.counts[-1] / max(sum(now.counts), 1) - before.counts[-1] / max(sum(before.counts), 1)
    return Shift(psi=scores, more_missing=missing, novel=novel, novel_share=float(strange.mean()))


def judge(
    config: RetrainConfig,
    champion_version: int,
    reference: Reference,
    frame: pd.DataFrame,
    scores: NDArray[np.float64],
    target: NDArray[np.int8],
) -> Drift:
    """Does the month ask for another model than the champion?

    Args:
        config: the month and the thresholds.
        champion_version: its number, for the record.
        reference: the champion's own, with its scores.
        frame: the month's features, n rows.
        scores: the champion's probabilities, shape (n,).
        target: what really happened, shape (n,), 0 or 1.
    """
    limits, dataset = config.drift, config.spec
    shift = compare(reference, frame)
    old = reference.scores
    score_psi = psi(old.counts, histogram(scores, old.edges).counts) if old else 0.0
    rate, mean = float(target.mean()), float(scores.mean())

    reasons: list[str] = []
    warnings: list[str] = []
    notes: list[str] = []
    if abs(rate - mean) > limits.rate_gap:
        reasons.append(f"the champion predicts {mean:.1%} positives, {rate:.1%} happened")
    if score_psi > limits.score_psi:
        reasons.append(f"the champion's scores have shifted (PSI {score_psi:.2f})")
    if shift.novel_share > limits.novel_share:
        reasons.append(f"{shift.novel_share:.1%} of the rows are of kinds the champion was never trained on")
    for name, values in shift.novel.items():
        warnings.append(f"{name} has values the champion was never trained on: {', '.join(values)}")
    for name, value in shift.psi.items():
        if value > limits.feature_psi:
            (notes if name in dataset.restless else warnings).append(f"{name} has drifted (PSI {value:.2f})")
    return Drift(
        month=config.month,
        champion_version=champion_version,
        psi={name: round(value, 4) for name, value in shift.psi.items()},
        novel={name: tuple(values) for name, values in shift.novel.items()},
        novel_share=round(shift.novel_share, 6),
        score_psi=round(score_psi, 4),
        positive_rate=round(rate, 6),
        mean_score=round(mean, 6),
        retrain=bool(reasons),
        reasons=tuple(reasons),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )
