"""The result file of a measure: one row a sample, failed ones too, with the machine and versions it was taken on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks import results, stats
from benchmarks.places import RESULTS
from shared.errors import BakeoffError

#: Of result files; another one is told and not read.
SCHEMA_VERSION = 1
Status = Literal["succeeded", "failed", "not run"]
Profile = Literal["quick", "full"]
Unit = Literal["s", "ms", "MB", "MiB", "%", "count", "lines"]


class ResultError(BakeoffError):
    """A result file that cannot be used."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Record):
    """One kind of number of a measure, and what it means: no figure is shown without its definition."""

    name: str
    title: str
    unit: Unit
    definition: str
    #: None: neither more nor less is better.
    less_is_better: bool | None = True


class Sample(_Record):
    """One sample of one case. A failed one has a cause and keeps what figures there are."""

    #: What was measured, as labels: {"tool": "airflow", "where": "embedded", ...}.
    case: dict[str, str]
    #: From 0; a warm-up has a count of its own, is kept, and is part of no figure.
    round: int
    warmup: bool = False
    status: Status
    figures: dict[str, float] = {}
    #: What is no number: the line that told the cause, the version that was found.
    texts: dict[str, str] = {}
    #: Why it failed or was not run; for the latter also the command that would.
    error: str = ""
    at: str
    #: Processes that wanted a CPU in the minute before, by the system's load average.
    load: float | None = None


class Result(_Record):
    """One measure on one machine."""

    schema_version: Literal[1] = 1
    measure: str
    profile: Profile
    environment: results.Environment
    #: By arm: the versions that decide what it costs.
    versions: dict[str, dict[str, str]]
    #: All of the measurement, warm-ups and starts included.
    seconds: float
    #: Has it been interrupted, and gone on later?
    resumed: bool = False
    samples: tuple[Sample, ...]

    def of(self, **labels: str) -> list[Sample]:
        """The samples that count and have these labels, in the order of their rounds."""
        found = [each for each in self.samples if not each.warmup and labels.items() <= each.case.items()]
        return sorted(found, key=lambda each: each.round)

    def cases(self) -> list[dict[str, str]]:
        """Each case once, in the order of the file."""
        return list({tuple(each.case.items()): each.case for each in self.samples}.values())

    def timing(self, figure: str, **labels: str) -> stats.Timing | None:
        """One figure of the samples with these labels that succeeded; None where there is none."""
        return _timing(self.of(**labels), figure)

    def over(self, figure: str, baseline: dict[str, str], **labels: str) -> stats.Timing | None:
        """One figure beyond that of a baseline case, round by round; None where there is no pair."""
        ours, theirs = (_by_round(self.of(**each), figure) for each in (labels, baseline))
        both = sorted(ours.keys() & theirs.keys())
        return stats.over([ours[each] for each in both], [theirs[each] for each in both])


def _by_round(samples: Iterable[Sample], figure: str) -> dict[int, float]:
    return {
        each.round: each.figures[figure] for each in samples if each.status == "succeeded" and figure in each.figures
    }


def _timing(samples: Iterable[Sample], figure: str) -> stats.Timing | None:
    found = _by_round(samples, figure)
    return stats.timing(found.values()) if found else None


def path(measure: str, folder: Path = RESULTS) -> Path:
    """Where the result of a measure is kept."""
    return folder / f"bench-{measure}.json"


def read(file: Path) -> Result:
    """Read a result file.

    Raises:
        ResultError: it is not there, half-written, of another schema version, or no result of a measure.
    """
    again = "measure again, or leave it out"
    try:
        told = json.loads(file.read_text())
    except FileNotFoundError:
        raise ResultError("there is no such result file", where=str(file), fix="name one that is there") from None
    except (ValueError, OSError) as error:
        raise ResultError(f"this file is half-written or no JSON: {error}", where=str(file), fix=again) from error
    version = told.get("schema_version") if isinstance(told, dict) else None
    if version != SCHEMA_VERSION:
        which = "no schema version" if version is None else f"schema version {version}"
        what = f"this file has {which}, and this code reads version {SCHEMA_VERSION}"
        raise ResultError(what, where=str(file), fix=again)
    try:
        return Result.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"this is no result of a measure: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ResultError(what, where=str(file), fix=again) from error
