"""Register: model versions, the aliases `challenger` and `champion`, and the log of every verdict."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sklearn.pipeline import Pipeline

from shared.config import RetrainConfig
from shared.drift import REFERENCE
from shared.errors import RegistryError
from shared.records import Outcome, Reference, Trained, Verdict, Window
from shared.tracking import RESULT, connect, explained

log = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"


@explained
def champion(config: RetrainConfig) -> int | None:
    """The version under the alias `champion`, or None when nothing has been promoted yet."""
    client = connect(config)
    try:
        number = client.get_registered_model(config.model_name).aliases.get(CHAMPION)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return None if number is None else int(number)


@explained
def fair_champion(config: RetrainConfig) -> int | None:
    """The champion, known not to have been trained on the holdout; None when there is none.

    Raises:
        RegistryError: it has seen that month, so that no challenger could meet it there on equal terms.
    """
    number = champion(config)
    if number is not None:
        tags = connect(config).get_model_version(config.model_name, str(number)).tags
        last = tags["train_months"].rsplit("..", 1)[-1]
        kind = config.spec.window_is
        if last >= config.month:
            raise RegistryError(
                f"champion version {number} was trained on {kind}s up to {last}: {config.month} is no holdout for it",
                where=f"registered model {config.model_name}",
                fix=f"retrain on a {kind} after {last}, or use another tracking store (--state)",
            )
    return number


@explained
def load_model(config: RetrainConfig, number: int) -> tuple[Pipeline, tuple[str, ...]]:
    """A registered version, and the features it takes, in order."""
    connect(config)
    uri = f"models:/{config.model_name}/{number}"
    model = mlflow.sklearn.load_model(uri)
    return model, tuple(str(name) for name in model.feature_names_in_)


@explained
def training_reference(config: RetrainConfig, number: int) -> Reference:
    """What a registered version was trained on.

    Raises:
        RegistryError: it was registered without one.
    """
    run_id = connect(config).get_model_version(config.model_name, str(number)).run_id
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=REFERENCE, dst_path=folder)
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"version {number} has no training reference to measure drift against",
                where=f"{REFERENCE} of MLflow run {run_id}",
                fix="it was registered by an older release, or the file was removed: the next promoted model has one",
            ) from error
        return Reference.model_validate_json(Path(path).read_text())


@explained
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
    client.set_tag(window.run_id, "bakeoff.version", str(number))
    if present != number:
        client.set_registered_model_alias(config.model_name, CHALLENGER, str(number))
        client.set_registered_model_alias(config.model_name, CHAMPION, str(number))
    client.delete_registered_model_alias(config.model_name, CHALLENGER)
    client.set_terminated(window.run_id, "FINISHED")
    log.info("version %d of %s is champion", number, config.model_name)
    return _outcome(client.get_run(window.run_id))


def _version_of(client: MlflowClient, config: RetrainConfig, window: Window, best: Trained) -> int:
    """The registered version of a trained candidate; registers it unless an earlier attempt has."""
    if not client.search_registered_models(f"name = '{config.model_name}'"):
        client.create_registered_model(config.model_name, description=config.spec.question)
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


@explained
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


@explained
def _runs_of_request(config: RetrainConfig) -> list[Run]:
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    if experiment is None:
        return []
    query = f"tags.`bakeoff.request` = '{config.request_id}'"
    return list(client.search_runs([experiment.experiment_id], query))


def _outcome(run: Run) -> Outcome:
    tags = run.data.tags
    verdict = Verdict.model_validate_json(tags[RESULT])
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
