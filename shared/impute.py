"""Impute: numbers that the month that has arrived hardly has are filled in, so that every model sees them alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from shared.drift import REFERENCE
from shared.errors import DataError
from shared.files import link_or_copy, make_folder, read_window, write_window
from shared.records import Window


def impute_window(window: Window, out: Path) -> dict[str, float]:
    """Write the months of a validated window anew, with the numbers of `window.report.impute` filled in.

    Args:
        window: the validated months.
        out: folder to fill; an earlier attempt's files are replaced.

    Returns:
        Number -> the median of the training months, which every missing value gets; the month that has arrived has no
        say in it, for it is the holdout.

    Raises:
        DataError: the training months do not have the number either.
        StorageError: `out` cannot be written.
    """
    config = window.config
    names = list(window.report.impute) if window.report else []
    make_folder(out, empty=True)
    training = pd.concat([read_window(path)[names] for path in window.paths(config.train_months)])
    medians = {str(name): float(value) for name, value in training.median().items()}
    if lost := [name for name, value in medians.items() if pd.isna(value)]:
        raise DataError(
            f"{', '.join(lost)} cannot be filled in: no training {config.spec.window_is} has a value",
            where=config.spec.path(config.month),
            fix="restore the values at their source, or take the feature out of the candidates",
        )
    for path in window.paths([*config.train_months, config.month]):
        if names:
            write_window(read_window(path).fillna(medians), out / path.name)
        else:
            link_or_copy(path, out / path.name)
    shutil.copyfile(
        window.data / REFERENCE, out / REFERENCE
    )  # of the readings as they were: drift is measured on those
    return medians
