"""What the core has to be told about a data set. One folder below this one holds everything that is particular to it:

    <name>/__init__.py   DATASET, a `Dataset`: columns, target, windows. Light, since orchestrators import it to parse.
    <name>/contract.py   contract(window, rows) -> a pandera schema, and RANGES of readings that are physically possible
                         if pandera is too slow: kept(frame, window, rows), true only if the frame keeps that schema
    <name>/build.py      makes one parquet file a window; a stage of dvc.yaml runs it

docs/your-own-pipeline.md walks through the replacement of the flights by data of your own.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from shared.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: The data set of a retraining that names none.
DEFAULT = "flights"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A table with a yes-or-no target that grows by one window (a month, a quarter) at a time."""

    #: Name of its folder below `shared/datasets`, and of `--dataset`.
    name: str
    #: Default name of the registered model.
    model_name: str
    #: The question that the model answers, in words.
    question: str
    #: What one row is, in the plural.
    rows_are: str
    #: What one window is, in the singular.
    window_is: str = "month"
    #: Time zone in which a window ends.
    zone: str = "UTC"
    #: Folder that DVC tracks, with one file a window.
    folder: str
    #: Every window there is, oldest first. Their names also sort in that order.
    windows: tuple[str, ...]
    #: The only columns a model may see: all of them are known when a prediction is asked for.
    features: tuple[str, ...]
    #: Features that are labels; pandas categories in the files. All others are numbers.
    categorical: tuple[str, ...] = ()
    #: Numbers that are labels too (a day of the week): the linear model gives each value a weight of its own.
    discrete: tuple[str, ...] = ()
    #: Numbers that no straight line describes (a time of day): the linear model cuts them into bins.
    binned: tuple[str, ...] = ()
    #: Features that drift in every window because that is what they do (weather): their drift is noted, no warning.
    restless: tuple[str, ...] = ()
    #: Known only once the answer is. A candidate that asks for one of them is refused.
    leaky: tuple[str, ...] = ()
    #: What identifies a row.
    key: tuple[str, ...]
    #: Rows of one block (a day) share what no feature tells: the gate's bootstrap resamples whole blocks.
    block: str
    #: Columns for whose every value the challenger is compared apart.
    slices: tuple[str, ...] = ()
    #: Least rows of a slice that is compared: below it, its AUC is mostly noise.
    slice_rows: int = 500
    #: Column that tells what happened; missing where there is no answer to learn from.
    outcome: str
    #: The target of each row, shape (n,), int8, 0 or 1, from a frame with `outcome`.
    positive: Callable[[pd.DataFrame], np.ndarray]
    #: Least and most rows of a window.
    rows: tuple[int, int]
    #: Share of a window's rows that may be set aside for an impossible reading before the window is refused.
    max_quarantined: float = 0.001

    def path(self, window: str) -> str:
        """Path of one window inside the repository."""
        return f"{self.folder}/{window}.parquet"

    def before(self, window: str) -> list[str]:
        """The windows before one, oldest first."""
        return [each for each in self.windows if each < window]

    @property
    def contract(self) -> ModuleType:
        """The module of the data contract; it needs pandas and pandera, so it is imported only here."""
        return importlib.import_module(f"{__name__}.{self.name}.contract")


def names() -> list[str]:
    """The data sets there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def get(name: str) -> Dataset:
    """The data set of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in names():
        raise ConfigError(f"there is no data set {name}", where="dataset", fix=f"choose from {', '.join(names())}")
    found: Dataset = importlib.import_module(f"{__name__}.{name}").DATASET
    return found
