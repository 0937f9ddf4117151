"""Evaluate: the challenger meets the champion on the same holdout, and the gate decides."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from shared import gate
from shared.config import RetrainConfig
from shared.datasets import Dataset
from shared.records import Drift, Trained, Verdict

log = logging.getLogger(__name__)
Floats = NDArray[np.float64]
_SLICE_COLLAPSE = 0.05


def judge(
    config: RetrainConfig,
    challenger: Trained,
    challenger_scores: Floats,
    champion_version: int | None,
    champion_scores: Floats,
    holdout: pd.DataFrame,
    target: NDArray[np.int8],
    blocks: NDArray[Any],
    drift: Drift | None = None,
) -> Verdict:
    """Decide whether the challenger may become champion.

    Args:
        config: the gate's thresholds and the seed of its bootstrap.
        challenger: what was trained.
        challenger_scores: its probabilities on the holdout, shape (n,).
        champion_version: registered version of the present champion; None when there is none.
        champion_scores: the champion's probabilities, shape (n,); the base rate when there is no champion.
        holdout: the slice columns of the holdout, n rows.
        target: what really happened, shape (n,), 0 or 1.
        blocks: the block of each row (such as its day), shape (n,).
        drift: of the holdout against the champion's training reference, to go with the verdict.
    """
    confidence = config.gate_confidence
    result = gate.compare(
        challenger_scores,
        champion_scores,
        target,
        gate.block_codes(blocks),
        replicates=config.gate.replicates,
        confidence=confidence,
        guard_confidence=config.gate.confidence,
        seed=config.seed,
    )
    promote = gate.passes(result, min_auc_gain=config.gate.min_auc_gain)
    verdict = Verdict(
        promote=promote,
        reason=_reason(promote, result, champion_version, config.gate.min_auc_gain),
        challenger=challenger,
        champion_version=champion_version,
        champion_auc=result.champion_auc,
        champion_log_loss=result.champion_log_loss,
        auc_gain=(result.auc_gain.value, result.auc_gain.low, result.auc_gain.high),
        log_loss_gain=(result.log_loss_gain.value, result.log_loss_gain.low, result.log_loss_gain.high),
        confidence=confidence,
        warnings=tuple(collapsed_slices(config.spec, challenger_scores, champion_scores, holdout, target)),
        drift=drift,
    )
    log.info("verdict: %s %s: %s", "promote" if promote else "reject", challenger.candidate, verdict.reason)
    for line in (*verdict.warnings, *(drift.reasons if drift else ())):
        log.warning("%s", line)
    return verdict


def collapsed_slices(
    dataset: Dataset, challenger: Floats, champion: Floats, holdout: pd.DataFrame, target: NDArray[np.int8]
) -> list[str]:
    """Name the slices (such as one carrier) for which the challenger is much worse than the champion."""
    lines = []
    for column in dataset.slices:
        for value, rows in holdout.groupby(column, observed=True).indices.items():
            if len(rows) < dataset.slice_rows or len(np.unique(target[rows])) < 2:
                continue
            new, old = roc_auc_score(target[rows], challenger[rows]), roc_auc_score(target[rows], champion[rows])
            if new < old - _SLICE_COLLAPSE:
                lines.append(
                    f"{column} {value}: AUC falls from {old:.3f} to {new:.3f} ({len(rows)} {dataset.rows_are})"
                )
    return lines


def _reason(promote: bool, result: gate.Comparison, champion_version: int | None, min_auc_gain: float) -> str:
    rival = "the base rate (no champion yet)" if champion_version is None else f"champion version {champion_version}"
    gain, loss = result.auc_gain, result.log_loss_gain
    figures = f"AUC gain over {rival} {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    if promote:
        return f"{figures} is surely above {min_auc_gain:+.4f}"
    if gain.low <= min_auc_gain:
        return f"{figures} is not surely above {min_auc_gain:+.4f}"
    return f"{figures}, but log loss is surely worse by {-loss.value:.4f}"
