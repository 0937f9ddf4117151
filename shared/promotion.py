"""Promotion, rejection and rollback: everything that moves the alias `champion`, and the log of it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from shared import ledger, serving
from shared.config import StoreConfig
from shared.errors import ConfigError, RegistryError
from shared.ledger import Entry
from shared.lock import hold
from shared.records import Outcome, Trained, Verdict, Window
from shared.registry import CHALLENGER, CHAMPION, REFUSED, champion_of, outcome_of, require
from shared.tracking import RESULT, connect, explained

log = logging.getLogger(__name__)
_LONGEST_REASON = 1000


@explained
def promote(window: Window, verdict: Verdict) -> Outcome:
    """Register the challenger, see that it serves, and make it champion; done already, do nothing.

    The version is first `challenger`, and `champion` only in the last move, so that a run that dies in between leaves
    the former champion in place. A lock keeps the check of the present champion and that move together.

    Raises:
        RegistryError: the verdict is a rejection, the promotion was refused, another run has changed the champion
            since the verdict, the model that was loaded back scores otherwise than the one that was trained, or the
            promotion log is damaged.
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
        known = {entry.event for entry in settle(client, config) if entry.run_id == window.run_id}
        if "refused" in known:
            raise RegistryError(
                "this promotion was refused",
                where=f"promotion log of {config.model_name}, MLflow run {window.run_id}",
                fix="start a new retraining, and ask again",
            )
        if not known:
            present = champion_of(client, config)
            if present != verdict.champion_version:
                raise RegistryError(
                    f"the champion is now version {present}, "
                    f"but the gate compared with version {verdict.champion_version}",
                    where=f"registered model {config.model_name}",
                    fix="start a new retraining: its challenger will meet the present champion",
                )
            number = _registered(client, config, best) or _register(client, window, best)
            client.set_registered_model_alias(config.model_name, CHALLENGER, str(number))
            serving.check(window, best, number, alias=CHALLENGER)
            client.set_tag(window.run_id, "bakeoff.version", str(number))
            log.info("registered %s as version %d of %s; it serves", best.candidate, number, config.model_name)
            still_ours()
            client.set_registered_model_alias(config.model_name, CHAMPION, str(number))
            settle(client, config)
            log.info("version %d of %s is champion now", number, config.model_name)
        if client.get_registered_model(config.model_name).aliases.get(CHALLENGER):
            client.delete_registered_model_alias(config.model_name, CHALLENGER)
    client.set_terminated(window.run_id, "FINISHED")
    return outcome_of(config, client.get_run(window.run_id))


def settle(client: MlflowClient, config: StoreConfig) -> list[Entry]:
    """Bring the log up to the alias, where a run died between the two or somebody moved the alias. Needs the lock.

    Returns:
        The log.
    """
    present = champion_of(client, config)
    entries = ledger.read(client, config.model_name)
    believed = next(iter(ledger.champions(entries)[-1:]), None)
    if present is None or present == believed:
        return entries
    version = client.get_model_version(config.model_name, str(present))
    run = _run_of(client, version.tags.get("retraining"))
    serves = version.tags.get("serving_check", "passed") == "passed"
    known = any(entry.event == "promoted" and entry.champion == present for entry in entries)
    if run is not None and serves and not known:
        verdict = Verdict.model_validate_json(run.data.tags[RESULT])
        made = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="milliseconds")
        former = verdict.champion_version
        _note(client, config, run, verdict, "promoted", champion=present, former=former, time=made)
    else:
        reason = "the alias was moved, but not by a promotion that this log could know"
        ledger.append(client, config.model_name, "moved", reason, champion=present, former=believed)
    return ledger.read(client, config.model_name)


def _run_of(client: MlflowClient, run_id: str | None) -> Run | None:
    """The retraining of a version; None when it was not registered by this pipeline, or its run has been removed."""
    try:
        run = client.get_run(run_id) if run_id else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return run if run is not None and RESULT in run.data.tags else None


@explained
def reject(window: Window, verdict: Verdict) -> None:
    """End the retraining with a rejection: one entry in the promotion log, however often this is tried."""
    config = window.config
    client = connect(config)
    with hold(client, config.model_name):
        _ensure_model(client, config)
        if all(entry.run_id != window.run_id for entry in settle(client, config)):
            present = champion_of(client, config)
            run = client.get_run(window.run_id)
            _note(client, config, run, verdict, "rejected", champion=present, former=present)
            log.info("rejected: champion of %s stays version %s", config.model_name, present)
    client.set_terminated(window.run_id, "FINISHED")


@explained
def refuse(window: Window, verdict: Verdict, by: str) -> Outcome:
    """End the retraining because whoever was asked has not agreed to the promotion; refused already, do nothing.

    Args:
        by: who, for the promotion log.

    Raises:
        RegistryError: it was promoted, or the promotion log is damaged.
        TrackingError: a promotion does not end.
    """
    config = window.config
    client = connect(config)
    with hold(client, config.model_name):
        _ensure_model(client, config)
        known = {entry.event for entry in settle(client, config) if entry.run_id == window.run_id}
        if "promoted" in known:
            raise RegistryError(
                "it is too late to refuse: the challenger was promoted",
                where=f"MLflow run {window.run_id}",
                fix="`./bakeoff rollback` brings the former champion back",
            )
        if not known:
            present, reason = champion_of(client, config), f"refused by {by}; the gate had said: {verdict.reason}"
            client.set_tag(window.run_id, REFUSED, reason)
            run = client.get_run(window.run_id)
            _note(client, config, run, verdict, "refused", reason=reason, champion=present, former=present)
            log.info("refused by %s: champion of %s stays version %s", by, config.model_name, present)
    client.set_terminated(window.run_id, "FINISHED")
    return outcome_of(config, client.get_run(window.run_id))


def _note(
    client: MlflowClient,
    config: StoreConfig,
    run: Run,
    verdict: Verdict,
    event: ledger.Event,
    reason: str | None = None,
    **fields: int | str | None,
) -> None:
    tags, best = run.data.tags, verdict.challenger
    ledger.append(
        client,
        config.model_name,
        event,
        reason or verdict.reason,
        month=tags["bakeoff.month"],
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
        **fields,
    )


@explained
def rollback(config: StoreConfig, to: int | None = None, reason: str = "asked for by hand") -> Entry:
    """Make a former champion champion again.

    Args:
        config: the model and its store.
        to: which version; by default the champion before the present one.
        reason: for the promotion log.

    Raises:
        RegistryError: there is no former champion, no such version, it does not serve, or the log is damaged.
        ConfigError: the reason is too long.
    """
    if len(reason) > _LONGEST_REASON:
        raise ConfigError(f"a reason of {len(reason)} characters", where="--reason", fix="say it in 1,000")
    client = connect(config)
    with hold(client, config.model_name) as still_ours:
        entries = settle(client, config)
        present = champion_of(client, config)
        former = [each for each in ledger.champions(entries) if each != present]
        if to is None and not former:
            what = "there has been no champion" if present is None else f"version {present} is the first champion"
            raise RegistryError(
                f"{what}: there is no former one",
                where=f"promotion log of {config.model_name} in {config.tracking_uri}",
                fix="choose a version by --to (`./bakeoff history` lists them), or another store by --on or --state",
            )
        target = former[-1] if to is None else to
        require(client, config, target)
        if target == present:
            raise RegistryError(
                f"version {target} is champion already", where=config.model_name, fix="name another version by --to"
            )
        serving.require_that_it_serves(config, target)
        still_ours()
        client.set_registered_model_alias(config.model_name, CHAMPION, str(target))
        return ledger.append(client, config.model_name, "rolled back", reason, champion=target, former=present)


def _ensure_model(client: MlflowClient, config: StoreConfig) -> None:
    if not client.search_registered_models(f"name = '{config.model_name}'"):
        client.create_registered_model(config.model_name, description=config.spec.question)


def _registered(client: MlflowClient, config: StoreConfig, best: Trained) -> int | None:
    """The version that an earlier attempt has registered, if any."""
    found = client.search_model_versions(f"name = '{config.model_name}' and run_id = '{best.run_id}'")
    numbers = sorted(int(version.version) for version in found)
    for double in numbers[1:]:  # a lost answer makes MLflow's client ask again; nobody has seen this one
        client.delete_model_version(config.model_name, str(double))
    return numbers[0] if numbers else None


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
    client.create_model_version(
        config.model_name, best.model_uri, run_id=best.run_id, tags=tags, model_id=best.model_uri.rsplit("/", 1)[-1]
    )
    number = _registered(client, config, best)
    assert number is not None
    return number
