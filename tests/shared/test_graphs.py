from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import graphs
from shared.errors import ConfigError
from shared.graphs import SHAPES, Graph, parse

ANY = st.builds(Graph, st.integers(1, 1000), st.sampled_from(SHAPES), st.integers(0, 40))


@given(ANY)
def test_a_name_says_all_of_a_graph(graph):
    assert parse(graph.name) == graph


@given(ANY, ANY)
def test_no_two_graphs_share_a_name_or_a_title(one, other):
    assert (one == other) == (one.name == other.name) == (one.title == other.title)


@pytest.mark.parametrize("name", ["", "0-linear", "10", "10-circle", "10-linear-fib", "linear-10", "10-linear-fib-x"])
def test_what_is_no_graph_is_refused(name):
    with pytest.raises(ConfigError, match="is no graph"):
        parse(name)


def test_work_is_nothing_or_the_naive_fibonacci_number():
    assert [graphs.work(each) for each in (0, 1, 2, 10)] == [0, 1, 1, 55]


def test_a_run_without_a_tool_tells_each_task(capsys):
    graphs.tell(lambda: graphs.run(Graph(3, "linear", fib=5)), list)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(told["tasks"]) == 3
    for ready, started, ended in told["tasks"]:
        assert told["called"] <= ready == started <= ended <= told["ended"]
