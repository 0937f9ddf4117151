"""Replay: retrain as each month arrives, and set the gated champion beside what else a team might do.

Each of the others follows a rule that needs no gate: never retrain; promote every challenger; train the same candidates
on the last month alone and promote the better one. All are in use in a month that they were not trained on, as the
champion is, and with its delay: what was trained when a month arrived is in use when the next one does.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline

from benchmarks import dataset, results, stores
from benchmarks.display import Display
from benchmarks.places import STATE, ArmName
from benchmarks.retraining import make_configs, run
from shared import data, datasets, gate, monitor, registry, tracking, train
from shared.config import RetrainConfig
from shared.errors import ConfigError
from shared.ledger import Entry
from shared.records import Verdict

#: A fitted pipeline and the features it takes, in order.
Model = tuple[Pipeline, tuple[str, ...]]


class Month(BaseModel):
    """One month of a replay: the challenger, and the models that were in use as the month arrived."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    month: str
    status: results.Status
    #: From its trigger to its end; None when an earlier call of the command has done it.
    seconds: float | None = None
    candidate: str | None = None
    promoted: bool | None = None
    version: int | None = None
    #: AUC on this month: of the challenger, and of what is in use as the month arrives, by rule (see the module).
    auc: float | None = None
    champion_auc: float | None = None
    frozen_auc: float | None = None
    every_auc: float | None = None
    last_month_auc: float | None = None
    #: Would the gate have let a challenger that was trained on the last month alone replace the champion?
    last_month_passes: bool | None = None
    champion_version: int | None = None
    auc_gain: tuple[float, float, float] | None = None
    log_loss: float | None = None
    reason: str | None = None
    #: Did the drift of this month against the champion ask for a retraining, and why?
    drift: bool | None = None
    drift_reasons: tuple[str, ...] = ()
    positive_rate: float | None = None
    mean_score: float | None = None
    score_psi: float | None = None
    model_digest: str | None = None
    #: The month's rows are no longer those of its verdict.
    data_changed: bool = False
    error: str | None = None


class Replay(BaseModel):
    """The result file of `bakeoff replay`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal["replay"] = "replay"
    environment: results.Environment
    arm: ArmName
    dataset: str
    versions: dict[str, str]
    tracking_uri: str
    retrainings: list[Month]
    #: Means over the months in which there was a model in use by every rule.
    mean_auc: dict[str, float]
    status: results.Status


def replay(
    console: Console,
    arm: ArmName,
    first: str | None = None,
    last: str | None = None,
    name: str = datasets.DEFAULT,
    state: Path | None = None,
    port: int = 0,
    settings: dict[str, Any] | None = None,
) -> Replay:
    """Retrain on each month from `first` to `last`, but for those that this store has a verdict on already.

    Args:
        console: where progress goes.
        arm: who runs it.
        first: earliest month that arrives; by default the first that has one before it.
        last: latest one; by default the last there is.
        name: of the data set.
        state: folder above the arm's store; by default the arm's lasting one.
        port: of Airflow's api-server; 0 for any free one.
        settings: other fields of `RetrainConfig`.

    Raises:
        ConfigError: the months make no range.
        RegistryError: the store's champion has been trained on a month that is still to come.
    """
    months = _range(name, first, last)
    configs = make_configs(months, (state or STATE) / arm, {"dataset": name, **(settings or {})})
    dataset.ensure()
    stores.create(configs[0])
    before = verdicts(configs[0])
    todo = [config for config in configs if config.month not in before]
    seconds: dict[str, float | None] = {}
    errors: dict[str, str | None] = {}
    if before and todo:
        console.print(f"{len(months) - len(todo)} of {len(months)} months have been done before", highlight=False)
    if todo:
        registry.fair_champion(todo[0])
        with Display(console, [arm]) as display:
            done = run(arm, todo, display, port=port)
        seconds = {each.month: each.seconds for each in done.retrainings}
        errors = {each.month: each.error for each in done.retrainings}
    with console.status("scoring the models that were not asked"):
        rows = timeline(configs, seconds, errors)
    result = Replay(
        environment=results.environment(),
        arm=arm,
        dataset=name,
        versions=results.versions(arm),
        tracking_uri=results.relative(configs[0].tracking_uri),
        retrainings=rows,
        mean_auc=_means(rows),
        status="succeeded" if all(row.status == "succeeded" for row in rows) else "failed",
    )
    results.write(result, configs[0].state / "replay.json")
    return result


def _range(name: str, first: str | None, last: str | None) -> list[str]:
    windows = datasets.get(name).windows
    first, last = first or windows[1], last or windows[-1]
    for month in (first, last):
        if month not in windows[1:]:
            raise ConfigError(
                f"there is no month {month} to retrain on",
                where="--from and --to",
                fix=f"choose from {windows[1]} to {windows[-1]}; the first month has nothing before it",
            )
    if first > last:
        raise ConfigError(
            f"{first} comes after {last}", where="--from and --to", fix="give the earlier month to --from"
        )
    return [month for month in windows if first <= month <= last]


def verdicts(config: RetrainConfig) -> dict[str, tuple[Entry, Verdict]]:
    """The first verdict on each month that the promotion log of this store has."""
    found: dict[str, tuple[Entry, Verdict]] = {}
    for entry in registry.promotion_log(config):
        if entry.event in ("promoted", "rejected") and entry.month not in found:
            found[entry.month] = entry, tracking.recorded_verdict(config, entry.run_id)
    return found


def timeline(
    configs: list[RetrainConfig], seconds: dict[str, float | None], errors: dict[str, str | None]
) -> list[Month]:
    """One row a month, with the models that the pipeline itself does not ask."""
    base = configs[0]
    judged = verdicts(base)
    promoted = [entry.champion for entry, _ in judged.values() if entry.event == "promoted" and entry.champion]
    frozen = registry.load_model(base, promoted[0]) if promoted else None
    every: Model | None = None
    last_month: Model | None = None
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "months"
        there = [config.month for config in configs if config.month in judged]
        if there:
            data.fetch_window(base, folder, [each for each in base.spec.windows if each <= there[-1]])
        for config in configs:
            if config.month not in judged:
                cause = errors.get(config.month) or "it was never run"
                rows.append(Month(month=config.month, status="failed", error=cause))
                continue
            entry, verdict = judged[config.month]
            row = _row(entry, verdict, seconds.get(config.month))
            features, target = monitor.accepted_rows(config, config.month, folder)
            challenger = registry.load_uri(config, verdict.challenger.model_uri)
            if _auc(challenger, features, target) != verdict.challenger.auc:
                # Figures of other rows cannot be set beside those of the verdict.
                rows.append(row.model_copy(update={"data_changed": True}))
                every = last_month = None
                continue
            alone = _last_month_alone(config, folder, features, target)
            others = {
                "frozen_auc": _auc(frozen, features, target) if verdict.champion_version else None,
                "every_auc": _auc(every, features, target),
                "last_month_auc": _auc(last_month, features, target),
                "last_month_passes": _passes(config, verdict, alone, folder),
            }
            rows.append(row.model_copy(update=others))
            every, last_month = challenger, alone
    return rows


def _last_month_alone(config: RetrainConfig, folder: Path, features: pd.DataFrame, target: NDArray[np.int8]) -> Model:
    """The candidates, trained on nothing but the month before the one that has arrived, and the best of them on it."""
    spec = config.spec
    rows, answers = monitor.accepted_rows(config, config.train_months[-1], folder)
    models: list[Model] = []
    for candidate in config.candidates:
        names = config.features(candidate)
        models.append((train.fit(candidate, spec, rows[list(names)], answers, config.seed), names))
    return min(models, key=lambda model: float(log_loss(target, _score(model, features))))


def _auc(model: Model | None, features: pd.DataFrame, target: NDArray[np.int8]) -> float | None:
    return None if model is None else float(roc_auc_score(target, _score(model, features)))


def _score(model: Model, features: pd.DataFrame) -> NDArray[np.float64]:
    pipeline, names = model
    return train.score(pipeline, features[list(names)])


def _passes(config: RetrainConfig, verdict: Verdict, challenger: Model, folder: Path) -> bool | None:
    """Would the gate have promoted this challenger over the champion of the time?"""
    if verdict.champion_version is None:
        return None
    spec = config.spec
    path = folder / f"{config.month}.parquet"
    frame, target, blocks = data.load_holdout(spec, path, spec.features)
    champion = registry.load_model(config, verdict.champion_version)
    result = gate.compare(
        _score(challenger, frame),
        _score(champion, frame),
        target,
        gate.block_codes(blocks),
        replicates=config.gate.replicates,
        confidence=config.gate_confidence,
        guard_confidence=config.gate.confidence,
        seed=config.seed,
    )
    return gate.passes(result, min_auc_gain=config.gate.min_auc_gain)


def _row(entry: Entry, verdict: Verdict, seconds: float | None) -> Month:
    best, drift = verdict.challenger, verdict.drift
    return Month(
        month=entry.month,
        status="succeeded",
        seconds=seconds,
        candidate=best.candidate,
        promoted=verdict.promote,
        version=entry.champion if verdict.promote else None,
        auc=best.auc,
        champion_auc=None if verdict.champion_version is None else verdict.champion_auc,
        champion_version=verdict.champion_version,
        auc_gain=verdict.auc_gain,
        log_loss=best.log_loss,
        reason=verdict.reason,
        drift=None if drift is None else drift.retrain,
        drift_reasons=() if drift is None else drift.reasons,
        positive_rate=None if drift is None else drift.positive_rate,
        mean_score=None if drift is None else drift.mean_score,
        score_psi=None if drift is None else drift.score_psi,
        model_digest=best.model_digest,
    )


#: How the documents call each rule, and the field that holds its AUC.
RULES = {
    "champion (gated)": "champion_auc",
    "every challenger promoted": "every_auc",
    "last month alone, promoted": "last_month_auc",
    "never retrained": "frozen_auc",
}


def _means(rows: list[Month]) -> dict[str, float]:
    values = [[getattr(row, field) for field in RULES.values()] for row in rows]
    whole = [each for each in values if None not in each]
    return {name: round(fmean(column), 4) for name, column in zip(RULES, zip(*whole, strict=True), strict=False)}


def table(result: Replay) -> Table:
    """The timeline, for a terminal of 100 columns."""
    view = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    left = ("month", "verdict", "drift")
    columns = ("month", "verdict", "ver-\nsion", "chal-\nlenger", "cham-\npion", "every", "last\nmonth", "never")
    for name in (*columns, "AUC gain and its interval", "drift"):
        view.add_column(name, no_wrap=True, vertical="bottom", justify="left" if name in left else "right")
    for row in result.retrainings:
        if row.status == "failed":
            view.add_row(row.month, "[red]failed[/red]")
            continue
        aucs = (row.auc, row.champion_auc, row.every_auc, row.last_month_auc, row.frozen_auc)
        view.add_row(
            row.month,
            "[green]promoted[/green]" if row.promoted else "[yellow]rejected[/yellow]",
            "" if row.version is None else str(row.version),
            *("" if each is None else f"{each:.3f}" for each in aucs),
            "" if row.auc_gain is None else "{:+.3f} \\[{:+.3f}, {:+.3f}]".format(*row.auc_gain),
            {True: "[yellow]retrain[/yellow]", False: "quiet", None: ""}[row.drift],
        )
    return view


def summary(result: Replay) -> list[str]:
    """What the timeline says, in a few lines."""
    done = [row for row in result.retrainings if row.status == "succeeded"]
    promotions = sum(bool(row.promoted) for row in done)
    tried = [row.last_month_passes for row in done if row.last_month_passes is not None]
    lines = [f"{len(done)} retrainings, {promotions} promotions"]
    if result.mean_auc:
        lines.append("mean AUC in use: " + "; ".join(f"{name} {value:.3f}" for name, value in result.mean_auc.items()))
    if tried:
        lines.append(f"of {len(tried)} challengers trained on the last month alone, the gate lets {sum(tried)} pass")
    lines += [
        f"{row.month}: the data have changed since its verdict, so only the champion and the challenger are shown"
        for row in done
        if row.data_changed
    ]
    return [*lines, *(f"{row.month} failed: {row.error}" for row in result.retrainings if row.error)]
