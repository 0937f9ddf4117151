"""A range of past months, one at a time, oldest first."""

from __future__ import annotations

import json

import pytest

from benchmarks.stacks import registry
from tests.stacks.prefect.client import most_at_once

MODEL = "prefect-backfilled"


@pytest.mark.capability("backfill")
@pytest.mark.bad_input("backfill-hole")
def test_a_range_runs_in_its_order_and_ends_where_the_data_do(server, stack):
    """The version that ends with February has no March, without which April cannot be trained either."""
    version = registry.land(stack.compose, "flights", "2013-02", {})["data_rev"]
    settings = {"model_name": MODEL, "data_rev": version, "candidates": [{"name": "logistic_regression"}]}
    command = ("run", "--rm", "--no-deps", "--no-TTY", "prefect-worker", "python", "-m", "prefect_impl.backfill")
    for _ in range(2):  # asked for twice, each month runs once
        told = stack.compose.run(*command, "2013-02", "2013-04", json.dumps(settings), timeout_s=240)
    ids = [line.split()[0] for line in told.splitlines()]
    ended = [server.ends(run) for run in ids]
    mine = server.runs(tags={"all_": ["backfill"]})
    assert sorted(run["id"] for run in mine) == sorted(ids)
    assert [run["parameters"]["config"]["month"] for run in ended] == ["2013-02", "2013-03", "2013-04"]
    assert [run["state_name"] for run in ended] == ["Promoted", "Failed", "Failed"]
    assert all("2013-03" in run["state"]["message"] for run in ended[1:])
    assert [run["start_time"] for run in ended] == sorted(run["start_time"] for run in ended)
    assert most_at_once(ended) == 1
    assert server.log(MODEL) == [("promoted", "2013-02")]
