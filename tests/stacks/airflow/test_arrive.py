"""`./bakeoff arrive`: an event leads to a registered model, with no further command."""

import pytest

from tests.stacks.under_test import arrive, becomes_a_model

MODEL = "airflow-by-command"


@pytest.mark.capability("event")
def test_a_month_that_lands_becomes_a_registered_model_by_itself(stack, figure):
    told = arrive(stack, "2013-02", MODEL)
    assert told["month"] == "2013-02"
    assert told["page"].startswith(stack.up.url)
    figure("event to run start, by the command", told["latency_s"], "s")
    becomes_a_model(stack, "2013-02", MODEL)
