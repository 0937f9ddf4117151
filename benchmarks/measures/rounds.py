"""Take the samples of a measure: cases in turns, round after round, each kept as it comes, so that nothing is lost."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmarks import results
from benchmarks.display import Display
from benchmarks.measures.record import Profile, Result, Sample, Status
from benchmarks.places import ROOT, STATE
from benchmarks.stack_cost import brief
from shared.errors import BakeoffError

Tell = Callable[[str], None]
#: After so many failures in a row a case is left alone: each may have taken minutes to fail.
GIVE_UP_AFTER = 2
#: What is measured, and what measures: samples of other code are not gone on with.
_CODE = ("shared", "prefect_impl", "airflow_impl", "kubeflow_impl", "benchmarks/measures", "locks", "compose")
_KINDS = (".py", ".yaml", ".json", ".txt", ".sh")


@dataclass(frozen=True)
class Taken:
    """What one sample gave."""

    figures: dict[str, float]
    texts: dict[str, str] = field(default_factory=dict)


class Failed(BakeoffError):
    """A sample that failed; its figures, of what came before, are kept.

    Args:
        taken: what there is.
    """

    def __init__(self, what: str, *, where: str, fix: str, taken: Taken | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.taken = taken or Taken({})


@dataclass(frozen=True)
class Case:
    """One thing that is measured again and again.

    Args:
        labels: what it is; unlike those of every other case of the measure.
        take: measures it once, given what its group has opened; raises `BakeoffError` where it fails.
        rounds: samples that count.
        warmup: samples before them that do not.
        estimate_s: about how long one sample takes on two cores; 0 where no machine can take it by this measure.
        cannot: why it cannot be measured here, and by which command it is; '' where it can.
    """

    labels: dict[str, str]
    take: Callable[[Any, Tell], Taken]
    rounds: int = 5
    warmup: int = 1
    estimate_s: float = 10.0
    cannot: str = ""


def elsewhere(labels: dict[str, str], cannot: str) -> Case:
    """A row of what this measure takes on no machine: it says what would."""

    def take(opened: object, tell: Tell) -> Taken:
        raise AssertionError("a case that cannot be measured is not")

    return Case(labels, take, estimate_s=0.0, cannot=cannot)


@dataclass(frozen=True)
class Group:
    """Cases that take turns, with what has to be open meanwhile, such as a stack of servers.

    Args:
        name: shown while it runs.
        cases: in the order in which they take turns.
        opened: opens what the cases need, and closes it again; raises `BakeoffError` where it cannot.
        estimate_s: about how long opening and closing takes.
    """

    name: str
    cases: Sequence[Case]
    opened: Callable[[Tell], AbstractContextManager[Any]] = lambda tell: nullcontext()
    estimate_s: float = 0.0


def estimate_s(groups: Sequence[Group], elsewhere: bool = False) -> float:
    """About how long all of it takes, in seconds.

    Args:
        groups: of the cases.
        elsewhere: on a machine that can run what this one cannot, so that the answer is the same on both.
    """
    chosen = [(group, [case for case in group.cases if elsewhere or not case.cannot]) for group in groups]
    return sum(
        group.estimate_s + sum((case.rounds + case.warmup) * case.estimate_s for case in cases)
        for group, cases in chosen
        if any(case.estimate_s for case in cases)
    )


class Journal:
    """The samples taken so far, a line each, in a file that outlives an interruption."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.samples: list[Sample] = []
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # the last one may have been cut off
        try:
            self.samples = [Sample.model_validate_json(line) for line in whole]
        except ValidationError:  # of other code
            whole = []
        self.resumed = bool(self.samples)
        if lines != whole:
            self._rewrite(whole)

    def _rewrite(self, lines: list[str]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("".join(lines))

    def add(self, sample: Sample) -> None:
        """Keep a sample."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as stream:
            stream.write(sample.model_dump_json() + "\n")
        self.samples.append(sample)

    def has(self, case: Case, number: int, warmup: bool) -> bool:
        """Has this sample been taken?"""
        return any((each.case, each.round, each.warmup) == (case.labels, number, warmup) for each in self.samples)

    def failed_last(self, case: Case) -> int:
        """How often in a row a case has failed, or been left alone, at the end."""
        count = 0
        for each in reversed([each for each in self.samples if each.case == case.labels]):
            if each.status == "succeeded":
                break
            count += 1
        return count


def journal_file(measure: str, profile: Profile) -> Path:
    """Where samples are kept until the measure is complete; named after the code that is measured."""
    digest = hashlib.sha256()
    for folder in _CODE:
        for each in sorted((ROOT / folder).rglob("*")):
            if each.suffix in _KINDS and each.is_file():
                digest.update(each.relative_to(ROOT).as_posix().encode() + b"\0" + each.read_bytes())
    return STATE / "bench" / f"{measure}-{profile}-{digest.hexdigest()[:12]}.jsonl"


def take(
    measure: str,
    groups: Sequence[Group],
    profile: Profile,
    display: Display,
    *,
    versions: Callable[[], dict[str, dict[str, str]]] = dict,
    file: Path | None = None,
) -> Result:
    """Take every sample that an earlier, interrupted call has not taken, and give all of them.

    Cases of a group take turns: a slow minute of the machine meets all alike. A failure is a row and stops nothing.

    Args:
        measure: its name.
        groups: one after the other.
        profile: quick or full.
        display: for progress, with a line for each group.
        versions: of the arms, asked at the end.
        file: the journal; by default below .bakeoff.

    Raises:
        KeyboardInterrupt: with how many samples are kept.
    """
    environment = results.environment()
    journal = Journal(file or journal_file(measure, profile))
    begin = time.monotonic()
    wanted = sum(case.rounds + case.warmup for group in groups for case in group.cases)
    try:
        for group in groups:
            _group(group, journal, display)
    except KeyboardInterrupt:
        told = f"stopped; {len(journal.samples)} of {wanted} samples are kept, and the same command goes on with them"
        raise KeyboardInterrupt(told) from None
    result = Result(
        measure=measure,
        profile=profile,
        environment=environment,
        versions=versions(),
        seconds=round(time.monotonic() - begin, 1),
        resumed=journal.resumed,
        samples=tuple(_in_order(groups, journal.samples)),
    )
    journal.file.unlink(missing_ok=True)
    return result


def _in_order(groups: Sequence[Group], samples: list[Sample]) -> list[Sample]:
    """Only what this call has asked for: the journal may hold a case that is no longer wanted."""
    asked = [case.labels for group in groups for case in group.cases]
    return [each for each in samples if each.case in asked]


def _missing(group: Group, journal: Journal) -> Iterator[tuple[Case, int, bool]]:
    most = max((case.warmup for case in group.cases), default=0)
    for number in range(most):
        for case in group.cases:
            if number < case.warmup and not journal.has(case, number, True):
                yield case, number, True
    for number in range(max((case.rounds for case in group.cases), default=0)):
        for case in group.cases:
            if number < case.rounds and not journal.has(case, number, False):
                yield case, number, False


def _group(group: Group, journal: Journal, display: Display) -> None:
    for case in group.cases:
        if case.cannot and not journal.has(case, 0, False):
            journal.add(_sample(case, 0, False, "not run", Taken({}), case.cannot))
    missing = [each for each in _missing(group, journal) if not each[0].cannot]
    if not missing:
        display.end(group.name, "all samples are there")
        return

    def tell(what: str) -> None:
        display.begin(group.name, what)

    try:
        with group.opened(tell) as opened:
            for done, (case, number, warmup) in enumerate(missing):
                which = f"{done + 1} of {len(missing)}, {' '.join(case.labels.values())}{', warm-up' * warmup}"
                tell(which)
                journal.add(_take(case, number, warmup, opened, journal, partial(_tell_more, tell, which)))
    except BakeoffError as error:  # could not be opened or closed
        for case, number, warmup in missing:
            if not journal.has(case, number, warmup):
                journal.add(_sample(case, number, warmup, "failed", Taken({}), brief(error)))
        display.end(group.name, f"[red]failed[/red]: {error.what}")
        return
    failed = sum(
        each.status == "failed" for each in journal.samples if any(each.case == one.labels for one in group.cases)
    )
    display.end(group.name, f"[red]{failed} samples have failed[/red]" if failed else "[green]done[/green]")


def _tell_more(tell: Tell, which: str, what: str) -> None:
    tell(f"{which}: {what}")


def _take(case: Case, number: int, warmup: bool, opened: Any, journal: Journal, tell: Tell) -> Sample:
    if journal.failed_last(case) >= GIVE_UP_AFTER:
        return _sample(case, number, warmup, "not run", Taken({}), f"it has failed {GIVE_UP_AFTER} times in a row")
    load = _load()
    try:
        taken = case.take(opened, tell)
    except Failed as failed:
        return _sample(case, number, warmup, "failed", failed.taken, brief(failed), load)
    except BakeoffError as error:
        return _sample(case, number, warmup, "failed", Taken({}), brief(error), load)
    return _sample(case, number, warmup, "succeeded", taken, "", load)


def _sample(
    case: Case, number: int, warmup: bool, status: Status, taken: Taken, error: str, load: float | None = None
) -> Sample:
    return Sample(
        case=case.labels,
        round=number,
        warmup=warmup,
        status=status,
        figures={name: round(value, 4) for name, value in taken.figures.items()},
        texts=taken.texts,
        error=error,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        load=load,
    )


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
