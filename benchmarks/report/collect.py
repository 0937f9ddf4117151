"""Read a folder of result files: what is there, what is missing, and what cannot be used, with the cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import results
from benchmarks.measures import catalog, record
from benchmarks.measures.catalog import Measure, Name
from benchmarks.measures.record import Result, ResultError
from benchmarks.places import RESULTS, STATE

Load = Callable[[Name], Measure]


@dataclass(frozen=True)
class Measured:
    """A measure, its result, and the file that holds it."""

    measure: Measure
    result: Result
    file: Path

    @property
    def undefined(self) -> tuple[str, ...]:
        """Figures that the file has and the measure does not define: they are named and not shown."""
        known = {each.name for each in self.measure.figures}
        return tuple(dict.fromkeys(name for one in self.result.samples for name in one.figures if name not in known))


@dataclass(frozen=True)
class Skipped:
    """A file that cannot be used."""

    file: str
    cause: str


@dataclass(frozen=True)
class Collected:
    """All of a folder, in the order of the measures."""

    folder: Path
    measured: dict[Name, Measured]
    skipped: tuple[Skipped, ...] = ()

    @property
    def missing(self) -> tuple[Name, ...]:
        """The measures without a result."""
        return tuple(name for name in Name if name not in self.measured)


def folder_of(asked: Path | None, state: Path = STATE, committed: Path = RESULTS) -> Path:
    """The folder to read: the one asked for, or else what was measured here, or else the committed results.

    Raises:
        ResultError: the one asked for is none.
    """
    if asked is not None:
        if not asked.is_dir():
            raise ResultError("there is no such folder", where=str(asked), fix="name one that holds result files")
        return asked
    own = state / "results"
    return own if any(own.glob("bench-*.json")) else committed


def collect(folder: Path, load: Load = catalog.load) -> Collected:
    """Read the results of every measure; what cannot be read is skipped, and told."""
    measured: dict[Name, Measured] = {}
    skipped: list[Skipped] = []
    for file in sorted(folder.glob("bench-*.json")):
        try:
            name, result = _read(file)
        except ResultError as error:
            skipped.append(Skipped(file.name, error.what))
        else:
            measured[name] = Measured(load(name), result, file)
    return Collected(folder, {name: measured[name] for name in Name if name in measured}, tuple(skipped))


def _read(file: Path) -> tuple[Name, Result]:
    result = record.read(file)
    told = file.stem.removeprefix("bench-")
    if told != result.measure:
        what = f"the file is named after {told}, but holds a result of {result.measure}"
        raise ResultError(what, where=str(file), fix=f"name it bench-{result.measure}.json")
    try:
        return Name(told), result
    except ValueError:
        known = ", ".join(Name)
        raise ResultError(f"there is no measure {told}", where=str(file), fix=f"known are {known}") from None


def machine(environment: results.Environment) -> str:
    """A machine in words, without date and commit."""
    memory = f"{environment.memory_gib:.0f} GiB"
    return f"{environment.cpus} x {environment.cpu}, {memory}, {environment.os}, Python {environment.python}"
