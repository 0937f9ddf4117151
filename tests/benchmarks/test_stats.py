from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks import stats

values = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(values, min_size=1))
def test_the_median_lies_between_least_and_most_and_all_samples_are_kept(samples):
    told = stats.timing(samples)
    assert told.min <= told.median <= told.max
    assert len(told.samples) == len(samples)
    assert (told.min, told.max) == (min(told.samples), max(told.samples))


@given(st.lists(values, min_size=1), st.randoms())
def test_the_order_of_samples_changes_no_figure(samples, random):
    mixed = random.sample(samples, len(samples))
    first, second = stats.timing(samples), stats.timing(mixed)
    assert (first.median, first.min, first.max) == (second.median, second.min, second.max)


@given(st.lists(values, min_size=1, max_size=20), st.floats(0, 1e3))
def test_what_is_always_as_much_slower_is_over_by_that_much(baseline, more):
    told = stats.over([each + more for each in baseline], baseline)
    assert abs(told.median - more) < 0.002
    assert told.max - told.min < 0.004


def test_what_has_no_partner_is_in_no_difference():
    assert stats.over([5.0, 6.0, 7.0], [1.0, 1.0]).samples == [4.0, 5.0]
    assert stats.over([], [1.0]) is None


@given(st.lists(st.floats(1, 1.4), min_size=3))
def test_a_narrow_spread_is_not_noise(samples):
    assert not stats.timing(samples).noisy


def test_a_busy_machine_is_told_by_the_spread_but_not_from_two_samples():
    assert stats.timing([1.0, 1.0, 3.0]).noisy
    assert not stats.timing([1.0, 3.0]).noisy
    assert stats.timing([0.0, 0.0, 0.0]).spread == 0
