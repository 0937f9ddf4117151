from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures.rounds import Failed, Taken
from benchmarks.measures.split import Split
from shared.errors import BakeoffError


def counting(log, names="abc", fails=()):
    def measure(opened, tell):
        log.append(opened)
        if len(log) - 1 in fails:
            raise BakeoffError("it broke", where="here", fix="mend it")
        return {name: Taken({"number": float(len(log))}) for name in names}

    return Split(measure)


def test_one_measurement_gives_all_parts_of_a_round():
    log = []
    split = counting(log)
    rounds = [[split.part(name)("opened", None).figures["number"] for name in "abc"] for _ in range(3)]
    assert rounds == [[1, 1, 1], [2, 2, 2], [3, 3, 3]]
    assert log == ["opened"] * 3


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_no_part_is_given_the_same_measurement_twice(order):
    log = []
    split = counting(log)
    given_out = [(name, split.part(name)(None, None).figures["number"]) for name in order]
    assert len(set(given_out)) == len(order)
    assert len(log) <= len(order)


def test_a_failure_is_one_of_every_part_and_is_tried_again_in_the_next_round():
    log = []
    split = counting(log, "ab", fails=(0,))
    for name in "ab":
        with pytest.raises(BakeoffError, match="it broke"):
            split.part(name)(None, None)
    assert [split.part(name)(None, None).figures["number"] for name in "ab"] == [2, 2]


def test_an_interruption_is_no_measurement():
    calls = []

    def measure(opened, tell):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return {"a": Taken({})}

    split = Split(measure)
    with contextlib.suppress(KeyboardInterrupt):
        split.part("a")(None, None)
    assert split.part("a")(None, None) == Taken({})


def test_a_part_that_was_not_seen_is_a_failure():
    with pytest.raises(Failed, match="nothing was seen"):
        counting([], "a").part("b")(None, None)
