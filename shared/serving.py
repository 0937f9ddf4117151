"""Serving: is the model that callers load the one that was trained, and what does it say of their rows?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import requests
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from shared import data
from shared.config import StoreConfig
from shared.datasets import Dataset
from shared.errors import DataError, RegistryError
from shared.records import Trained, Window
from shared.tracking import PASSING, as_request, connect, explained, holdout_scores

_CHECKED_ROWS = 20
_TAG, _PASSED = "serving_check", "passed"
#: Callers send float64, training reads float32: the linear model's last bits differ.
_TOLERANCE = 1e-5
#: How a CSV says that a number is missing. A label may be called NA.
_MISSING = ["", "NA", "N/A", "NaN", "nan", "None", "null"]


@explained
def check(window: Window, trained: Trained, number: int, alias: str) -> None:
    """Load a registered version by its alias, as a caller does, and score holdout rows as training did.

    Raises:
        RegistryError: other scores, or none; the version is tagged with what was seen.
    """
    config = window.config
    features = next(config.features(each) for each in config.all_candidates if each.title == trained.candidate)
    try:
        rows, _ = data.load(config.spec, window.paths([config.month]), features)
    except OSError as error:
        raise DataError(
            f"the holdout is gone: {error}", where=str(window.data), fix="start the retraining again from ingest"
        ) from error
    some = np.linspace(0, len(rows) - 1, _CHECKED_ROWS).astype(int)
    expected = holdout_scores(config, trained)[some]
    client = connect(config)
    cause = ""
    try:
        found = _score(f"models:/{config.model_name}@{alias}", as_request(config.spec, rows.iloc[some]))
        worst = float(np.abs(found - expected).max())
        if not worst <= _TOLERANCE:  # not a number is no agreement either
            cause = f"scores differ by up to {worst:.2g} from those of training"
    except Exception as error:  # whatever keeps it from serving, its callers would meet too
        if _may_pass(error):
            raise
        cause = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    client.set_model_version_tag(config.model_name, str(number), _TAG, cause or _PASSED)
    if cause:
        client.delete_registered_model_alias(config.model_name, alias)
        raise _does_not_serve(config, number, cause)


@explained
def require_that_it_serves(config: StoreConfig, number: int) -> None:
    """See that a version can be loaded as a caller does, and did not fail its check.

    Raises:
        RegistryError: it cannot, or did.
    """
    told = connect(config).get_model_version(config.model_name, str(number)).tags.get(_TAG, _PASSED)
    if told != _PASSED:
        raise _does_not_serve(config, number, told)
    try:
        mlflow.pyfunc.load_model(f"models:/{config.model_name}/{number}")
    except Exception as error:
        if _may_pass(error):
            raise
        raise _does_not_serve(config, number, f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def _may_pass(error: Exception) -> bool:
    """Is it the store that does not answer, and not the model?"""
    lost = isinstance(error, requests.RequestException | SQLAlchemyError)
    return lost or (isinstance(error, MlflowException) and error.error_code in PASSING)


def _does_not_serve(config: StoreConfig, number: int, cause: str) -> RegistryError:
    return RegistryError(
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


def read_rows(path: Path, dataset: Dataset) -> pd.DataFrame:
    """Read a CSV or parquet file; the labels of a CSV stay as they are written.

    Raises:
        DataError: there is no such file, it is of another kind, it cannot be read or has no rows.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                columns = pd.read_csv(path, nrows=0).columns
                labels = [name for name in columns if name in dataset.categorical]
                missing = {name: _MISSING for name in columns if name not in labels}
                rows = pd.read_csv(path, dtype=dict.fromkeys(labels, "str"), na_values=missing, keep_default_na=False)
                rows = rows.assign(**{name: rows[name].str.strip() for name in labels})
            case ".parquet":
                rows = pd.read_parquet(path)
            case _:
                raise DataError("neither a CSV nor a parquet file", where=str(path), fix="name it .csv or .parquet")
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
        DataError: naming every column that is missing, is there twice, or holds what is no number or no label.
    """
    faults = []
    if missing := [name for name in names if name not in rows.columns]:
        faults.append(f"column {', '.join(missing)} is missing")
    if twice := [name for name in names if list(rows.columns).count(name) > 1]:
        faults.append(f"column {', '.join(twice)} is there more than once")
    kept: dict[str, Any] = {}
    for name in names:
        if name not in (*missing, *twice):
            of_kind = _labels if name in dataset.categorical else _numbers
            kept[name], fault = of_kind(rows[name])
            faults += [f"column {name} {fault}"] if fault else []
    if faults:
        labels = [each for each in names if each in dataset.categorical]
        raise DataError(
            f"the rows are not what the model takes: {'; '.join(faults)}",
            where="input file",
            fix=f"give it the columns {', '.join(names)}; numbers may be missing, labels "
            f"({', '.join(labels) or 'none'}) may not",
        )
    return pd.DataFrame(kept)[names]


def _labels(column: pd.Series) -> tuple[pd.Series, str]:
    """A column of labels as strings, and what is wrong with it."""
    known = column.dropna()
    if not known.map(lambda value: isinstance(value, str)).all():
        wrong = next(value for value in known if not isinstance(value, str))
        return column, f"holds {wrong!r}, which is no label"
    if empty := int((column.isna() | (column == "")).sum()):
        return column, f"is empty in {empty} rows"
    return column.astype("str"), ""


def _numbers(column: pd.Series) -> tuple[pd.Series, str]:
    """A column of numbers as floats, and what is wrong with it."""
    strange = pd.api.types.is_datetime64_any_dtype, pd.api.types.is_timedelta64_dtype, pd.api.types.is_complex_dtype
    if any(each(column.dtype) for each in strange):
        return column, f"holds {column.dtype}, not numbers"
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = column[(numbers.isna() & column.notna()) | np.isinf(numbers)]
    if wrong.size:
        value = wrong.iloc[0]
        told = repr(value) if isinstance(value, str) else str(value)
        return column, f"holds {told} in row {wrong.index[0]}, which is no number"
    return numbers, ""
