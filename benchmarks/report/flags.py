"""What a reader has to know before any figure: other machines, other code, short profiles, wide spreads, failures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import results
from benchmarks.report.collect import Collected, Measured, machine
from benchmarks.report.figures import Cases

WIDE = "least and most lie more than half a median apart, so that the machine was not quiet, or the tool is not even"


def flags(collected: Collected) -> Iterator[str]:
    """One sentence each; none where all is as it should be."""
    told = {name: each.result.environment for name, each in collected.measured.items()}
    yield from _differ("machines", {name: machine(each) for name, each in told.items()})
    yield from _differ("versions of the code (commits)", {name: each.commit[:12] for name, each in told.items()})
    dirty = [name for name, each in told.items() if each.commit.endswith("-dirty")]
    if dirty:
        yield f"Measured with changes that were not committed: {', '.join(dirty)}."
    quick = [name for name, each in collected.measured.items() if each.result.profile == "quick"]
    if quick:
        yield f"Quick profile, with fewer samples and smaller cases: {', '.join(quick)}."
    found = {name: _counts(each) for name, each in collected.measured.items()}
    missed = [f"{name} ({each.missed} of {each.samples})" for name, each in found.items() if each.missed]
    if missed:
        yield f"Some samples have no figure, and are listed with their causes: {', '.join(missed)}."
    noisy = [f"{name} ({each.noisy} of {each.figures})" for name, each in found.items() if each.noisy]
    if noisy:
        yield f"Figures marked with ! {WIDE}: {', '.join(noisy)}."
    resumed = [name for name, each in collected.measured.items() if each.result.resumed]
    if resumed:
        yield f"Interrupted, and gone on with later: {', '.join(resumed)}."
    for name, each in collected.measured.items():
        if each.undefined:
            yield f"Without a definition, so not shown: {', '.join(each.undefined)} of {name}."
    for skipped in collected.skipped:
        yield f"{skipped.file} is left out: {skipped.cause}."


@dataclass(frozen=True)
class Counts:
    """Of one measure: samples that count, and figures of cases."""

    samples: int
    failed: int
    absent: int
    figures: int
    noisy: int

    @property
    def missed(self) -> str:
        """How many samples are without a figure, in words; '' for none."""
        counts = {"failed": self.failed, "not run": self.absent}
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _counts(measured: Measured) -> Counts:
    counted = [each for each in measured.result.samples if not each.warmup]
    failed, absent = (sum(each.status == status for each in counted) for status in ("failed", "not run"))
    cases = Cases(measured.result)
    figures = [cases.timing(case, figure.name) for case in cases.cases for figure in measured.measure.figures]
    noisy = sum(each.noisy for each in figures if each)
    return Counts(len(counted), failed, absent, sum(each is not None for each in figures), noisy)


def of_measure(measured: Measured) -> Iterator[str]:
    """What is to be told beside the figures of one measure."""
    found = _counts(measured)
    if found.noisy:
        yield f"In {found.noisy} of {found.figures} figures (marked with !) {WIDE}."


def _differ(what: str, told: dict[str, str]) -> Iterator[str]:
    by: dict[str, list[str]] = {}
    for name, value in told.items():
        by.setdefault(value, []).append(name)
    if len(by) > 1:
        parts = "; ".join(f"{', '.join(names)}: {value}" for value, names in by.items())
        yield f"Results come from different {what}, so compare within a measure only. {parts}."


def software(environment: results.Environment) -> str:
    """The code in words."""
    return f"commit {environment.commit[:12]}{' with changes' if environment.commit.endswith('-dirty') else ''}"
