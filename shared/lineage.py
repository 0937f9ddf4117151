"""Where does a version come from, and does it come out again? From the registry back to data, code and evidence."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from shared import data, ledger, registry, tracking, train
from shared.config import ROOT, Record, RetrainConfig, StoreConfig, parse_config
from shared.errors import DataError, RegistryError
from shared.files import make_folder
from shared.records import Trained, Window
from shared.tracking import CONFIG, RESULT, SOFTWARE, connect, explained
from shared.validate import validate_window

log = logging.getLogger(__name__)


class Lineage(Record):
    """Everything that a registered version was made of, and what became of it."""

    model_name: str
    version: int
    aliases: tuple[str, ...]
    month: str
    train_months: str
    data_version: str
    code_version: str  # git commit of the repository with the data; `-dirty` when the work tree differed from it
    orchestrator: str
    orchestrator_run: str
    retraining: str  # MLflow's parent run
    candidate_run: str  # MLflow's run of the candidate
    candidate: str
    model_digest: str
    metrics: dict[str, float]
    verdict: str
    #: The champion that it beat, the one that that one had beaten, and so on.
    ancestors: tuple[int, ...]
    #: When it became champion and when it was one no longer; one pair for each time (a rollback may bring it back).
    champion_from: tuple[str, ...]
    champion_until: tuple[str, ...]
    serving_check: str
    config: dict[str, Any]
    software: dict[str, str]


class Reproduction(Record):
    """A version trained again from its recorded data, config and seed."""

    version: int
    candidate: str
    data_version: str
    digest: str
    digest_again: str
    #: Largest difference between the holdout scores that were recorded and those of now.
    largest_score_difference: float
    same: bool
    #: What differs between then and now and could explain another digest.
    differences: tuple[str, ...]


@explained
def lineage(config: StoreConfig, number: int) -> Lineage:
    """The lineage of one registered version.

    Raises:
        RegistryError: there is no such version, what it was made of is not recorded, or the log is damaged.
    """
    client = connect(config)
    registry.require(client, config, number)
    version = client.get_model_version(config.model_name, str(number))
    run = client.get_run(_tag(version.tags, "retraining", number))
    entries = ledger.read(client, config.model_name)
    since, until = _reign(entries, number)
    return Lineage(
        model_name=config.model_name,
        version=number,
        aliases=tuple(sorted(version.aliases)),
        month=version.tags["month"],
        train_months=version.tags["train_months"],
        data_version=version.tags["data_version"],
        code_version=run.data.tags["bakeoff.pipeline_version"],
        orchestrator=run.data.tags["bakeoff.orchestrator"],
        orchestrator_run=run.data.tags["bakeoff.orchestrator_run"],
        retraining=run.info.run_id,
        candidate_run=version.run_id,
        candidate=version.tags["candidate"],
        model_digest=version.tags["model_digest"],
        metrics=dict(sorted(run.data.metrics.items())),
        verdict=run.data.tags["bakeoff.reason"],
        ancestors=_ancestors(entries, number),
        champion_from=since,
        champion_until=until,
        serving_check=version.tags.get("serving_check", "not made"),
        config=_artifact(run.info.run_id, CONFIG),
        software=_software(run.info.run_id),
    )


def _tag(tags: dict[str, str], name: str, number: int) -> str:
    if name not in tags:
        raise RegistryError(
            f"version {number} was not registered by this pipeline: its tag {name} is missing",
            where=f"version {number}",
            fix="restore the tag, or choose another version (`./bakeoff history`)",
        )
    return tags[name]


def _artifact(run_id: str, name: str) -> dict[str, Any]:
    text = tracking.artifact_text(run_id, name)
    if text is None:
        raise RegistryError(
            f"{name} of the retraining is gone",
            where=f"MLflow run {run_id}",
            fix="restore the artifact: without it the version cannot be traced or made again",
        )
    found: dict[str, Any] = json.loads(text)
    return found


def _software(run_id: str) -> dict[str, str]:
    try:
        return _artifact(run_id, SOFTWARE)
    except RegistryError:  # a version of an older release, which did not write it down
        return {}


def _ancestors(entries: list[ledger.Entry], number: int) -> tuple[int, ...]:
    beaten = {entry.champion: entry.former for entry in entries if entry.event == "promoted"}
    chain: list[int] = []
    parent = beaten.get(number)
    while parent is not None and parent not in chain:
        chain.append(parent)
        parent = beaten.get(parent)
    return tuple(chain)


def _reign(entries: list[ledger.Entry], number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    moves = [entry for entry in entries if entry.event in ("promoted", "rolled back", "moved")]
    since = tuple(entry.time for entry in moves if entry.champion == number)
    return since, tuple(entry.time for entry in moves if entry.former == number)


@explained
def reproduce(config: StoreConfig, number: int, folder: Path, data_repo: str | None = None) -> Reproduction:
    """Train a version again from its recorded data version, config and seed. Nothing is written to MLflow.

    Args:
        config: the model and its store.
        number: of the version.
        folder: for the files; emptied first.
        data_repo: the repository that has the data; by default the recorded one, or this one when that is not here.

    Raises:
        DataError: the data version cannot be had any more.
        RegistryError: the version, or the record of how it was made, is missing.
    """
    origin = lineage(config, number)
    repo = data_repo or str(origin.config["data_repo"])
    # A remote elsewhere need not be in reach from here.
    here = {"data_repo": repo if Path(repo).exists() else str(ROOT), "state": str(folder), "events": None}
    here["data_remote"] = None
    again = parse_config({**origin.config, **here})
    client = connect(config)
    trained = Trained.model_validate_json(client.get_run(origin.candidate_run).data.tags[RESULT])
    scores = tracking.holdout_scores(config, trained)
    candidate = next(each for each in again.all_candidates if each.title == origin.candidate)

    make_folder(folder, empty=True)
    window, code = _fetch(again, origin, folder / "ingested")
    validate_window(window, folder / "validated")
    fitted = train.fit_and_score(window.model_copy(update={"data": folder / "validated"}), candidate)
    worst = float(np.abs(fitted.scores - scores).max()) if len(scores) == len(fitted.scores) else float("inf")
    now = tracking.software()
    differences = [
        f"{name} {was}, now {now.get(name)}" for name, was in origin.software.items() if now.get(name) != was
    ]
    if code != origin.code_version:
        differences.append(f"code {origin.code_version}, now {code}")
    elif code.endswith("-dirty"):
        differences.append("the work tree has changes that no commit holds, now as then: they may not be the same")
    return Reproduction(
        version=number,
        candidate=origin.candidate,
        data_version=origin.data_version,
        digest=origin.model_digest,
        digest_again=fitted.digest,
        largest_score_difference=worst,
        same=fitted.digest == origin.model_digest,
        differences=tuple(differences),
    )


def _fetch(config: RetrainConfig, origin: Lineage, out: Path) -> tuple[Window, str]:
    """The recorded data version: from the work tree if it still is that one, else from the recorded commit."""
    commit = origin.code_version.removesuffix("-dirty")
    code = None
    for revision in dict.fromkeys([config.data_rev, None, None if commit == "unknown" else commit]):
        try:
            version, files, now = data.fetch_window(config.model_copy(update={"data_rev": revision}), out)
        except DataError as error:
            log.info("data of %s: %s", revision or "the work tree", error)
            continue
        code = code or now
        if version == origin.data_version:
            return Window(config=config, run_id="-", data_version=version, files=files, data=out), code
    raise DataError(
        f"data version {origin.data_version} of version {origin.version} is neither in the work tree nor in the commit "
        f"{commit}",
        where=f"{config.data_repo}/{config.spec.folder}",
        fix=f"check out {commit} there and run `./bakeoff data build`, or `dvc pull` it from your remote",
    )
