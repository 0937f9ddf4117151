"""The commands about the model that the runs have left: its history, lineage, drift and predictions."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import dataset, stores
from benchmarks.places import ArmName, Stack
from shared import datasets
from shared.config import RetrainConfig
from shared.errors import DataError, StorageError

On = Annotated[ArmName, typer.Option(help="Which arm's tracking store.")]
State = Annotated[Path | None, typer.Option(help="Folder that the store is below; by default .bakeoff.")]
TrackingUri = Annotated[str | None, typer.Option(help="An MLflow server instead of the arm's own store.")]
Of = Annotated[str, typer.Option("--dataset", help=f"Which data set: {' or '.join(datasets.names())}.")]
InStack = Annotated[
    Stack, typer.Option("--stack", help="The arm's embedded store, or the MLflow of its compose stack.")
]
EnvFile = Annotated[Path | None, typer.Option(help="Of the compose stack; by default compose/.env.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def approve(
    run: Annotated[str, typer.Argument(help="The MLflow run of a retraining that waits for an answer.")],
    by: Annotated[str, typer.Option(help="Who answers; it goes into the promotion log.")],
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no.")] = False,
    on: On = ArmName.KUBEFLOW,
    state: State = None,
    tracking_uri: TrackingUri = None,
    of: Of = datasets.DEFAULT,
    stack: InStack = Stack.EMBEDDED,
    env_file: EnvFile = None,
) -> None:
    """Answer a Kubeflow retraining that waits for a person; Airflow and Prefect ask on their own pages."""
    from shared import approval

    approval.answer(stores.existing(on, state, tracking_uri, of, stack, env_file), run, by, approve=not refuse)
    out.print(f"{'refused' if refuse else 'approved'} by {by}", highlight=False, markup=False)


def history(
    on: On = ArmName.PLAIN,
    state: State = None,
    tracking_uri: TrackingUri = None,
    of: Of = datasets.DEFAULT,
    stack: InStack = Stack.EMBEDDED,
    env_file: EnvFile = None,
    repair: Annotated[bool, typer.Option(help="Set entries that were changed by hand aside.")] = False,
    json: Json = False,
) -> None:
    """The promotion log: who was champion when, why, and on which evidence."""
    from shared import registry

    config = stores.existing(on, state, tracking_uri, of, stack, env_file)
    if repair:
        mark = registry.repair_log(config)
        err.print("the log is sound: nothing to repair" if mark is None else mark.reason, highlight=False)
    entries = registry.promotion_log(config)
    if json:
        print_json([entry.json_dict() for entry in entries])
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("time (UTC)", "month", "event", "champion", "by", "reason"):
        table.add_column(name, no_wrap=name != "reason")
    for entry in entries:
        champion = "" if entry.champion is None else f"version {entry.champion}"
        table.add_row(entry.time[:19], entry.month, entry.event, champion, entry.orchestrator, escape(entry.reason))
    out.print(table)
    present = registry.champion(config)
    out.print(
        "no champion yet" if present is None else f"champion of {config.model_name}: version {present}", highlight=False
    )


def rollback(
    on: On = ArmName.PLAIN,
    to: Annotated[int | None, typer.Option(help="Version; by default the champion before the present one.")] = None,
    reason: Annotated[str, typer.Option(help="For the promotion log.")] = "asked for by hand",
    state: State = None,
    tracking_uri: TrackingUri = None,
    of: Of = datasets.DEFAULT,
    stack: InStack = Stack.EMBEDDED,
    env_file: EnvFile = None,
    json: Json = False,
) -> None:
    """Make the former champion champion again."""
    from shared import promotion

    entry = promotion.rollback(stores.existing(on, state, tracking_uri, of, stack, env_file), to, reason)
    if json:
        print_json(entry.json_dict())
    else:
        out.print(f"champion is version {entry.champion} again, in place of version {entry.former}", highlight=False)


def lineage(
    version: Annotated[int, typer.Argument(help="Registered version.")],
    on: On = ArmName.PLAIN,
    state: State = None,
    tracking_uri: TrackingUri = None,
    of: Of = datasets.DEFAULT,
    stack: InStack = Stack.EMBEDDED,
    env_file: EnvFile = None,
    json: Json = False,
) -> None:
    """What a version was made of, and what became of it: data, code, run, config, evidence, ancestors."""
    from shared.lineage import lineage as trace

    found = trace(stores.existing(on, state, tracking_uri, of, stack, env_file), version).json_dict()
    if json:
        print_json(found)
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in found.items():
        table.add_row(name.replace("_", " "), escape(_flat(value)))
    out.print(table)


def _flat(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_flat(each)}" for name, each in value.items())
        case list():
            return ", ".join(_flat(each) for each in value) or "none"
        case float():
            return f"{value:.5g}"
    return str(value)


def reproduce(
    version: Annotated[int, typer.Argument(help="Registered version.")],
    on: On = ArmName.PLAIN,
    state: State = None,
    tracking_uri: TrackingUri = None,
    of: Of = datasets.DEFAULT,
    stack: InStack = Stack.EMBEDDED,
    env_file: EnvFile = None,
    data_repo: Annotated[
        str | None, typer.Option(help="Repository with the data; by default the recorded one.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a version again from its recorded data version, config and seed: is it the same, bit for bit?"""
    from shared.lineage import reproduce as remake

    config = stores.existing(on, state, tracking_uri, of, stack, env_file)
    with tempfile.TemporaryDirectory() as folder, err.status(f"training version {version} again"):
        again = remake(config, version, Path(folder) / "work", data_repo)
    if json:
        print_json(again.json_dict())
    else:
        verdict = "[green]the same model[/green]" if again.same else "[red]another model[/red]"
        line = f"version {version} ({again.candidate}) from data version {again.data_version}: {verdict}"
        out.print(line, soft_wrap=True, highlight=False)
        out.print(f"recorded digest {again.digest}\nretrained       {again.digest_again}", highlight=False)
        out.print(f"largest difference of a holdout score: {again.largest_score_difference:g}", highlight=False)
        for line in again.differences:
            out.print(f"differs from then: {line}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if again.same else 1)


def drift(
    month: Annotated[str, typer.Option(help="The month that has arrived.")],
    on: On = ArmName.PLAIN,
    state: State = None,
    tracking_uri: TrackingUri = None,
    of: Of = datasets.DEFAULT,
    stack: InStack = Stack.EMBEDDED,
    env_file: EnvFile = None,
    exit_code: Annotated[bool, typer.Option(help="End with 3 when a retraining is asked for.")] = False,
    json: Json = False,
) -> None:
    """Does a month still look like what the champion was trained on, or does it ask for a retraining?"""
    from shared.monitor import watch

    dataset.ensure()
    store = stores.existing(on, state, tracking_uri, of, stack, env_file)
    config = RetrainConfig.model_validate({**store.model_dump(), "month": month})
    with tempfile.TemporaryDirectory() as folder:
        seen = watch(config, Path(folder) / "work")
    if json:
        print_json(seen.json_dict())
    else:
        verdict = "[yellow]retrain[/yellow]" if seen.retrain else "[green]no need to retrain[/green]"
        out.print(f"{month} against champion version {seen.champion_version}: {verdict}")
        gap = seen.positive_rate - seen.mean_score
        out.print(
            f"positives {seen.positive_rate:.1%}, predicted {seen.mean_score:.1%} ({gap:+.1%}; limit "
            f"{config.drift.rate_gap:.0%}); score PSI {seen.score_psi:.2f} (limit {config.drift.score_psi}); "
            f"rows with new labels {seen.novel_share:.2%} (limit {config.drift.novel_share:.0%})",
            highlight=False,
            soft_wrap=True,
        )
        for kind, lines in (("asks", seen.reasons), ("warning", seen.warnings), ("note", seen.notes)):
            for line in lines:
                out.print(f"{kind}: {line}", highlight=False, markup=False, soft_wrap=True)
    if exit_code and seen.retrain:
        raise typer.Exit(3)


def predict(
    file: Annotated[Path, typer.Argument(help="CSV or parquet file with the model's features.")],
    alias: Annotated[str, typer.Option(help="Whose predictions.")] = "champion",
    to: Annotated[
        Path | None, typer.Option(help="CSV or parquet file to write; by default CSV to standard output.")
    ] = None,
    on: On = ArmName.PLAIN,
    state: State = None,
    tracking_uri: TrackingUri = None,
    of: Of = datasets.DEFAULT,
    stack: InStack = Stack.EMBEDDED,
    env_file: EnvFile = None,
) -> None:
    """Score the rows of a file: its own columns, and `score`, the probability of a positive."""
    from shared import serving

    if to is not None and to.suffix not in (".csv", ".parquet"):
        raise StorageError("predictions are written as CSV or parquet", where=str(to), fix="name it .csv or .parquet")
    store = stores.existing(on, state, tracking_uri, of, stack, env_file)
    rows = serving.read_rows(file, store.spec)
    if "score" in rows.columns:
        raise DataError("the file has a column score already", where=str(file), fix="rename it")
    scores, version = serving.predict(store, rows, alias)
    result = rows.assign(score=scores)
    try:
        if to is None:
            result.to_csv(sys.stdout, index=False)
        elif to.suffix == ".csv":
            result.to_csv(to, index=False)
        else:
            result.to_parquet(to, index=False)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", where=str(to), fix="choose another place") from error
    err.print(f"{len(rows)} rows scored by version {version}, mean {scores.mean():.4f}", highlight=False)


def print_json(value: Any) -> None:
    import json as library

    print(library.dumps(value, indent=2))


COMMANDS = (approve, history, rollback, lineage, reproduce, drift, predict)
