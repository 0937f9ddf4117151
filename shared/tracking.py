"""MLflow runs: one parent for each retraining, one child for each candidate.

MLflow is the memory of a retraining: each step finds there what an earlier attempt at it has already done, so that a
retry never trains, judges or registers twice.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urlsplit

import httpx
import mlflow
import numpy as np
import pandas as pd
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from shared import links
from shared.config import Candidate, RetrainConfig, StoreConfig
from shared.datasets import Dataset
from shared.drift import REFERENCE
from shared.errors import RegistryError, TrackingError
from shared.files import make_folder
from shared.records import Trained, Verdict, Window

if TYPE_CHECKING:
    from shared.train import Fitted

log = logging.getLogger(__name__)
logging.getLogger("mlflow").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.ERROR)
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # the server's own address, not a browser's

RESULT = "bakeoff.result"
#: Artifacts of the parent run: the whole request, and what it ran on.
CONFIG, SOFTWARE = "config.json", "software.json"
_SCORES = "holdout_scores.npy"
_VERDICT = "verdict.json"
_CONNECT_SECONDS = 3.0
PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED")

P = ParamSpec("P")
T = TypeVar("T")


def explained(call: Callable[P, T]) -> Callable[P, T]:
    """Tell a tracking store that fails as what it is, instead of as an MLflow traceback."""

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except (MlflowException, SQLAlchemyError, requests.RequestException) as error:
            # What MLflow refuses it will refuse again; only what says so, or never answered, may pass by itself.
            lasting = isinstance(error, MlflowException) and error.error_code not in PASSING
            if isinstance(error, MlflowException) and error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise RegistryError(
                    f"MLflow has no such record: {str(error).splitlines()[0]}",
                    where=mlflow.get_tracking_uri(),
                    fix="it was removed from the store: restore it from a backup, or do without what depends on it",
                ) from error
            if isinstance(error, MlflowException) and "error code 401" in str(error):
                raise RegistryError(
                    "MLflow does not know this user or password",
                    where=mlflow.get_tracking_uri(),
                    fix="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to what the server asks for",
                ) from error
            kind = RegistryError if lasting else TrackingError
            raise kind(
                f"MLflow failed: {str(error).splitlines()[0]}",
                where=mlflow.get_tracking_uri(),
                fix="see that the tracking server or its database answers, then run again: finished steps are kept",
            ) from error

    return wrapped


@explained
def connect(config: StoreConfig) -> MlflowClient:
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
                fix="start it, or correct the address (--tracking-uri, BAKEOFF_TRACKING_URI)",
            ) from error
    elif uri.startswith("sqlite:///"):
        make_folder(Path(urlsplit(uri).path[1:]).parent)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)  # else a registry that the user has set up for other work would be taken
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@explained
def open_run(config: RetrainConfig, orchestrator: str, orchestrator_run: str, url: str | None = None) -> str:
    """Open the parent run of one retraining, or find the one that an earlier attempt has opened.

    Args:
        config: where MLflow is, and the model's name (also the experiment's).
        orchestrator: `plain`, `airflow`, `kubeflow` or `prefect`.
        orchestrator_run: that tool's own id of the run, equal in every retry.
        url: the page of that run in the tool.

    Returns:
        MLflow's run id.
    """
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    experiment_id = experiment.experiment_id if experiment else _make_experiment(client, config)
    key = f"tags.`bakeoff.orchestrator_run` = '{orchestrator_run}' and tags.`bakeoff.orchestrator` = '{orchestrator}'"
    if found := client.search_runs([experiment_id], key, max_results=1):
        earlier = found[0].data.tags
        if (earlier["bakeoff.month"], earlier["bakeoff.request"]) != (config.month, config.request_id):
            raise RegistryError(
                f"{orchestrator} run {orchestrator_run} has already retrained on {earlier['bakeoff.month']}",
                where=f"MLflow run {found[0].info.run_id}",
                fix="give every retraining a run id of its own; only a retry may use one again",
            )
        if found[0].info.status != "FINISHED":  # what has ended is a record, and no retry rewrites it
            client.update_run(found[0].info.run_id, status="RUNNING")
        log.info("going on with MLflow run %s, which an earlier attempt has opened", found[0].info.run_id)
        return str(found[0].info.run_id)
    tags = {
        "bakeoff.orchestrator": orchestrator,
        "bakeoff.orchestrator_run": orchestrator_run,
        "bakeoff.request": config.request_id,
        "bakeoff.month": config.month,
        "bakeoff.window": f"{config.train_months[0]}..{config.train_months[-1]}",
        "bakeoff.seed": str(config.seed),
        **({links.ORCHESTRATOR_URL: url} if url and links.is_web(url) else {}),
    }
    run = client.create_run(experiment_id, tags=tags, run_name=f"{config.month} {orchestrator}")
    log.info("opened MLflow run %s", run.info.run_id)
    return str(run.info.run_id)


def _make_experiment(client: MlflowClient, config: RetrainConfig) -> str:
    try:
        return str(client.create_experiment(config.model_name, artifact_location=config.artifact_location))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        found = client.get_experiment_by_name(config.model_name)  # another run was faster
        if found is None:
            raise
        return str(found.experiment_id)


@explained
def describe_run(config: RetrainConfig, run_id: str, data_version: str, revision: str) -> str | None:
    """Tag the parent run with what it takes to go back to its exact data, code and settings.

    Returns:
        The address of the run's page, if a server shows it.
    """
    client = connect(config)
    run = client.get_run(run_id)
    earlier = run.data.tags.get("bakeoff.data_version", data_version)
    if earlier != data_version:
        raise RegistryError(
            f"the data are version {data_version} now, but this run began on version {earlier}",
            where=f"MLflow run {run_id}",
            fix="start a new run: going on would mix models and holdouts of two versions",
        )
    client.set_tag(run_id, "bakeoff.data_version", data_version)
    client.set_tag(run_id, "bakeoff.pipeline_version", revision)
    client.log_dict(run_id, config.json_dict(), CONFIG)
    client.log_dict(run_id, software(), SOFTWARE)
    if RESULT not in run.data.tags:  # else the description tells the verdict already
        tags = {**run.data.tags, "bakeoff.data_version": data_version}
        client.set_tag(run_id, links.DESCRIPTION, links.description(tags))
    return links.run_page(config, run.info.experiment_id, run_id)


@explained
def describe_imputation(window: Window, medians: dict[str, float]) -> None:
    """Tag the parent run with what was filled in."""
    told = ", ".join(f"{name} = {value:g}" for name, value in medians.items())
    connect(window.config).set_tag(window.run_id, "bakeoff.imputed", told)
    log.info("filled in what %s misses: %s", window.config.month, told)


def software() -> dict[str, str]:
    """Python, the machine, and the libraries that decide which model a fit gives."""
    libraries = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "joblib")
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    return {**machine, **{name: version(name) for name in libraries}}


def note_failed_candidate(config: RetrainConfig, run_id: str, label: str, cause: str) -> None:
    """Tell on the parent run, which goes on, why a candidate is missing; a store that fails too is only logged."""
    try:
        connect(config).set_tag(run_id, f"bakeoff.failed.{label}", cause[:4000])
    except Exception as second:  # as in `fail_run`
        log.warning("could not note on MLflow run %s that %s has failed: %s", run_id, label, second)


def fail_run(config: RetrainConfig, run_id: str, step: str, cause: str) -> None:
    """Close the parent run as failed, with the cause, unless it has ended; a store that fails too is only logged."""
    try:
        client = connect(config)
        if client.get_run(run_id).info.status == "FINISHED":
            return
        client.set_tag(run_id, "bakeoff.failure", f"{step}: {cause}"[:4000])
        client.set_terminated(run_id, "FAILED")
    except Exception as second:  # the first cause is what the user needs; this one only goes to the log
        log.warning("could not mark MLflow run %s as failed: %s", run_id, second)


@explained
def earlier_candidate(window: Window, candidate: Candidate) -> Trained | None:
    """What an earlier attempt at training this candidate has left, if it finished; a torn one is closed as killed."""
    client = connect(window.config)
    query = f"tags.`mlflow.parentRunId` = '{window.run_id}' and tags.`bakeoff.candidate` = '{candidate.title}'"
    for run in client.search_runs([_experiment_of(client, window)], query):
        if run.data.tags.get("bakeoff.settings") != candidate.model_dump_json():
            continue
        if RESULT in run.data.tags:
            return Trained.model_validate_json(run.data.tags[RESULT])
        if run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, "KILLED")
    return None


def _experiment_of(client: MlflowClient, window: Window) -> str:
    return str(client.get_run(window.run_id).info.experiment_id)


@explained
def log_candidate(window: Window, candidate: Candidate, fitted: Fitted) -> Trained:
    """Log one fitted candidate as a child run: parameters, metrics, model, training reference and holdout scores."""
    config = window.config
    client = connect(config)
    tags = {
        "mlflow.parentRunId": window.run_id,
        "bakeoff.candidate": candidate.title,
        "bakeoff.settings": candidate.model_dump_json(),
    }
    run_id = client.create_run(
        _experiment_of(client, window), tags=tags, run_name=f"{config.month} {candidate.title}"
    ).info.run_id
    with mlflow.start_run(run_id=run_id):
        mlflow.log_params({**candidate.model_dump(exclude={"features", "label"}), "seed": config.seed})
        mlflow.log_metrics({"holdout_auc": fitted.auc, "holdout_log_loss": fitted.log_loss})
        info = mlflow.sklearn.log_model(
            fitted.model,
            name=candidate.title,
            signature=mlflow.models.infer_signature(
                as_request(config.spec, fitted.example), fitted.model.predict_proba(fitted.example)
            ),
            pyfunc_predict_fn="predict_proba",
            serialization_format="cloudpickle",  # the default refuses these estimators; we made the file ourselves
            pip_requirements=[
                f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "cloudpickle")
            ],
            metadata={"model_digest": fitted.digest},
        )
        mlflow.log_dict(fitted.reference.json_dict(), REFERENCE)
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / _SCORES, fitted.scores)
            mlflow.log_artifact(str(Path(folder) / _SCORES))
        trained = Trained(
            candidate=candidate.title,
            run_id=run_id,
            model_uri=info.model_uri,
            model_digest=fitted.digest,
            auc=fitted.auc,
            log_loss=fitted.log_loss,
            base_rate=fitted.base_rate,
        )
        mlflow.set_tag(RESULT, trained.model_dump_json())
    log.info(
        "trained %s: on %s AUC %.4f, log loss %.4f (MLflow run %s)",
        *(candidate.title, config.month, fitted.auc, fitted.log_loss, run_id),
    )
    return trained


def as_request(dataset: Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    """Feature rows as a caller of a served model has them: labels as strings, numbers as floats."""
    return rows.astype({name: "str" if name in dataset.categorical else "float64" for name in rows.columns})


@explained
def holdout_scores(config: StoreConfig, trained: Trained) -> NDArray[np.float64]:
    """The scores that a candidate's training has logged, shape (n,)."""
    connect(config)
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(run_id=trained.run_id, artifact_path=_SCORES, dst_path=folder)
        return np.asarray(np.load(path), dtype=np.float64)


@explained
def earlier_verdict(window: Window) -> Verdict | None:
    """The verdict that an earlier attempt has reached on this retraining, if any."""
    client = connect(window.config)
    reached = RESULT in client.get_run(window.run_id).data.tags
    return recorded_verdict(window.config, window.run_id) if reached else None


def artifact_text(run_id: str | None, name: str) -> str | None:
    """The text of a run's artifact, or None when it is not there; a store that does not answer is no missing file."""
    if run_id is None:  # a version that was registered without a run
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=folder)
        except (requests.ConnectionError, requests.Timeout):
            raise
        except (MlflowException, OSError):
            return None
        return Path(path).read_text()


@explained
def recorded_verdict(config: StoreConfig, run_id: str) -> Verdict:
    """The verdict of a retraining that has come to one, with its drift."""
    connect(config)
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=_VERDICT, dst_path=folder)
        return Verdict.model_validate_json(Path(path).read_text())


@explained
def record_verdict(window: Window, verdict: Verdict) -> None:
    """Write the verdict and its evidence to the parent run."""
    client = connect(window.config)
    run_id, best = window.run_id, verdict.challenger
    client.log_dict(run_id, verdict.json_dict(), _VERDICT)
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
    client.set_tag(run_id, links.DESCRIPTION, links.description(client.get_run(run_id).data.tags, verdict))
    # Last, since it says that a verdict was reached. Without what may be long: MLflow cuts tags at 8,000 characters.
    short = verdict.model_copy(update={"drift": None, "warnings": ()})
    client.set_tag(run_id, RESULT, short.model_dump_json())
