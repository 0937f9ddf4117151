from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shared import evaluate
from shared.config import RetrainConfig
from shared.datasets.flights import DATASET as FLIGHTS
from shared.records import Trained


@pytest.fixture
def holdout():
    rng = np.random.default_rng(0)
    n = 4000
    truth = rng.beta(1, 3, n)
    late = (rng.random(n) < truth).astype("int8")
    days = np.datetime64("2013-05-01", "ms") + np.sort(rng.integers(0, 31, n)).astype("timedelta64[D]")
    slices = pd.DataFrame({"carrier": rng.choice(["AA", "UA"], n), "origin": "JFK"}).astype("category")
    return truth, late, days, slices


def judge(challenger, champion, holdout, champion_version: int | None = 1):
    _, late, days, slices = holdout
    trained = Trained(candidate="c", run_id="r", model_uri="m", model_digest="d", auc=0.7, log_loss=0.5, base_rate=0.25)
    return evaluate.judge(
        RetrainConfig(month="2013-05"), trained, challenger, champion_version, champion, slices, late, days
    )


def test_each_side_can_win(holdout):
    truth = holdout[0]
    noisy = np.clip(truth + np.random.default_rng(1).normal(0, 0.3, len(truth)), 0.01, 0.99)
    win, lose = judge(truth, noisy, holdout), judge(noisy, truth, holdout)
    assert win.promote
    assert "surely above" in win.reason
    assert not lose.promote
    assert "not surely above" in lose.reason
    assert win.confidence == pytest.approx(0.975)


def test_the_first_challenger_must_beat_the_base_rate(holdout):
    truth, late = holdout[:2]
    base = np.full(len(truth), late.mean())
    assert judge(truth, base, holdout, None).promote
    assert "no champion yet" in judge(truth, base, holdout, None).reason
    coin = np.random.default_rng(2).uniform(0.2, 0.3, len(truth))
    assert not judge(coin, base, holdout, None).promote


def test_a_collapsed_slice_is_a_warning(holdout):
    truth, late, _, slices = holdout
    broken = np.where(slices["carrier"] == "UA", np.random.default_rng(3).random(len(truth)), truth)
    warning, _ = evaluate.collapsed_slices(FLIGHTS, broken, truth, slices.assign(origin=slices["carrier"]), late)
    assert warning.startswith("carrier UA: AUC falls from")
    assert evaluate.collapsed_slices(FLIGHTS, truth, broken, slices, late) == []
