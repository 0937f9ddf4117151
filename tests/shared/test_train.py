from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from shared import config
from shared.data import load
from shared.datasets.flights import DATASET as FLIGHTS
from shared.train import digest, fit, score

CANDIDATES = [
    config.LogisticRegression(),
    config.HistGradientBoosting(max_iter=20),
    config.RandomForest(n_estimators=5),
]


@pytest.fixture
def data(small_repo):
    return load(FLIGHTS, [small_repo / FLIGHTS.path("2013-01")], FLIGHTS.features)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda each: each.name)
def test_a_candidate_learns_and_is_the_same_again(candidate, data):
    features, late = data
    model = fit(candidate, FLIGHTS, features, late, seed=0)
    assert roc_auc_score(late, score(model, features)) > 0.65
    assert digest(fit(candidate, FLIGHTS, features, late, seed=0)) == digest(model)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda each: each.name)
def test_a_served_model_takes_strings_new_categories_and_holes(candidate, data):
    features, late = data
    model = fit(candidate, FLIGHTS, features, late, seed=0)
    rows = features.head(20).astype(dict.fromkeys(FLIGHTS.categorical, "str"))
    assert np.allclose(score(model, rows), score(model, features.head(20)))
    strange = rows.assign(dest="XYZ", temp=np.nan)
    assert np.isfinite(score(model, strange)).all()


def test_another_seed_or_row_is_another_model(data):
    features, late = data
    forest = config.RandomForest(n_estimators=5)
    assert digest(fit(forest, FLIGHTS, features, late, 0)) != digest(fit(forest, FLIGHTS, features, late, 1))
    boosting = config.HistGradientBoosting(max_iter=5)
    assert digest(fit(boosting, FLIGHTS, features, late, 0)) != digest(
        fit(boosting, FLIGHTS, features.iloc[1:], late[1:], 0)
    )


def test_a_candidate_may_use_fewer_features(data):
    features, late = data
    some = ("carrier", "dep_min", "temp")
    for candidate in (config.LogisticRegression(features=some), config.HistGradientBoosting(features=some, max_iter=5)):
        model = fit(candidate, FLIGHTS, features[list(some)], late, 0)
        assert list(model.feature_names_in_) == list(some)


def test_the_digest_is_the_same_in_another_process(small_repo):
    code = (
        "from pathlib import Path; import sys; from shared import config\n"
        "from shared.datasets.flights import DATASET as FLIGHTS\n"
        "from shared.data import load; from shared.train import digest, fit\n"
        "features, late = load(FLIGHTS, [Path(sys.argv[1])], FLIGHTS.features)\n"
        "print(*(digest(fit(c, FLIGHTS, features, late, 0)) for c in "
        "(config.LogisticRegression(), config.HistGradientBoosting(max_iter=20))))"
    )
    path = small_repo / FLIGHTS.path("2013-01")
    root = Path(__file__).resolve().parents[2]
    runs = [
        subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, cwd=root).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
