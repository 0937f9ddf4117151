from __future__ import annotations

import pytest

from shared import links, steps, tracking
from shared.config import StoreConfig
from shared.pipeline import retrain
from shared.records import Window

PAGE = "http://127.0.0.1:4200/flow-runs/flow-run/1"


def store(tracking_uri):
    return StoreConfig(tracking_uri=tracking_uri)


@pytest.mark.parametrize(
    ("ui", "tracking_uri", "expected"),
    [
        (None, "sqlite:////x/mlflow.db", None),
        (None, "http://mlflow:5000/", "http://mlflow:5000/#/experiments/7/runs/abc"),
        ("http://127.0.0.1:5042", "http://mlflow:5000", "http://127.0.0.1:5042/#/experiments/7/runs/abc"),
        ("http://127.0.0.1:5042/", "sqlite:////x/mlflow.db", "http://127.0.0.1:5042/#/experiments/7/runs/abc"),
        ("", "sqlite:////x/mlflow.db", None),
    ],
)
def test_the_page_of_a_run_is_where_a_browser_finds_it(monkeypatch, ui, tracking_uri, expected):
    monkeypatch.delenv(links.UI, raising=False)
    if ui is not None:
        monkeypatch.setenv(links.UI, ui)
    assert links.run_page(store(tracking_uri), "7", "abc") == expected


@pytest.mark.parametrize("address", [None, "", "None/flow-runs/flow-run/1", "/dags/retrain/runs/1", "http:///x"])
def test_what_a_browser_cannot_open_is_no_link(address):
    assert not links.is_web(address)


def tags_of(config, run_id):
    return tracking.connect(config).get_run(run_id).data.tags


def test_the_run_page_tells_the_verdict_and_links_back(make_config, monkeypatch):
    monkeypatch.setenv(links.UI, "http://127.0.0.1:5042")
    config = make_config()
    window = steps.ingest(config, "prefect", "run-1", orchestrator_url=PAGE)
    opened = tags_of(config, window.run_id)
    assert opened["bakeoff.orchestrator_url"] == PAGE
    assert f"[prefect run run-1]({PAGE})" in opened[links.DESCRIPTION]
    assert window.data_version in opened[links.DESCRIPTION]
    experiment = tracking.connect(config).get_run(window.run_id).info.experiment_id
    assert window.run_url == f"http://127.0.0.1:5042/#/experiments/{experiment}/runs/{window.run_id}"
    assert window.run_url in links.to_mlflow(window)

    validated = steps.validate(window)
    verdict = steps.evaluate(validated, steps.train(validated, validated.candidates[0]))
    told = tags_of(config, window.run_id)[links.DESCRIPTION]
    assert opened[links.DESCRIPTION].partition("\n")[0] == told.partition("\n")[0]
    assert f"Promote {verdict.challenger.candidate}" in told
    assert f"| AUC | {verdict.challenger.auc:.4f} | {verdict.champion_auc:.4f} |" in told
    steps.ingest(config, "prefect", "run-1", orchestrator_url=PAGE)  # a retry after the verdict does not take it away
    assert tags_of(config, window.run_id)[links.DESCRIPTION] == told


def test_without_pages_there_are_no_links(make_config, monkeypatch):
    monkeypatch.delenv(links.UI, raising=False)
    config = make_config()
    retrain(config, "run-1")
    window = steps.ingest(config.model_copy(update={"request_id": "2"}), "prefect", "2", orchestrator_url="None/run/2")
    tags = tags_of(config, window.run_id)
    assert window.run_url is None
    assert window.run_id in links.to_mlflow(window)
    assert links.ORCHESTRATOR_URL not in tags
    assert "](" not in tags[links.DESCRIPTION]


def test_a_window_of_before_there_were_links_is_read(make_config):
    old = {"config": make_config().json_dict(), "run_id": "1", "data_version": "", "files": {}, "data": "/x"}
    assert Window.model_validate(old).run_url is None
