from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from shared import gate

seeds = st.integers(0, 2**32 - 1)


def holdout(seed: int, n: int = 3000, days: int = 30):
    """Days of different lateness, and the true probability of each flight."""
    rng = np.random.default_rng(seed)
    day = np.sort(rng.integers(0, days, n))
    logit = rng.normal(-1.2, 1.0, n) + rng.normal(0, 0.4, days)[day]
    truth = 1 / (1 + np.exp(-logit))
    late = (rng.random(n) < truth).astype("int8")
    return truth, late, day


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_an_identical_model_is_never_promoted(seed):
    truth, late, day = holdout(seed)
    result = gate.compare(truth, truth.copy(), late, day, replicates=300)
    assert result.auc_gain == gate.Interval(0.0, 0.0, 0.0)
    assert not gate.passes(result, min_auc_gain=0.002)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_each_side_can_win(seed):
    truth, late, day = holdout(seed)
    blurred = np.clip(truth + np.random.default_rng(seed).normal(0, 0.35, len(truth)), 0.01, 0.99)
    better = gate.compare(truth, blurred, late, day, replicates=300)
    worse = gate.compare(blurred, truth, late, day, replicates=300)
    assert gate.passes(better, min_auc_gain=0.002)
    assert not gate.passes(worse, min_auc_gain=0.002)
    assert worse.auc_gain.high < 0  # surely worse, not merely unproven
    assert better.auc_gain.value == pytest.approx(-worse.auc_gain.value)


def test_better_ranking_with_surely_worse_probabilities_is_rejected():
    truth, late, day = holdout(1)
    overconfident = truth**6  # the same order, so the same AUC, and hopeless as a probability
    weak = np.clip(truth + np.random.default_rng(1).normal(0, 0.3, len(truth)), 0.05, 0.95)
    result = gate.compare(overconfident, weak, late, day)
    assert result.auc_gain.low > 0.002
    assert result.log_loss_gain.high < 0
    assert not gate.passes(result, min_auc_gain=0.002)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_more_confidence_never_turns_a_rejection_into_a_promotion(seed):
    truth, late, day = holdout(seed, n=1000)
    other = np.clip(truth + np.random.default_rng(seed).normal(0, 0.05, len(truth)), 0.01, 0.99)
    sure, surer = (gate.compare(truth, other, late, day, replicates=300, confidence=level) for level in (0.95, 0.99))
    assert surer.log_loss_gain == sure.log_loss_gain
    assert gate.passes(sure, min_auc_gain=0) or not gate.passes(surer, min_auc_gain=0)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 40))
def test_point_estimates_are_scikit_learns(seed, days):
    truth, late, day = holdout(seed, n=500, days=days)
    day = np.unique(day, return_inverse=True)[1]
    rounded = np.round(truth, 1)  # many ties
    result = gate.compare(rounded, truth, late, day, replicates=100)
    assert result.challenger_auc == pytest.approx(roc_auc_score(late, rounded))
    assert result.champion_auc == pytest.approx(roc_auc_score(late, truth))
    assert result.champion_log_loss == pytest.approx(log_loss(late, truth))


def test_a_resample_of_days_has_the_auc_of_its_rows():
    truth, late, day = holdout(3, n=800, days=8)
    wins = gate.win_matrix(truth, late, day, 8)
    drawn = np.array([0, 0, 3, 4, 4, 4, 7, 1])
    weight = np.bincount(drawn, minlength=8)
    rows = np.concatenate([np.flatnonzero(day == each) for each in drawn])
    pairs = (late[rows] == 1).sum() * (late[rows] == 0).sum()
    assert weight @ wins @ weight / pairs == pytest.approx(roc_auc_score(late[rows], truth[rows]))


def test_days_make_wider_intervals_than_rows():
    rng = np.random.default_rng(5)
    truth, late, day = holdout(5, n=6000)
    shift = rng.normal(0, 0.12, 30)[day]  # an error that all flights of a day share
    off = np.clip(truth + shift, 0.01, 0.99)
    by_day = gate.compare(truth, off, late, day).auc_gain
    by_row = gate.compare(truth, off, late, rng.permutation(day)).auc_gain
    assert by_day.high - by_day.low > 1.5 * (by_row.high - by_row.low)


def test_the_order_of_rows_does_not_matter():
    truth, late, day = holdout(7)
    other = np.clip(truth + 0.1, 0, 1) ** 2
    order = np.random.default_rng(0).permutation(len(truth))
    one = gate.compare(truth, other, late, day)
    two = gate.compare(truth[order], other[order], late[order], day[order])
    assert one.auc_gain.low == pytest.approx(two.auc_gain.low)


@pytest.mark.parametrize("late", [np.zeros(10, "int8"), np.ones(10, "int8")])
def test_a_holdout_of_one_class_is_refused(late):
    with pytest.raises(ValueError, match="both classes"):
        gate.compare(np.full(10, 0.5), np.full(10, 0.5), late, np.arange(10) % 3)


def test_block_codes_number_days_in_order():
    days = np.array(["2013-03-02", "2013-03-01", "2013-03-02"], dtype="datetime64[ms]")
    assert gate.block_codes(days).tolist() == [1, 0, 1]
