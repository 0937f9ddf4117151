"""The benchmark's graphs as flow runs on a real API: a second each, which is what a flow run takes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.flows import load_flow_from_entrypoint

from prefect_impl import graphs

FOLDER = Path(graphs.__file__).parent


@pytest.mark.parametrize("name", ["3-linear", "3-fan-out", "2-linear-fib-10"])
def test_the_api_knows_when_each_task_was_ready_started_and_ended(name):
    run = graphs.graph(name)
    with get_client(sync_client=True) as client:
        found = graphs.times(client, run, int(name[0]))
    assert all(started <= ended and ready <= ended for ready, started, ended in found)


def test_a_chain_runs_one_after_the_other():
    with get_client(sync_client=True) as client:
        found = sorted(graphs.times(client, graphs.graph("3-linear"), 3))
    for (_, _, ended), (ready, _, _) in pairwise(found):
        assert ended <= ready


def test_tasks_that_the_api_does_not_know_of_are_told(monkeypatch):
    monkeypatch.setattr(graphs, "PATIENCE_S", 0.0)
    with get_client(sync_client=True) as client, pytest.raises(TimeoutError, match="of 9 task runs"):
        graphs.times(client, graphs.graph("1-linear"), 9)


def test_the_deployment_is_of_the_flow_and_not_among_the_users(monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    [deployment] = yaml.safe_load((FOLDER / "graphs.yaml").read_text())["deployments"]
    assert load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False).name == deployment["name"]
    assert "graphs.py" not in (FOLDER / "prefect.yaml").read_text()
