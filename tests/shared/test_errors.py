import pickle

import pytest

from shared.errors import BakeoffError, DataError, TrackingError


@pytest.mark.parametrize("kind", [DataError, TrackingError])
def test_an_error_survives_the_way_between_processes(kind):
    error = kind("it broke", where="here", fix="mend it")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error) == "it broke (where: here). What to do: mend it"


def test_only_what_may_pass_by_itself_is_worth_a_retry():
    assert TrackingError.transient
    assert not DataError.transient
    assert not BakeoffError.transient
