"""Watch the champion between retrainings: does a month that has arrived still look like what it was trained on?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared import data, drift, registry, train
from shared.config import RetrainConfig
from shared.errors import RegistryError
from shared.files import read_window
from shared.records import Drift
from shared.validate import impossible_rows


def watch(config: RetrainConfig, folder: Path) -> Drift:
    """Measure the drift of one month against the champion's own training reference. Nothing is written to MLflow.

    Args:
        config: the month, the thresholds, the model and its store.
        folder: for the month's file; emptied first.

    Raises:
        DataError: the month is not what its version says, or breaks the contract.
        RegistryError: there is no champion, it was trained on that month, or it has no training reference.
    """
    number = registry.fair_champion(config)
    if number is None:
        raise RegistryError(
            "there is no champion whose drift could be measured",
            where=f"registered model {config.model_name} in {config.tracking_uri}",
            fix="promote one first: `./bakeoff retrain`, or name the store by --on or --state",
        )
    reference = registry.training_reference(config, number)
    data.fetch_window(config, folder, [config.month])
    rows, target = accepted_rows(config, config.month, folder)
    model, features = registry.load_model(config, number)
    return drift.judge(config, number, reference, rows, train.score(model, rows[list(features)]), target)


def accepted_rows(config: RetrainConfig, month: str, folder: Path) -> tuple[pd.DataFrame, NDArray[np.int8]]:
    """Features and target of a fetched month, without the rows that validation sets aside.

    Raises:
        DataError: the month breaks the contract.
    """
    frame = read_window(folder / f"{month}.parquet")
    frame = frame.drop(index=impossible_rows(frame, month, config))
    frame = frame[frame[config.spec.outcome].notna()]
    return frame[list(config.spec.features)], config.spec.positive(frame)
