"""Watch the champion between retrainings: does a month that has arrived still look like what it was trained on?"""

from __future__ import annotations

from pathlib import Path

from shared import data, drift, registry, train
from shared.config import RetrainConfig
from shared.errors import RegistryError
from shared.files import read_window, write_window
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
    path = folder / f"{config.month}.parquet"
    frame = read_window(path)
    if len(bad := impossible_rows(frame, config.month, config)):
        path.unlink()  # it may be one file with DVC's cache
        write_window(frame.drop(index=bad), path)
    model, features = registry.load_model(config, number)
    rows, target, _ = data.load_holdout(config.spec, path, config.spec.features)
    return drift.judge(config, number, reference, rows, train.score(model, rows[list(features)]), target)
