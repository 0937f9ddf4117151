"""Train: candidates, described as data, become fitted scikit-learn pipelines."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from shared import config, flights

Floats = NDArray[np.float64]


def fit(candidate: config.Candidate, features: pd.DataFrame, late: NDArray[np.int8], seed: int) -> Pipeline:
    """Fit one candidate on one thread.

    One thread, because sums in another order give other last bits: equal data, config and seed must give the same
    model on every arm, whichever way it schedules its tasks.

    Args:
        candidate: which model, with which settings.
        features: shape (n, len(candidate.features)).
        late: target, shape (n,), 0 or 1.
        seed: of the models that draw random numbers.
    """
    # Set and never restored: a limit that another thread lifts in the middle of our fit would be no limit.
    threadpool_limits(limits=1)
    return build(candidate, seed).fit(features, late)


def score(model: Pipeline, features: pd.DataFrame) -> Floats:
    """Probability of arriving late of each row, shape (n,)."""
    threadpool_limits(limits=1)
    return np.asarray(model.predict_proba(features)[:, 1], dtype=np.float64)


def digest(model: Pipeline) -> str:
    """Hash of everything that fitting has learnt (joblib's hash of the estimator's state)."""
    return str(joblib.hash(model))


def build(candidate: config.Candidate, seed: int) -> Pipeline:
    """An unfitted pipeline that takes categories as strings or pandas categories, known or not, and missing numbers."""
    category = [name for name in candidate.features if name in flights.CATEGORICAL]
    number = [name for name in candidate.features if name not in flights.CATEGORICAL]
    match candidate:
        case config.LogisticRegression():
            return make_pipeline(
                _for_linear_model(category, number), LogisticRegression(C=candidate.C, max_iter=1000, random_state=seed)
            )
        case config.HistGradientBoosting():
            model: ClassifierMixin = HistGradientBoostingClassifier(
                max_iter=candidate.max_iter,
                learning_rate=candidate.learning_rate,
                max_leaf_nodes=candidate.max_leaf_nodes,
                categorical_features=list(range(len(category))),
                early_stopping=False,
                random_state=seed,
            )
        case config.RandomForest():
            model = RandomForestClassifier(
                candidate.n_estimators, min_samples_leaf=candidate.min_samples_leaf, random_state=seed
            )
    return make_pipeline(_for_trees(category, number), model)


def _for_trees(category: list[str], number: list[str]) -> ColumnTransformer:
    # An encoder inside the model, rather than pandas' own category codes, lets a served model take plain strings.
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    return ColumnTransformer([("category", encode, category), ("number", "passthrough", number)])


def _for_linear_model(category: list[str], number: list[str]) -> ColumnTransformer:
    binned = [name for name in number if name == "dep_min"]
    discrete = [name for name in number if name == "dow"]
    smooth = [name for name in number if name not in ("dep_min", "dow")]
    # Lateness builds up through the day and not along a line, so each hour or so gets a weight of its own.
    bins = KBinsDiscretizer(
        24, encode="onehot", strategy="quantile", subsample=None, quantile_method="averaged_inverted_cdf"
    )
    scale = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    parts = [
        ("category", OneHotEncoder(handle_unknown="ignore"), category + discrete),
        ("departure", bins, binned),
        ("number", scale, smooth),
    ]
    return ColumnTransformer([part for part in parts if part[2]])
