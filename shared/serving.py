"""Serving: is the model that callers load the one that was trained, and what does it say of their rows?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from shared import data
from shared.config import StoreConfig
from shared.datasets import Dataset
from shared.errors import DataError, RegistryError
from shared.records import Trained, Window
from shared.tracking import as_request, connect, explained, holdout_scores

_CHECKED_ROWS = 20
#: Callers send float64, training reads float32: the linear model's last bits differ.
_TOLERANCE = 1e-5


@explained
def check(window: Window, trained: Trained, number: int, alias: str) -> None:
    """Load a registered version by its alias, as a caller does, and score holdout rows as training did.

    Raises:
        RegistryError: other scores, or none; the version is tagged with what was seen.
    """
    config = window.config
    features = next(config.features(each) for each in config.candidates if each.name == trained.candidate)
    rows, _ = data.load(config.spec, window.paths([config.month]), features)
    some = np.linspace(0, len(rows) - 1, _CHECKED_ROWS).astype(int)
    expected = holdout_scores(config, trained)[some]
    client = connect(config)
    try:
        found = _score(f"models:/{config.model_name}@{alias}", as_request(config.spec, rows.iloc[some]))
        worst = float(np.abs(found - expected).max())
        cause = "" if worst <= _TOLERANCE else f"scores differ by up to {worst:.2g} from those of training"
    except Exception as error:  # whatever keeps it from serving, its callers would meet too
        cause = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    client.set_model_version_tag(config.model_name, str(number), "serving_check", cause or "passed")
    if cause:
        client.delete_registered_model_alias(config.model_name, alias)
        raise RegistryError(
            f"version {number} does not serve what was trained: {cause}",
            where=f"models:/{config.model_name}/{number}",
            fix="see that the model's libraries are those it was trained with (its requirements.txt); "
            "the champion is as it was",
        )


def _score(uri: str, rows: pd.DataFrame) -> NDArray[np.float64]:
    return np.asarray(mlflow.pyfunc.load_model(uri).predict(rows), dtype=np.float64)[:, 1]


@explained
def predict(config: StoreConfig, rows: pd.DataFrame, alias: str = "champion") -> tuple[NDArray[np.float64], int]:
    """Score rows with the version under an alias.

    Args:
        config: the model and its store.
        rows: at least the model's features, in any order.
        alias: such as `champion`.

    Returns:
        Probability of a positive of each row, shape (n,), and the version that said so.

    Raises:
        DataError: a feature is missing or of the wrong type.
        RegistryError: nothing has that alias.
    """
    client = connect(config)
    try:
        version = client.get_model_version_by_alias(config.model_name, alias)
    except MlflowException as error:
        raise RegistryError(
            f"no version of {config.model_name} has the alias {alias}",
            where=config.tracking_uri,
            fix="promote one by `./bakeoff retrain`, or name the store by --on or --state",
        ) from error
    uri = f"models:/{config.model_name}/{version.version}"
    names = mlflow.models.get_model_info(uri).signature.inputs.input_names()
    return _score(uri, conform(config.spec, rows, names)), int(version.version)


def read_rows(path: Path) -> pd.DataFrame:
    """Read a CSV or parquet file.

    Raises:
        DataError: there is no such file, it is of another kind, it cannot be read or has no rows.
    """
    readers: dict[str, Any] = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
    try:
        rows: pd.DataFrame = readers[path.suffix.lower()](path)
    except KeyError:
        raise DataError("neither a CSV nor a parquet file", where=str(path), fix="name it .csv or .parquet") from None
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        raise DataError(
            f"the file cannot be read: {str(error).splitlines()[0]}", where=str(path), fix="correct the file"
        ) from error
    if rows.empty:
        raise DataError("the file has no rows", where=str(path), fix="give it at least one")
    return rows


def conform(dataset: Dataset, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The rows with a model's features only, in its order and types.

    Raises:
        DataError: naming every column that is missing, or holds what is no number or no label.
    """
    faults = []
    if missing := [name for name in names if name not in rows.columns]:
        faults.append(f"column {', '.join(missing)} is missing")
    kept: dict[str, Any] = {}
    for name in names:
        if name in missing:
            continue
        column = rows[name]
        if name in dataset.categorical:
            if pd.api.types.is_numeric_dtype(column.dtype) and not column.isna().all():
                faults.append(f"column {name} holds numbers such as {column.dropna().iloc[0]}, not labels")
            elif column.isna().any():
                faults.append(f"column {name} is empty in {column.isna().sum()} rows")
            kept[name] = column.astype("str")
        else:
            numbers = pd.to_numeric(column, errors="coerce")
            if (wrong := column[numbers.isna() & column.notna()]).size:
                faults.append(f"column {name} holds {wrong.iloc[0]!r} in row {wrong.index[0]}, which is no number")
            kept[name] = numbers.astype("float64")
    if faults:
        raise DataError(
            f"the rows are not what the model takes: {'; '.join(faults)}",
            where="input file",
            fix=f"give it the columns {', '.join(names)}; numbers may be missing, labels "
            f"({', '.join(each for each in names if each in dataset.categorical) or 'none'}) may not",
        )
    return pd.DataFrame(kept)[names]
