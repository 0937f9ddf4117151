"""Train: candidates, described as data, become fitted scikit-learn pipelines."""

from __future__ import annotations

from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from shared import config, data, drift
from shared.datasets import Dataset
from shared.drift import REFERENCE
from shared.records import Reference, Window

Floats = NDArray[np.float64]


def fit(
    candidate: config.Candidate, dataset: Dataset, features: pd.DataFrame, target: NDArray[np.int8], seed: int
) -> Pipeline:
    """Fit one candidate on one thread.

    One thread, because sums in another order give other last bits: equal data, config and seed must give the same
    model on every arm, whichever way it schedules its tasks.

    Args:
        candidate: which model, with which settings.
        dataset: tells which features are labels.
        features: shape (n, number of features).
        target: shape (n,), 0 or 1.
        seed: of the models that draw random numbers.
    """
    # Set and never restored: a limit that another thread lifts in the middle of our fit would be no limit.
    threadpool_limits(limits=1)
    return build(candidate, dataset, tuple(features.columns), seed).fit(features, target)


def score(model: Pipeline, features: pd.DataFrame) -> Floats:
    """Probability of a positive of each row, shape (n,)."""
    threadpool_limits(limits=1)
    return np.asarray(model.predict_proba(features)[:, 1], dtype=np.float64)


def digest(model: Pipeline) -> str:
    """Hash of everything that fitting has learnt (joblib's hash of the estimator's state)."""
    return str(joblib.hash(model))


@dataclass(frozen=True)
class Fitted:
    """One candidate, fitted and scored on the holdout."""

    model: Pipeline
    #: A few training rows, such as a caller of the model would send.
    example: pd.DataFrame
    #: Probabilities on the holdout, shape (n,), in the holdout's order.
    scores: Floats
    #: What it was trained on, and how its scores fell on the holdout.
    reference: Reference
    digest: str
    auc: float
    log_loss: float
    base_rate: float


def fit_and_score(window: Window, candidate: config.Candidate) -> Fitted:
    """Fit a candidate on the training months of a validated window and score the holdout; writes nothing."""
    settings = window.config
    names = settings.features(candidate)
    features, target = data.load(settings.spec, window.paths(settings.train_months), names)
    model = fit(candidate, settings.spec, features, target, settings.seed)
    # A copy, because a view would keep all rows: the training months may be most of the memory there is.
    example, base_rate = features.head(5).copy(), float(target.mean())
    del features, target
    unseen, happened = data.load(settings.spec, window.paths([settings.month]), names)
    scores = score(model, unseen)
    reference = drift.only(Reference.model_validate_json((window.data / REFERENCE).read_text()), names)
    return Fitted(
        model=model,
        example=example,
        scores=scores,
        reference=reference.model_copy(update={"scores": drift.histogram(scores)}),
        digest=digest(model),
        auc=float(roc_auc_score(happened, scores)),
        log_loss=float(log_loss(happened, scores)),
        base_rate=base_rate,
    )


def build(candidate: config.Candidate, dataset: Dataset, features: tuple[str, ...], seed: int) -> Pipeline:
    """An unfitted pipeline that takes categories as strings or pandas categories, known or not, and missing numbers."""
    category = [name for name in features if name in dataset.categorical]
    number = [name for name in features if name not in dataset.categorical]
    match candidate:
        case config.LogisticRegression():
            return make_pipeline(
                _for_linear_model(dataset, category, number),
                LogisticRegression(C=candidate.C, max_iter=1000, random_state=seed),
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


def _for_linear_model(dataset: Dataset, category: list[str], number: list[str]) -> ColumnTransformer:
    binned = [name for name in number if name in dataset.binned]
    discrete = [name for name in number if name in dataset.discrete]
    smooth = [name for name in number if name not in (*dataset.binned, *dataset.discrete)]
    bins = KBinsDiscretizer(
        24, encode="onehot", strategy="quantile", subsample=None, quantile_method="averaged_inverted_cdf"
    )
    scale = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    parts = [
        ("category", OneHotEncoder(handle_unknown="ignore"), category + discrete),
        ("binned", bins, binned),
        ("number", scale, smooth),
    ]
    return ColumnTransformer([part for part in parts if part[2]])
