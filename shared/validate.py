"""Validate: hold every month (or other window) against the contract, set impossible rows aside, tell what drifts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pandas as pd
import pandera.errors

from shared import drift
from shared.config import RetrainConfig
from shared.datasets import Dataset
from shared.errors import DataError
from shared.files import link_or_copy, make_folder, read_window, write_window
from shared.records import Reference, Report, Window

log = logging.getLogger(__name__)


def validate_window(window: Window, out: Path) -> Report:
    """Check every month of the window and write the accepted rows to `out`, one file a month.

    Args:
        window: the ingested months.
        out: folder to fill; an earlier attempt's files are replaced.

    Raises:
        DataError: naming every breach of the contract, and the file.
        StorageError: `out` cannot be written.
    """
    config = window.config
    make_folder(out, empty=True)
    rows: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    answered: dict[str, tuple[int, int]] = {}  # rows with an answer, and positive ones

    def accepted(months: list[str]) -> Iterator[pd.DataFrame]:
        for month in months:  # one whole month at a time: all of them may be more than the memory there is
            source = window.data / f"{month}.parquet"
            frame = read_window(source)
            bad = impossible_rows(frame, month, config)
            if len(bad):
                frame = frame.drop(index=bad)
                quarantined[month] = len(bad)
                write_window(frame, out / source.name)
            else:
                link_or_copy(source, out / source.name)
            rows[month] = len(frame)
            answers = frame[[config.spec.outcome]].dropna()
            answered[month] = len(answers), int(config.spec.positive(answers).sum())
            yield frame
            del frame

    reference = drift.reference(config.spec, accepted(config.train_months))
    (out / drift.REFERENCE).write_text(reference.model_dump_json())
    [holdout] = accepted([config.month])
    _refuse_one_answer(config, answered, holdout)
    report = _report(holdout, rows, reference, quarantined, config)
    kept, aside = sum(rows.values()), sum(quarantined.values())
    log.info("accepted %d rows of %d %ss, %d set aside", kept, len(rows), config.spec.window_is, aside)
    for line in report.warnings:
        log.warning("%s", line)
    return report


def impossible_rows(frame: pd.DataFrame, month: str, config: RetrainConfig) -> pd.Index:
    """Index of the rows to set aside because a reading is physically impossible.

    Raises:
        DataError: any other breach of the contract, or more impossible rows than the config allows.
    """
    dataset, settings = config.spec, config.contract
    rules, bounds = dataset.contract, settings.rows(dataset)
    surely_kept = getattr(rules, "kept", None)
    if surely_kept and surely_kept(frame, month, bounds):
        return pd.Index([])
    try:
        rules.contract(month, bounds).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        reading = cases["column"].isin(list(dataset.contract.RANGES)) & cases["check"].str.startswith("in_range")
        bad: pd.Index = pd.Index(cases.loc[reading, "index"].dropna().unique())
        breaches = _told(cases[~reading], frame, dataset)
        if len(bad) > settings.quarantine(dataset) * len(frame):
            breaches += _told(cases[reading], frame, dataset)
        if breaches:
            raise DataError(
                f"the data contract is broken: {'; '.join(breaches)}",
                where=dataset.path(month),
                fix="correct the file at its source, or, if the data have changed for good, change "
                f"shared/datasets/{dataset.name}/contract.py",
            ) from None
        return bad
    return pd.Index([])


def _refuse_one_answer(config: RetrainConfig, answered: dict[str, tuple[int, int]], holdout: pd.DataFrame) -> None:
    """See that there is something to learn and something to judge by: both answers, and blocks to resample.

    Raises:
        DataError: the training windows or the holdout hold one answer only, or the holdout fewer than two blocks.
    """
    dataset, kind = config.spec, config.spec.window_is
    fix = f"choose another {kind}, or make the data set's windows longer"
    for months in (config.train_months, [config.month]):
        rows, found = (sum(answered[month][part] for month in months) for part in (0, 1))
        if not 0 < found < rows:
            span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
            raise DataError(
                f"{span} has one answer only: {found} of {rows} {dataset.rows_are} are positive",
                where=dataset.path(months[-1]),
                fix=fix,
            )
    if holdout.loc[holdout[dataset.outcome].notna(), dataset.block].nunique() < 2:
        raise DataError(
            f"{config.month} is a single block (column {dataset.block}): no bootstrap can judge a challenger on it",
            where=dataset.path(config.month),
            fix=fix,
        )


def _told(cases: pd.DataFrame, frame: pd.DataFrame, dataset: Dataset) -> list[str]:
    """One phrase for each column and rule that is broken, with the number of rows and an example."""
    checks = cases["check"].astype("str")
    structure = checks.str.startswith(("column_in_", "dtype("))
    if structure.any():  # what the rows hold is beside the point while columns are missing or of another type
        cases, checks = cases[structure], checks[structure]
    phrases = []
    for names, group in cases.groupby(["column", checks], sort=False, dropna=False):
        column, check = (str(name) for name in cast("tuple[object, object]", names))
        example = group["failure_case"].iloc[0]
        if check == "column_in_dataframe":
            phrases.append(f"column {example} is missing")
        elif check == "column_in_schema":
            leak = ": it would leak the answer" if example in dataset.leaky else ""
            phrases.append(f"column {example} is not part of the contract{leak}")
        elif check.startswith("dtype("):
            phrases.append(f"column {column} has type {frame[column].dtype} instead of {check[7:-2]}")
        elif group["index"].isna().all():
            phrases.append(check if group["schema_context"].iloc[0] == "DataFrameSchema" else f"{column}: {check}")
        else:
            phrases.append(f"{column}: {len(group)} rows break {check}, such as {example}")
    return phrases


def _report(
    holdout: pd.DataFrame,
    rows: dict[str, int],
    reference: Reference,
    quarantined: dict[str, int],
    config: RetrainConfig,
) -> Report:
    """Compare the month that has arrived with the training months, feature by feature."""
    dataset, month = config.spec, config.month
    shift = drift.compare(reference, holdout[holdout[dataset.outcome].notna()])
    warnings = [f"{each}: {count} rows set aside for an impossible reading" for each, count in quarantined.items()]
    notes: list[str] = []
    for name, values in shift.novel.items():
        warnings.append(f"{month}: {name} has values never trained on: {', '.join(values)}")
    for name, jump in shift.more_missing.items():
        if jump > config.contract.null_jump:
            warnings.append(f"{month}: {name} misses {jump:.1%} more of its values than in training")
    for name, value in shift.psi.items():
        if value > config.drift.feature_psi:
            line = f"{month}: {name} has drifted (PSI {value:.2f})"
            (notes if name in dataset.restless else warnings).append(line)
    return Report(
        rows=rows,
        quarantined=quarantined,
        warnings=tuple(warnings),
        notes=tuple(notes),
        psi={name: round(value, 4) for name, value in shift.psi.items()},
        impute=_hardly_there(holdout, config),
    )


def _hardly_there(holdout: pd.DataFrame, config: RetrainConfig) -> tuple[str, ...]:
    """Numbers that the month that has arrived misses for most of its rows, or all: `impute` has to fill them in."""
    numbers = [name for name in config.spec.features if name not in config.spec.categorical]
    missing = holdout[numbers].isna().mean()
    return tuple(name for name in numbers if missing[name] >= config.contract.impute_above)
