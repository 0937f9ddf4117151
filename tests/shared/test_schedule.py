from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.schedule import month_due


@pytest.mark.parametrize(
    ("scheduled", "month"),
    [
        ("2013-07-01T06:00-04:00", "2013-06"),
        ("2013-01-01T06:00-05:00", "2012-12"),
        ("2013-07-01T03:59Z", "2013-05"),  # in New York it is still June
        ("2013-07-01T04:00Z", "2013-06"),
        ("2013-07-31T12:00", "2013-06"),
        (datetime(2013, 3, 3, 11, tzinfo=UTC), "2013-02"),
    ],
)
def test_the_month_is_the_last_that_was_over_where_the_flights_leave(scheduled, month):
    assert month_due(scheduled) == month


def test_quarters_are_windows_too():
    assert month_due("2014-01-02T12:00Z", "rain") == "2013-Q4"
    assert month_due("2014-06-30T12:00Z", "rain") == "2014-Q1"


@given(st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 31)))
def test_it_is_always_the_month_before(instant):
    month = month_due(instant)
    assert month < f"{instant:%Y-%m}"
    year, number = map(int, month.split("-"))
    there = instant.year * 12 + instant.month - (year * 12 + number)
    assert there in (1, 2)  # two only in the first hours of a month, when it is still the last one over there
    assert there == 1 or instant.day == 1


def test_what_is_no_instant_is_told():
    with pytest.raises(ConfigError, match="no instant"):
        month_due("monthly")
