"""What the registry knows: the champion, its versions, their training references, the promotion log, outcomes."""

from __future__ import annotations

import logging

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from pydantic import ValidationError
from sklearn.pipeline import Pipeline

from shared import ledger
from shared.config import RetrainConfig, StoreConfig
from shared.drift import REFERENCE
from shared.errors import RegistryError
from shared.ledger import Entry
from shared.lock import hold
from shared.records import Outcome, Reference, Verdict
from shared.tracking import RESULT, artifact_text, connect, explained

log = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"
#: Tag of a retraining whose promotion was refused, with the reason.
REFUSED = "bakeoff.refused"


@explained
def champion(config: StoreConfig) -> int | None:
    """The version under the alias `champion`, or None when nothing has been promoted yet."""
    return champion_of(connect(config), config)


def champion_of(client: MlflowClient, config: StoreConfig) -> int | None:
    """The same, by a client that is there already."""
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
    client = connect(config)
    number = champion_of(client, config)
    if number is not None:
        tags = client.get_model_version(config.model_name, str(number)).tags
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
def load_model(config: StoreConfig, number: int) -> tuple[Pipeline, tuple[str, ...]]:
    """A registered version, and the features it takes, in order."""
    return load_uri(config, f"models:/{config.model_name}/{number}")


@explained
def load_uri(config: StoreConfig, uri: str) -> tuple[Pipeline, tuple[str, ...]]:
    """A logged model, registered or not, and the features it takes, in order."""
    connect(config)
    model = mlflow.sklearn.load_model(uri)
    return model, tuple(str(name) for name in model.feature_names_in_)


@explained
def training_reference(config: StoreConfig, number: int) -> Reference:
    """What a registered version was trained on.

    Raises:
        RegistryError: it was registered without one.
    """
    run_id = connect(config).get_model_version(config.model_name, str(number)).run_id
    text = artifact_text(run_id, REFERENCE)
    if text is None:
        raise RegistryError(
            f"version {number} has no training reference to measure drift against",
            where=f"{REFERENCE} of MLflow run {run_id}",
            fix="it was registered by an older release, or the file was removed: the next promoted model has one",
        )
    try:
        return Reference.model_validate_json(text)
    except ValidationError as error:
        raise RegistryError(
            f"the training reference of version {number} is damaged",
            where=f"{REFERENCE} of MLflow run {run_id}",
            fix="restore the artifact; the next promoted model has one of its own",
        ) from error


def require(client: MlflowClient, config: StoreConfig, number: int) -> None:
    """See that a version exists.

    Raises:
        RegistryError: it does not.
    """
    try:
        client.get_model_version(config.model_name, str(number))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise RegistryError(
            f"there is no version {number}",
            where=f"registered model {config.model_name} in {config.tracking_uri}",
            fix="`./bakeoff history` lists the versions; --on and --state name the store",
        ) from error


@explained
def promotion_log(config: StoreConfig) -> list[Entry]:
    """Every verdict and rollback, oldest first.

    Raises:
        RegistryError: it was changed by hand.
    """
    return ledger.read(connect(config), config.model_name)


@explained
def repair_log(config: StoreConfig) -> Entry | None:
    """Set damaged entries of the promotion log aside; None when it is sound."""
    client = connect(config)
    with hold(client, config.model_name):
        return ledger.repair(client, config.model_name)


@explained
def outcome(config: RetrainConfig) -> Outcome | None:
    """How the retraining with this config's `request_id` ended; None while it has not, or when it failed."""
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    if experiment is None:
        return None
    query = f"tags.`bakeoff.request` = '{config.request_id}'"
    runs = client.search_runs([experiment.experiment_id], query)
    # A run that died between its promotion and its end has ended all the same.
    promoted = {entry.run_id for entry in ledger.read(client, config.model_name) if entry.event == "promoted"}
    found = [run for run in runs if run.info.status == "FINISHED" or run.info.run_id in promoted]
    return outcome_of(config, found[0]) if found else None


@explained
def failure(config: RetrainConfig) -> tuple[str, str] | None:
    """The step at which the retraining with this config's `request_id` has failed, and why; None when nobody knows."""
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    if experiment is None:
        return None
    for run in client.search_runs([experiment.experiment_id], f"tags.`bakeoff.request` = '{config.request_id}'"):
        step, _, cause = run.data.tags.get("bakeoff.failure", "").partition(": ")
        if cause and run.info.status == "FAILED":
            return step, cause
    return None


def outcome_of(config: StoreConfig, run: Run) -> Outcome:
    """How a retraining ended."""
    tags = run.data.tags
    verdict = Verdict.model_validate_json(tags[RESULT])
    promoted = verdict.promote and REFUSED not in tags
    return Outcome(
        model_name=config.model_name,
        month=tags["bakeoff.month"],
        run_id=run.info.run_id,
        orchestrator=tags["bakeoff.orchestrator"],
        data_version=tags["bakeoff.data_version"],
        candidate=verdict.challenger.candidate,
        auc=verdict.challenger.auc,
        log_loss=verdict.challenger.log_loss,
        promoted=promoted,
        reason=tags.get(REFUSED, verdict.reason),
        version=int(tags["bakeoff.version"]) if promoted else None,
        model_digest=verdict.challenger.model_digest,
    )
