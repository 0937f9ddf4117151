from __future__ import annotations

import socket
import time

import mlflow
import pytest

from shared import steps, tracking
from shared.config import LogisticRegression
from shared.errors import RegistryError, StorageError, TrackingError


def test_a_retried_ingest_finds_its_run(make_config):
    config = make_config()
    first = tracking.open_run(config, "plain", "run-1")
    assert tracking.open_run(config, "plain", "run-1") == first
    assert tracking.open_run(config, "plain", "run-2") != first
    assert tracking.open_run(config, "prefect", "run-1") != first


def test_a_candidate_trained_by_an_earlier_attempt_is_found(make_config):
    window = steps.validate(steps.ingest(make_config(), "plain", "run-1"))
    candidate = window.candidates[0]
    assert tracking.earlier_candidate(window, candidate) is None
    client = tracking.connect(window.config)
    experiment = client.get_run(window.run_id).info.experiment_id
    torn = client.create_run(
        experiment,
        tags={
            "mlflow.parentRunId": window.run_id,
            "bakeoff.candidate": candidate.name,
            "bakeoff.settings": candidate.model_dump_json(),
        },
    ).info.run_id
    first = steps.train(window, candidate)
    assert client.get_run(torn).info.status == "KILLED"
    assert steps.train(window, candidate) == first
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{window.run_id}'")
    assert len(children) == 2  # the torn one and the one that finished: the retry has not trained again


def test_a_run_id_of_another_retraining_is_refused(make_config):
    tracking.open_run(make_config("2013-03"), "airflow", "scheduled__1")
    with pytest.raises(RegistryError, match="has already retrained on 2013-03"):
        tracking.open_run(make_config("2013-04"), "airflow", "scheduled__1")


def test_a_candidate_of_other_settings_is_trained_anew(make_config):
    window = steps.validate(steps.ingest(make_config(), "plain", "run-1"))
    weak, strong = LogisticRegression(C=0.001), LogisticRegression(C=1.0)
    assert steps.train(window, weak).model_digest != steps.train(window, strong).model_digest


def test_a_store_that_is_no_database_is_told(make_config, tmp_path):
    (tmp_path / "garbage.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(TrackingError, match="MLflow failed"):
        tracking.open_run(make_config(tracking_uri=f"sqlite:///{tmp_path}/garbage.db"), "plain", "run-1")


def test_a_registry_set_for_other_work_is_not_taken(make_config, monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:1")
    config = make_config()
    tracking.connect(config)
    assert mlflow.get_registry_uri() == config.tracking_uri


def test_a_server_that_is_down_is_told_within_seconds(make_config):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    start = time.perf_counter()
    with pytest.raises(TrackingError, match="does not answer") as caught:
        tracking.connect(make_config(tracking_uri=address))
    assert time.perf_counter() - start < 5
    assert caught.value.where == address


def test_a_store_in_a_folder_that_cannot_be_written_is_told(make_config, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        tracking.connect(make_config(tracking_uri=f"sqlite:///{tmp_path}/file/mlflow.db"))
