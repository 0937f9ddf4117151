"""Register: model versions, the aliases `challenger` and `champion`, promotion, rejection and rollback."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sklearn.pipeline import Pipeline

from shared import ledger, serving
from shared.config import RetrainConfig, StoreConfig
from shared.drift import REFERENCE
from shared.errors import RegistryError
from shared.ledger import Entry
from shared.lock import hold
from shared.records import Outcome, Reference, Trained, Verdict, Window
from shared.tracking import RESULT, connect, explained

log = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"


@explained
def champion(config: StoreConfig) -> int | None:
    """The version under the alias `champion`, or None when nothing has been promoted yet."""
    return _champion(connect(config), config)


def _champion(client: MlflowClient, config: StoreConfig) -> int | None:
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
    number = _champion(client, config)
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
    """Register the challenger, see that it serves, and make it champion; done already, do nothing.

    The version is first `challenger`, and `champion` only in the last move, so that a run that dies in between leaves
    the former champion in place. A lock keeps the check of the present champion and that move together.

    Raises:
        RegistryError: the verdict is a rejection, another run has changed the champion since the verdict, the model
            that was loaded back scores otherwise than the one that was trained, or the promotion log is damaged.
        TrackingError: another promotion does not end.
    """
    config, best = window.config, verdict.challenger
    if not verdict.promote:
        raise RegistryError(
            "the gate has rejected this challenger", where=f"MLflow run {window.run_id}", fix="do not register it"
        )
    client = connect(config)
    with hold(client, config.model_name) as still_ours:
        _ensure_model(client, config)
        settle(client, config)
        present, number = _champion(client, config), _registered(client, config, best)
        if present is None or present != number:
            if present != verdict.champion_version:
                raise RegistryError(
                    f"the champion is now version {present}, "
                    f"but the gate compared with version {verdict.champion_version}",
                    where=f"registered model {config.model_name}",
                    fix="start a new retraining: its challenger will meet the present champion",
                )
            number = number or _register(client, window, best)
            client.set_registered_model_alias(config.model_name, CHALLENGER, str(number))
            serving.check(window, best, number, alias=CHALLENGER)
            still_ours()
            client.set_registered_model_alias(config.model_name, CHAMPION, str(number))
            client.delete_registered_model_alias(config.model_name, CHALLENGER)
        client.set_tag(window.run_id, "bakeoff.version", str(number))
        settle(client, config)
    client.set_terminated(window.run_id, "FINISHED")
    log.info("version %s of %s is champion", number, config.model_name)
    return _outcome(client.get_run(window.run_id))


def settle(client: MlflowClient, config: StoreConfig) -> None:
    """Write the log entry of the present champion if the run that promoted it died before it could. Needs the lock."""
    present = _champion(client, config)
    entries = ledger.read(client, config.model_name)
    if present is None or any(entry.champion == present for entry in entries):
        return
    tags = client.get_model_version(config.model_name, str(present)).tags
    run = client.get_run(tags["retraining"])
    verdict = Verdict.model_validate_json(run.data.tags[RESULT])
    _note(client, config, run, verdict, champion=present, former=verdict.champion_version)


@explained
def reject(window: Window, verdict: Verdict) -> None:
    """End the retraining with a rejection: one entry in the promotion log, however often this is tried."""
    config = window.config
    client = connect(config)
    with hold(client, config.model_name):
        _ensure_model(client, config)
        settle(client, config)
        if all(entry.run_id != window.run_id for entry in ledger.read(client, config.model_name)):
            present = _champion(client, config)
            _note(client, config, client.get_run(window.run_id), verdict, champion=present, former=present)
    client.set_terminated(window.run_id, "FINISHED")


def _note(
    client: MlflowClient, config: StoreConfig, run: Run, verdict: Verdict, champion: int | None, former: int | None
) -> None:
    tags, best = run.data.tags, verdict.challenger
    ledger.append(
        client,
        config.model_name,
        "promoted" if verdict.promote else "rejected",
        verdict.reason,
        month=tags["bakeoff.month"],
        champion=champion,
        former=former,
        run_id=run.info.run_id,
        orchestrator=tags["bakeoff.orchestrator"],
        data_version=tags["bakeoff.data_version"],
        candidate=best.candidate,
        model_digest=best.model_digest,
        evidence={
            "auc": best.auc,
            "champion_auc": verdict.champion_auc,
            "auc_gain": verdict.auc_gain[0],
            "auc_gain_low": verdict.auc_gain[1],
            "auc_gain_high": verdict.auc_gain[2],
            "log_loss": best.log_loss,
            "champion_log_loss": verdict.champion_log_loss,
        },
    )


@explained
def rollback(config: StoreConfig, to: int | None = None, reason: str = "asked for by hand") -> Entry:
    """Make a former champion champion again.

    Args:
        config: the model and its store.
        to: which version; by default the champion before the present one.
        reason: for the promotion log.

    Raises:
        RegistryError: there is no former champion, or no such version, or the log is damaged.
    """
    client = connect(config)
    with hold(client, config.model_name) as still_ours:
        present = _champion(client, config)
        if present is None:
            raise RegistryError(
                "there is no champion to roll back",
                where=f"registered model {config.model_name} in {config.tracking_uri}",
                fix="promote one first: `./bakeoff retrain`, or name the store by --on or --state",
            )
        settle(client, config)
        former = [each for each in ledger.champions(ledger.read(client, config.model_name)) if each != present]
        if to is None and not former:
            raise RegistryError(
                f"version {present} is the first champion: there is no former one",
                where=f"promotion log of {config.model_name}",
                fix="choose a version by --to (`./bakeoff history` lists them)",
            )
        target = former[-1] if to is None else to
        require(client, config, target)
        if target == present:
            raise RegistryError(
                f"version {target} is champion already", where=config.model_name, fix="name another version by --to"
            )
        still_ours()
        client.set_registered_model_alias(config.model_name, CHAMPION, str(target))
        return ledger.append(client, config.model_name, "rolled back", reason, champion=target, former=present)


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


def _ensure_model(client: MlflowClient, config: StoreConfig) -> None:
    if not client.search_registered_models(f"name = '{config.model_name}'"):
        client.create_registered_model(config.model_name, description=config.spec.question)


def _registered(client: MlflowClient, config: StoreConfig, best: Trained) -> int | None:
    """The version that an earlier attempt has registered, if any."""
    found = client.search_model_versions(f"name = '{config.model_name}' and run_id = '{best.run_id}'")
    return int(found[0].version) if found else None


def _register(client: MlflowClient, window: Window, best: Trained) -> int:
    config = window.config
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
    return _outcome(found[0]) if found else None


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
