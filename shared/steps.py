"""The steps of a retraining: everything an orchestrator has to know.

    ingest -> validate -> [impute] -> train (once for each candidate) -> select -> evaluate -> [gate passed] register

`impute` is run only where the report of `validate` asks for it. Where a person has to agree to a promotion, a refusal
calls `refuse` instead of `register`. An orchestrator that caches steps may split `fetch`, which depends on nothing but
the version of the data, off `ingest`.

Each step takes and returns small records (`shared.records`); given as plain JSON dictionaries, as they come out of
XCom or a KFP parameter, they are checked and rebuilt. A step that is called again finds its earlier result. The heavy
libraries are imported inside the steps, so that an orchestrator can parse its graph without them.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import Field, ValidationError, validate_call

from shared import events
from shared.config import Candidate, RetrainConfig, config_error
from shared.errors import BakeoffError, RegistryError, TrainingError
from shared.records import Fetched, Outcome, Trained, Verdict, Window

RunId = Annotated[str, Field(min_length=1)]
P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


def _step(call: Callable[P, T]) -> Callable[P, T]:
    """Check the arguments, tell listeners what happens, and leave a failed step's cause in MLflow."""
    checked = validate_call(call)
    signature = inspect.signature(call)
    name = call.__name__

    @functools.wraps(call)
    def step(*args: P.args, **kwargs: P.kwargs) -> T:
        given = signature.bind(*args, **kwargs).arguments
        window = given.get("window")
        config = given.get("config") or _field(window, "config")
        candidate = given.get("candidate")
        label = str(_field(candidate, "label") or _field(candidate, "name") or "")
        tell = functools.partial(events.tell, _field(config, "events"), step=name, label=label)
        start = time.perf_counter()
        tell(state="started")
        try:
            result = checked(**given)  # type: ignore[call-arg]
        except (Exception, KeyboardInterrupt) as error:
            told = config_error(error) if isinstance(error, ValidationError) else error
            message = str(told) if isinstance(told, BakeoffError) else f"{type(told).__name__}: {told}"
            tell(state="failed", seconds=time.perf_counter() - start, error=message, kind=type(told).__name__)
            # A record of another kind, given for the window, has no config: what is to be told is the wrong argument.
            if (run_id := _field(window, "run_id")) and config:
                from shared import tracking

                known = RetrainConfig.model_validate(config)
                if name == "train" and known.tolerate_failed:
                    tracking.note_failed_candidate(known, run_id, label, message)
                else:
                    tracking.fail_run(known, run_id, name, message)
            if told is error:
                raise
            raise told from error
        tell(state="finished", seconds=time.perf_counter() - start)
        return result

    return step


def _field(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, dict) else getattr(record, name, None)


@_step
def fetch(config: RetrainConfig, out: Path) -> Fetched:
    """Fetch the months of the window by data version, and nothing else: the same version gives the same files.

    Args:
        config: names the month and the data.
        out: folder for the files.

    Raises:
        DataError, StorageError
    """
    return _fetch(config, out)


def _fetch(config: RetrainConfig, out: Path) -> Fetched:
    from shared import data

    version, files, revision = data.fetch_window(config, out)
    return Fetched(data_version=version, files=files, revision=revision, data=out)


@_step
def ingest(
    config: RetrainConfig,
    orchestrator: str,
    orchestrator_run: RunId,
    out: Path | None = None,
    orchestrator_url: str | None = None,
    fetched: Fetched | None = None,
) -> Window:
    """Open the MLflow run and fetch the months of the window by data version.

    Args:
        config: what to retrain.
        orchestrator: who runs this: `plain`, `airflow`, `kubeflow` or `prefect`.
        orchestrator_run: that tool's own id of the run, equal in every retry.
        out: folder for the files; by default one of this run's own below `config.work_dir`.
        orchestrator_url: the page of that run in the tool; MLflow's run page then links to it.
        fetched: what `fetch` has returned, where that was a step of its own; else the months are fetched now.

    Raises:
        DataError, StorageError, TrackingError
        RegistryError: the champion has been trained on this month, or the run id belongs to another retraining.
    """
    from shared import registry, tracking

    run_id = tracking.open_run(config, orchestrator, orchestrator_run, orchestrator_url)
    try:
        registry.fair_champion(config)
        folder = out or config.work_dir / run_id / "ingested"
        got = fetched or _fetch(config, folder)
        page = tracking.describe_run(config, run_id, got.data_version, got.revision)
    except (Exception, KeyboardInterrupt) as error:
        tracking.fail_run(config, run_id, "ingest", str(error))
        raise
    if page:
        log.info("MLflow shows this retraining at %s", page)
    same = got.model_dump(include={"data_version", "files", "data"})
    return Window(config=config, run_id=run_id, run_url=page, **same)


@_step
def validate(window: Window, out: Path | None = None) -> Window:
    """Hold the data against the contract. The window that is returned holds the accepted rows and the report.

    Raises:
        DataError, StorageError
    """
    from shared.validate import validate_window

    folder = out or window.data.parent / "validated"
    report = validate_window(window, folder)
    return window.model_copy(update={"data": folder, "report": report})


@_step
def impute(window: Window, out: Path | None = None) -> Window:
    """Fill in the numbers that the month hardly has (`window.report.impute`) with the training months' medians.

    Raises:
        DataError, StorageError, TrackingError
    """
    from shared import tracking
    from shared.impute import impute_window

    folder = out or window.data.parent / "imputed"
    medians = impute_window(window, folder)
    tracking.describe_imputation(window, medians)
    return window.model_copy(update={"data": folder})


def candidates(window: Window) -> list[dict[str, Any]]:
    """What to train, as plain JSON: the width of the fan-out is known at run time only."""
    return [each.json_dict() for each in Window.model_validate(window).candidates]


@_step
def train(window: Window, candidate: Candidate) -> Trained:
    """Fit one candidate on the training months, score the holdout, log both to MLflow.

    Raises:
        TrackingError
    """
    from shared import tracking
    from shared import train as training

    if earlier := tracking.earlier_candidate(window, candidate):
        log.info("%s was trained by an earlier attempt: AUC %.4f", earlier.candidate, earlier.auc)
        return earlier
    return tracking.log_candidate(window, candidate, training.fit_and_score(window, candidate))


def train_or_skip(window: Window, candidate: Candidate) -> Trained | None:
    """Train; None where that failed and the config tolerates it: for a tool that cannot go on after a failed task.

    Raises:
        Whatever `train` does, where it is not tolerated.
    """
    try:
        return train(window, candidate)
    except Exception as error:
        if not Window.model_validate(window).config.tolerate_failed:
            raise
        log.warning("going on without a candidate: %s", error)
        return None


def select(window: Window, trained: list[Trained]) -> Trained:
    """The candidate with the lowest log loss on the holdout; equal ones by name, so that their order never matters.

    Log loss, because it is a proper score: the AUC alone would also favour a model whose probabilities are off.

    Raises:
        TrainingError: fewer were trained than the config asks for, and that is not tolerated; or none was.
    """
    each = [Trained.model_validate(one) for one in trained if one is not None]
    known = Window.model_validate(window)
    missing = {one.title for one in known.candidates} - {one.candidate for one in each}
    if not each or (missing and not known.config.tolerate_failed):
        raise TrainingError(
            f"{len(missing)} of {len(known.candidates)} candidates could not be trained: {', '.join(sorted(missing))}",
            where=f"MLflow run {known.run_id}, tags bakeoff.failed.*, or the tasks' logs",
            fix="mend or remove them; to go on with the others, set tolerate_failed",
        )
    best = min(each, key=lambda one: (one.log_loss, one.candidate))
    log.info("selected %s of %d: log loss %.4f, AUC %.4f", best.candidate, len(each), best.log_loss, best.auc)
    return best


@_step
def evaluate(window: Window, challenger: Trained) -> Verdict:
    """Let the challenger meet the champion on the holdout; the verdict is final for this run, a rejection its end.

    Raises:
        TrackingError
        RegistryError: the champion has been trained on this month, or the promotion log is damaged.
    """
    from shared import promotion, tracking

    if verdict := tracking.earlier_verdict(window):
        log.info("an earlier attempt has reached the verdict: %s", verdict.reason)
    else:
        verdict = _reach_verdict(window, challenger)
    if not verdict.promote:
        promotion.reject(window, verdict)
    return verdict


def _reach_verdict(window: Window, challenger: Trained) -> Verdict:
    import numpy as np

    from shared import data, registry, tracking
    from shared import drift as drifting
    from shared import evaluate as evaluation
    from shared import train as training

    config, dataset = window.config, window.config.spec
    holdout = window.paths([config.month])[0]
    scores = tracking.holdout_scores(config, challenger)
    number = registry.fair_champion(config)
    drift = None
    if number is None:
        frame, target, blocks = data.load_holdout(dataset, holdout, dataset.slices)
        champion_scores = np.full(len(target), challenger.base_rate)
    else:
        model, features = registry.load_model(config, number)
        frame, target, blocks = data.load_holdout(dataset, holdout, (*dataset.features, *dataset.slices))
        champion_scores = training.score(model, frame[list(features)])
        try:
            reference = registry.training_reference(config, number)
            drift = drifting.judge(config, number, reference, frame, champion_scores, target)
        except RegistryError as missing:  # of an older version: no reason to lose the retraining
            log.warning("no drift against the champion: %s", missing)
    verdict = evaluation.judge(config, challenger, scores, number, champion_scores, frame, target, blocks, drift)
    tracking.record_verdict(window, verdict)
    return verdict


@_step
def register(window: Window, verdict: Verdict) -> Outcome:
    """Register the challenger and make it champion.

    Raises:
        RegistryError, TrackingError
    """
    from shared import promotion

    return promotion.promote(window, verdict)


@_step
def refuse(window: Window, verdict: Verdict, by: str) -> Outcome:
    """End the retraining without the promotion that the gate would allow, because whoever was asked has not agreed.

    Args:
        by: who, for the promotion log.

    Raises:
        RegistryError, TrackingError
    """
    from shared import promotion

    return promotion.refuse(window, verdict, by)
