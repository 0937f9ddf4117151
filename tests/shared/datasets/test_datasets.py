"""What every data set must keep so that the core can run on it; a new folder in shared/datasets is tested at once."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared import datasets
from shared.config import RetrainConfig, parse_config
from shared.datasets import Dataset
from shared.errors import ConfigError, DataError
from shared.validate import impossible_rows

ROOT = Path(__file__).resolve().parents[3]
EVERY = [pytest.param(datasets.get(name), id=name) for name in datasets.names()]
each = pytest.mark.parametrize("dataset", EVERY)
each_window = pytest.mark.parametrize(
    ("dataset", "window"),
    [
        pytest.param(datasets.get(name), window, id=f"{name}-{window}")
        for name in datasets.names()
        for window in datasets.get(name).windows
    ],
)


def read(dataset: Dataset, window: str) -> pd.DataFrame:
    return pd.read_parquet(ROOT / dataset.path(window))


def check(dataset: Dataset, window: str, frame: pd.DataFrame) -> pd.Index:
    return impossible_rows(frame, window, RetrainConfig(dataset=dataset.name, month=dataset.windows[-1]))


@each
def test_its_columns_have_roles_that_fit_together(dataset):
    features = set(dataset.features)
    assert len(features) == len(dataset.features) > 0
    assert not features & {*dataset.leaky, dataset.outcome}
    for role in ("categorical", "discrete", "binned", "restless"):
        assert set(getattr(dataset, role)) <= features, role
    for one, other in itertools.combinations((dataset.categorical, dataset.discrete, dataset.binned), 2):
        assert not set(one) & set(other)
    assert dataset.key


@each
def test_it_is_called_as_its_folder_and_shares_no_place_with_another(dataset):
    others = [datasets.get(name) for name in datasets.names() if name != dataset.name]
    assert dataset.name in datasets.names()
    assert dataset.folder not in [other.folder for other in others]
    assert dataset.model_name not in [other.model_name for other in others]
    assert RetrainConfig(dataset=dataset.name, month=dataset.windows[-1]).model_name == dataset.model_name


@each
def test_its_windows_sort_in_order_and_each_has_a_file(dataset):
    assert list(dataset.windows) == sorted(set(dataset.windows))
    assert len(dataset.windows) >= 2
    assert {path.stem for path in (ROOT / dataset.folder).iterdir()} == set(dataset.windows)
    assert dataset.before(dataset.windows[0]) == []
    assert dataset.before(dataset.windows[-1]) == list(dataset.windows[:-1])


@each
def test_a_window_that_it_does_not_have_is_told_with_those_it_has(dataset):
    with pytest.raises(ConfigError, match=f"there is no {dataset.window_is} 1913-13.*{dataset.windows[1]}"):
        parse_config({"dataset": dataset.name, "month": "1913-13"})
    with pytest.raises(ConfigError, match=f"is the first {dataset.window_is}: no earlier one"):
        parse_config({"dataset": dataset.name, "month": dataset.windows[0]})


@each
def test_its_description_is_light_enough_for_an_orchestrator_that_parses(dataset):
    code = f"import sys; from shared import datasets; datasets.get({dataset.name!r}); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@each_window
def test_every_window_keeps_the_contract_and_can_be_judged(dataset, window):
    frame = read(dataset, window)
    bad = check(dataset, window, frame)
    assert len(bad) <= dataset.max_quarantined * len(frame)
    assert dataset.rows[0] <= len(frame) <= dataset.rows[1]
    assert not frame.duplicated(list(dataset.key)).any()
    for name in dataset.features:
        assert isinstance(frame[name].dtype, pd.CategoricalDtype) == (name in dataset.categorical), name
    answered = frame[frame[dataset.outcome].notna()]
    target = dataset.positive(answered)
    assert target.dtype == np.int8
    assert target.shape == (len(answered),)
    # The gate needs both classes, and blocks to resample.
    assert set(target) == {0, 1}
    assert answered[dataset.block].nunique() >= 2


@each
def test_its_contract_names_every_column_that_the_core_reads(dataset):
    columns = dataset.contract.contract(dataset.windows[0], dataset.rows).columns
    wanted = {*dataset.features, *dataset.key, *dataset.slices, dataset.block, dataset.outcome}
    assert wanted <= set(columns)
    assert set(dataset.contract.RANGES) <= set(dataset.features) - set(dataset.categorical)


@each
def test_its_contract_refuses_what_would_ruin_a_retraining(dataset):
    window = dataset.windows[-1]
    frame = read(dataset, window)
    number = next(iter(dataset.contract.RANGES))
    spoilt = {
        "is missing": frame.drop(columns=dataset.features[0]),
        "column another is not part of the contract": frame.assign(another=0.0),
        "has type object|has type str": frame.astype({number: "str"}),
        "rows": frame.head(dataset.rows[0] - 1),
        "in_range": frame.assign(**{number: frame[number].where(frame.index > len(frame) // 2, np.float32(1e6))}),
        f"(?i)within {window}": read(dataset, dataset.windows[-2]),
        "unique|duplicate": pd.concat([frame, frame.tail(1)], ignore_index=True).astype(frame.dtypes),
    }
    for message, spoil in spoilt.items():
        with pytest.raises(DataError, match=message):
            check(dataset, window, spoil)


@each
def test_a_candidate_that_asks_for_the_answer_is_refused(dataset):
    for name in dataset.leaky:
        asked = {"name": "logistic_regression", "features": [dataset.features[0], name]}
        with pytest.raises(ConfigError, match="would leak the answer"):
            parse_config({"dataset": dataset.name, "month": dataset.windows[-1], "candidates": [asked]})
