"""Register: MLflow runs, model versions and the aliases `challenger` and `champion`.

MLflow is the memory of a retraining: each step finds there what an earlier attempt at it has already done, so that a
retry never trains, judges or registers twice.
"""

from __future__ import annotations

import functools
import logging
import os
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

# A server that is down must be told in seconds; MLflow's own defaults retry for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import httpx
import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from shared import flights
from shared.config import Candidate, RetrainConfig
from shared.data import make_folder
from shared.errors import RegistryError, TrackingError
from shared.records import Outcome, Trained, Verdict, Window

log = logging.getLogger(__name__)
logging.getLogger("mlflow").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.ERROR)

CHAMPION, CHALLENGER = "champion", "challenger"
_RESULT = "bakeoff.result"
_SCORES = "holdout_scores.npy"
_CONNECT_SECONDS = 3.0

P = ParamSpec("P")
T = TypeVar("T")


def _tracked(call: Callable[P, T]) -> Callable[P, T]:
    """Tell a tracking store that fails as what it is, instead of as an MLflow traceback."""

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except MlflowException as error:
            raise TrackingError(
                f"MLflow failed: {str(error).splitlines()[0]}",
                where=mlflow.get_tracking_uri(),
                fix="see that the tracking server or its database answers, then run again: finished steps are kept",
            ) from error

    return wrapped


@_tracked
def connect(config: RetrainConfig) -> MlflowClient:
    """A client of the config's tracking store, known to answer. A new SQLite store is created (about 4 s, once).

    Raises:
        TrackingError: nobody answers within 3 s, or not as MLflow does.
        StorageError: the folder of a SQLite store cannot be written.
    """
    uri = config.tracking_uri
    if uri.startswith(("http://", "https://")):
        try:
            httpx.get(f"{uri.rstrip('/')}/health", timeout=_CONNECT_SECONDS).raise_for_status()
        except httpx.HTTPError as error:
            raise TrackingError(
                f"the tracking server does not answer: {error}",
                where=uri,
                fix="start it, or correct the address (BAKEOFF_TRACKING_URI)",
            ) from error
    elif uri.startswith("sqlite:///"):
        make_folder(Path(urlsplit(uri).path[1:]).parent)
    mlflow.set_tracking_uri(uri)
    return MlflowClient(tracking_uri=uri)


@_tracked
def open_run(config: RetrainConfig, orchestrator: str, orchestrator_run: str) -> str:
    """Open the parent run of one retraining, or find the one that an earlier attempt has opened.

    Args:
        config: where MLflow is, and the model's name (also the experiment's).
        orchestrator: `plain`, `airflow`, `kubeflow` or `prefect`.
        orchestrator_run: that tool's own id of the run, equal in every retry.

    Returns:
        MLflow's run id.
    """
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    experiment_id = (
        experiment.experiment_id
        if experiment
        else client.create_experiment(config.model_name, artifact_location=config.artifact_location)
    )
    key = f"tags.`bakeoff.orchestrator_run` = '{orchestrator_run}' and tags.`bakeoff.orchestrator` = '{orchestrator}'"
    if found := client.search_runs([experiment_id], key, max_results=1):
        client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)
    tags = {
        "bakeoff.orchestrator": orchestrator,
        "bakeoff.orchestrator_run": orchestrator_run,
        "bakeoff.request": config.request_id,
        "bakeoff.month": config.month,
        "bakeoff.window": f"{config.train_months[0]}..{config.train_months[-1]}",
        "bakeoff.seed": str(config.seed),
    }
    run = client.create_run(experiment_id, tags=tags, run_name=f"{config.month} {orchestrator}")
    return str(run.info.run_id)


@_tracked
def describe_run(config: RetrainConfig, run_id: str, data_version: str, revision: str) -> None:
    """Tag the parent run with what it takes to go back to its exact data, code and settings."""
    client = connect(config)
    client.set_tag(run_id, "bakeoff.data_version", data_version)
    client.set_tag(run_id, "bakeoff.pipeline_version", revision)
    client.log_dict(run_id, config.json_dict(), "config.json")


def fail_run(config: RetrainConfig, run_id: str, step: str, cause: str) -> None:
    """Close the parent run as failed, with the cause. Says nothing if the tracking store is what failed."""
    try:
        client = connect(config)
        client.set_tag(run_id, "bakeoff.failure", f"{step}: {cause}"[:4000])
        client.set_terminated(run_id, "FAILED")
    except Exception as second:  # the first cause is what the user needs; this one only goes to the log
        log.warning("could not mark MLflow run %s as failed: %s", run_id, second)


@_tracked
def earlier_candidate(window: Window, candidate: Candidate) -> Trained | None:
    """What an earlier attempt at training this candidate has left, if it finished; a torn one is closed as killed."""
    client = connect(window.config)
    query = f"tags.`mlflow.parentRunId` = '{window.run_id}' and tags.`bakeoff.candidate` = '{candidate.name}'"
    for run in client.search_runs([_experiment_of(client, window)], query):
        if _RESULT in run.data.tags:
            return Trained.model_validate_json(run.data.tags[_RESULT])
        if run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, "KILLED")
    return None


def _experiment_of(client: MlflowClient, window: Window) -> str:
    return str(client.get_run(window.run_id).info.experiment_id)


@_tracked
def log_candidate(
    window: Window,
    candidate: Candidate,
    model: Pipeline,
    example: pd.DataFrame,
    scores: NDArray[np.float64],
    result: dict[str, Any],
) -> Trained:
    """Log one fitted candidate as a child run: parameters, metrics, model, and its scores of the holdout.

    Args:
        window: names the parent run.
        candidate: the settings.
        model: the fitted pipeline.
        example: a few feature rows, for the signature.
        scores: probabilities on the holdout, shape (n,), in the holdout's order.
        result: the fields of `Trained` but for `candidate`, `run_id` and `model_uri`.
    """
    client = connect(window.config)
    tags = {"mlflow.parentRunId": window.run_id, "bakeoff.candidate": candidate.name}
    run_id = client.create_run(
        _experiment_of(client, window), tags=tags, run_name=f"{window.config.month} {candidate.name}"
    ).info.run_id
    with mlflow.start_run(run_id=run_id):
        mlflow.log_params({**candidate.model_dump(exclude={"features"}), "seed": window.config.seed})
        mlflow.log_metrics({"holdout_auc": result["auc"], "holdout_log_loss": result["log_loss"]})
        # Strings and floats in the signature: that is what a caller of the served model has.
        rows = example.astype({name: "str" if name in flights.CATEGORICAL else "float64" for name in example.columns})
        info = mlflow.sklearn.log_model(
            model,
            name=candidate.name,
            signature=mlflow.models.infer_signature(rows, model.predict_proba(example)),
            pyfunc_predict_fn="predict_proba",
            serialization_format="cloudpickle",  # the default refuses these estimators; we made the file ourselves
            pip_requirements=[
                f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "cloudpickle")
            ],
            metadata={"model_digest": result["model_digest"]},
        )
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / _SCORES, scores)
            mlflow.log_artifact(str(Path(folder) / _SCORES))
        trained = Trained(candidate=candidate.name, run_id=run_id, model_uri=info.model_uri, **result)
        mlflow.set_tag(_RESULT, trained.model_dump_json())
    return trained


@_tracked
def holdout_scores(config: RetrainConfig, trained: Trained) -> NDArray[np.float64]:
    """The scores that a candidate's training has logged, shape (n,)."""
    connect(config)
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(run_id=trained.run_id, artifact_path=_SCORES, dst_path=folder)
        return np.asarray(np.load(path), dtype=np.float64)


@_tracked
def champion(config: RetrainConfig) -> int | None:
    """The version under the alias `champion`, or None when nothing has been promoted yet."""
    client = connect(config)
    try:
        return int(client.get_model_version_by_alias(config.model_name, CHAMPION).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None  # no such model yet, or a model without a champion
        raise


@_tracked
def load_model(config: RetrainConfig, number: int) -> tuple[Pipeline, tuple[str, ...]]:
    """A registered version, and the features it takes, in order."""
    connect(config)
    uri = f"models:/{config.model_name}/{number}"
    model = mlflow.sklearn.load_model(uri)
    return model, tuple(str(name) for name in model.feature_names_in_)


@_tracked
def earlier_verdict(window: Window) -> Verdict | None:
    """The verdict that an earlier attempt has reached on this retraining, if any."""
    found = connect(window.config).get_run(window.run_id).data.tags.get(_RESULT)
    return Verdict.model_validate_json(found) if found else None


@_tracked
def record_verdict(window: Window, verdict: Verdict) -> None:
    """Write the verdict and its evidence to the parent run; a rejection ends the retraining here."""
    client = connect(window.config)
    run_id, best = window.run_id, verdict.challenger
    client.log_dict(run_id, verdict.json_dict(), "verdict.json")
    if window.report:
        client.log_dict(run_id, window.report.json_dict(), "validation.json")
    metrics = {
        "holdout_auc": best.auc,
        "holdout_log_loss": best.log_loss,
        "champion_auc": verdict.champion_auc,
        "champion_log_loss": verdict.champion_log_loss,
        "auc_gain": verdict.auc_gain[0],
        "auc_gain_low": verdict.auc_gain[1],
    }
    for name, value in metrics.items():
        client.log_metric(run_id, name, value)
    client.set_tag(run_id, "bakeoff.verdict", "promote" if verdict.promote else "reject")
    client.set_tag(run_id, "bakeoff.reason", verdict.reason)
    client.set_tag(run_id, _RESULT, verdict.model_dump_json())
    if not verdict.promote:
        client.set_terminated(run_id, "FINISHED")


@_tracked
def promote(window: Window, verdict: Verdict) -> Outcome:
    """Register the challenger and make it champion; done already, do nothing.

    The version is first `challenger`, and `champion` only in the last move, so that a run that dies in between leaves
    the former champion in place.

    Raises:
        RegistryError: the verdict is a rejection, or another run has changed the champion since the verdict.
    """
    config, best = window.config, verdict.challenger
    if not verdict.promote:
        raise RegistryError(
            "the gate has rejected this challenger", where=f"MLflow run {window.run_id}", fix="do not register it"
        )
    client = connect(config)
    number = _version_of(client, config, window, best)
    present = champion(config)
    if present not in (verdict.champion_version, number):
        raise RegistryError(
            f"the champion is now version {present}, but the gate compared with version {verdict.champion_version}",
            where=f"registered model {config.model_name}",
            fix="start a new retraining: its challenger will meet the present champion",
        )
    if present != number:
        client.set_registered_model_alias(config.model_name, CHALLENGER, str(number))
        client.set_registered_model_alias(config.model_name, CHAMPION, str(number))
    client.delete_registered_model_alias(config.model_name, CHALLENGER)
    client.set_tag(window.run_id, "bakeoff.version", str(number))
    client.set_terminated(window.run_id, "FINISHED")
    log.info("version %d of %s is champion", number, config.model_name)
    return _outcome(client.get_run(window.run_id))


def _version_of(client: MlflowClient, config: RetrainConfig, window: Window, best: Trained) -> int:
    """The registered version of a trained candidate; registers it unless an earlier attempt has."""
    if not client.search_registered_models(f"name = '{config.model_name}'"):
        client.create_registered_model(
            config.model_name, description="Will this flight arrive 15 minutes late or more?"
        )
    found = client.search_model_versions(f"name = '{config.model_name}' and run_id = '{best.run_id}'")
    if found:
        return int(found[0].version)
    tags = {
        "data_version": window.data_version,
        "month": config.month,
        "train_months": f"{config.train_months[0]}..{config.train_months[-1]}",
        "seed": str(config.seed),
        "candidate": best.candidate,
        "model_digest": best.model_digest,
        "retraining": window.run_id,
    }
    made = client.create_model_version(
        config.model_name, best.model_uri, run_id=best.run_id, tags=tags, model_id=best.model_uri.rsplit("/", 1)[-1]
    )
    return int(made.version)


@_tracked
def promotion_log(config: RetrainConfig) -> list[Outcome]:
    """Every verdict, oldest first: promoted or rejected, when, and on which evidence."""
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    if experiment is None:
        return []
    query = "tags.`bakeoff.verdict` != '' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment.experiment_id], query, order_by=["attributes.start_time ASC"])
    return [_outcome(run) for run in runs]


def outcome(config: RetrainConfig) -> Outcome | None:
    """How the retraining with this config's `request_id` ended; None while it has not, or when it failed."""
    found = [run for run in _runs_of_request(config) if run.info.status == "FINISHED"]
    return _outcome(found[0]) if found else None


@_tracked
def _runs_of_request(config: RetrainConfig) -> list[Run]:
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    if experiment is None:
        return []
    query = f"tags.`bakeoff.request` = '{config.request_id}'"
    return list(client.search_runs([experiment.experiment_id], query))


def _outcome(run: Run) -> Outcome:
    tags = run.data.tags
    verdict = Verdict.model_validate_json(tags[_RESULT])
    return Outcome(
        month=tags["bakeoff.month"],
        run_id=run.info.run_id,
        orchestrator=tags["bakeoff.orchestrator"],
        data_version=tags["bakeoff.data_version"],
        candidate=verdict.challenger.candidate,
        auc=verdict.challenger.auc,
        log_loss=verdict.challenger.log_loss,
        promoted=verdict.promote,
        reason=verdict.reason,
        version=int(tags["bakeoff.version"]) if verdict.promote else None,
        model_digest=verdict.challenger.model_digest,
    )
