from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import RetrainConfig, parse_config
from shared.datasets.flights import DATASET as FLIGHTS
from shared.errors import ConfigError


@given(st.sampled_from(FLIGHTS.windows[1:]))
def test_windows_never_overlap_the_holdout_and_miss_no_month(month):
    config = RetrainConfig(month=month)
    assert month not in config.train_months
    assert max(config.train_months) < month
    assert [*config.train_months, month] == list(FLIGHTS.windows)[: len(config.train_months) + 1]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"month": "2014-01"}, "there is no month 2014-01"),
        ({"month": "2013-01"}, "no earlier one to train on"),
        ({"month": "May"}, "month"),
        ({"month": "2013-05", "nonsense": 1}, "nonsense"),
        ({"month": "2013-05", "candidates": []}, "at least one"),
        ({"month": "2013-05", "candidates": [{"name": "random_forest"}] * 2}, "distinct"),
        ({"month": "2013-05", "candidates": [{"name": "oracle"}]}, "candidates"),
        ({"month": "2013-05", "gate": {"confidence": 1.5}}, "gate.confidence"),
    ],
)
def test_bad_requests_are_told_by_field_before_work_starts(request_, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_config(request_)
    assert "What to do:" in str(caught.value)


@pytest.mark.parametrize("name", FLIGHTS.leaky)
def test_a_leaky_feature_is_refused(name):
    candidate = {"name": "logistic_regression", "features": ["dep_min", name]}
    with pytest.raises(ConfigError, match=f"{name} would leak"):
        parse_config({"month": "2013-05", "candidates": [candidate]})


def test_an_unknown_feature_is_refused():
    candidate = {"name": "logistic_regression", "features": ["dep_min", "moon"]}
    with pytest.raises(ConfigError, match="no feature moon"):
        parse_config({"month": "2013-05", "candidates": [candidate]})


def test_no_feature_is_leaky():
    assert not set(FLIGHTS.features) & set(FLIGHTS.leaky)
    assert len(FLIGHTS.features) == 15


def test_a_config_survives_a_tool_that_knows_only_floats():
    config = RetrainConfig(month="2013-05", seed=7)
    text = json.dumps(config.json_dict())
    as_floats = json.loads(text, parse_int=float)
    assert parse_config(as_floats) == config


def test_places_follow_the_state_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("BAKEOFF_TRACKING_URI", raising=False)
    config = RetrainConfig(month="2013-05", state=tmp_path)
    assert config.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert config.artifact_location == f"file://{tmp_path}/artifacts"
    server = RetrainConfig(month="2013-05", state=tmp_path, tracking_uri="http://127.0.0.1:1")
    assert server.artifact_location is None  # a server decides that itself


def test_a_relative_state_folder_becomes_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKEOFF_STATE", "some/folder")
    assert RetrainConfig(month="2013-05").artifact_location == f"file://{tmp_path}/some/folder/artifacts"


def test_choosing_among_more_candidates_asks_for_more_confidence():
    one = RetrainConfig(month="2013-05", candidates=({"name": "logistic_regression"},))
    two = RetrainConfig(month="2013-05")
    assert one.gate_confidence == pytest.approx(0.95)
    assert two.gate_confidence == pytest.approx(0.975)


VALUES = st.dictionaries(
    st.sampled_from(["max_iter", "max_leaf_nodes"]), st.lists(st.integers(2, 99), min_size=1, max_size=6, unique=True)
)


@given(VALUES, st.integers(1, 50), st.integers(0, 99))
def test_a_search_draws_different_candidates_and_the_same_ones_again(values, draws, seed):
    search = {"name": "hist_gradient_boosting", "values": values, "draws": draws}
    config = parse_config({"month": "2013-05", "candidates": [], "search": search, "seed": seed})
    drawn = config.all_candidates
    assert len(drawn) == min(draws, math.prod(len(each) for each in values.values()))
    assert (
        len({each.title for each in drawn})
        == len({(each.max_iter, each.max_leaf_nodes) for each in drawn})
        == len(drawn)
    )
    assert parse_config(json.loads(json.dumps(config.json_dict()), parse_int=float)).all_candidates == drawn
    assert config.gate_confidence == pytest.approx(1 - 0.05 / len(drawn))


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"search": {"name": "hist_gradient_boosting", "values": {"max_leaf_node": [7]}}}, "max_leaf_node"),
        (
            {"search": {"name": "hist_gradient_boosting", "values": {"max_leaf_nodes": [1]}}},
            "greater than or equal to 2",
        ),
        ({"search": {"name": "logistic_regression", "values": {"C": []}}}, "non-empty"),
        ({"search": {"name": "logistic_regression", "values": {"C": [1]}, "draws": 51}}, "50"),
        ({"candidates": []}, "at least one"),
        ({"candidates": [{"name": "random_forest"}, {"name": "random_forest"}]}, "a label each"),
        ({"candidates": [{"name": "random_forest", "label": "no spaces"}]}, "pattern"),
    ],
)
def test_candidates_that_make_no_sense_are_refused(request_, told):
    with pytest.raises(ConfigError, match=told):
        parse_config({"month": "2013-05", **request_})


def test_candidates_of_one_kind_are_told_apart_by_their_labels():
    kinds = [{"name": "random_forest", "label": "small"}, {"name": "random_forest"}]
    assert [each.title for each in parse_config({"month": "2013-05", "candidates": kinds}).all_candidates] == [
        "small",
        "random_forest",
    ]
