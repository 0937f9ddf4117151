"""The catalogue of seeded faults (`faults.yaml`), and the matrix that it makes with tools and places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, model_validator

from benchmarks.measures.catalog import Where
from benchmarks.places import ArmName
from shared.config import Record
from shared.errors import ConfigError

FOLDER = Path(__file__).parent
CONTROL = "control"
#: No row but one that says why there is none.
NO_CLUSTER = (
    "Kubeflow has no compose stack: its server needs a cluster, and no Kind node was in reach here; "
    "`./bakeoff up kubeflow` makes one, and `./bakeoff verify kubeflow` runs the pipeline there"
)
Kind = Literal[
    "nothing",
    "data",
    "code",
    "image",
    "memory",
    "tracking_down",
    "tracking_403",
    "database",
    "credential",
    "stale_cache",
    "flaky",
    "rejection",
]
Ends = Literal["failed", "recovered", "running", "succeeded", "refused"]


class Edit(Record):
    """A change of one file, told by text that occurs in it once."""

    file: str
    replace: str = ""
    by: str = ""
    #: A whole line, without its indentation; `insert` then gets that line's.
    before: str = ""
    insert: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.replace) == bool(self.before):
            raise ValueError("an edit has either `replace` and `by`, or `before` and `insert`")
        return self

    def apply(self, text: str) -> str:
        """The changed text.

        Raises:
            ConfigError: the anchor is not there exactly once: the code has changed since the catalogue was written.
        """
        if self.replace:
            self._once(text.count(self.replace), self.replace)
            return text.replace(self.replace, self.by)
        found = re.findall(rf"(?m)^([ \t]*){re.escape(self.before)}$", text)
        self._once(len(found), self.before)
        inserted = "".join(found[0] + line if line.strip() else line for line in self.insert.splitlines(keepends=True))
        anchor = found[0] + self.before
        return text.replace(anchor, inserted + anchor, 1)

    def _once(self, count: int, anchor: str) -> None:
        if count != 1:
            raise ConfigError(
                f"{anchor.strip()!r} occurs {count} times in {self.file}, not once",
                where="benchmarks/measures/debug/faults.yaml",
                fix="let the edit follow what the file says now",
            )


class Fault(Record):
    """One seeded fault; faults.yaml says what each field means."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    broken: str
    kind: Kind
    spoil: Literal["", "rename", "missing"] = ""
    cause: str | dict[str, str]
    ends: Ends
    mended: Literal["resume", "new run", "not asked"] = "resume"
    cannot: dict[ArmName, dict[Where, str]] = Field(default_factory=dict)
    verify: str = ""
    edits: dict[str, tuple[Edit, ...]] = Field(default_factory=dict)
    patience_s: float = 240.0
    quick: bool = False

    def cause_of(self, tool: ArmName, where: Where) -> re.Pattern[str]:
        """What the root-cause line looks like there."""
        if isinstance(self.cause, str):
            return re.compile(self.cause)
        return re.compile(self.cause.get(tool) or self.cause[where])

    def edits_of(self, tool: ArmName, where: Where) -> tuple[Edit, ...]:
        """The changes of code there."""
        return tuple(edit for key in ("all", where.value, tool.value) for edit in self.edits.get(key, ()))

    def why_not(self, tool: ArmName, where: Where) -> str:
        """Why the fault does not exist there, with the command that shows it elsewhere; '' where it does."""
        if reason := self.cannot.get(tool, {}).get(where):
            return f"{reason}; elsewhere it does: `{self.verify}`" if self.verify else reason
        if where is Where.COMPOSE and tool is ArmName.KUBEFLOW:
            return NO_CLUSTER
        return ""


@dataclass(frozen=True)
class Cell:
    """One fault, one tool, one place."""

    fault: Fault
    tool: ArmName
    where: Where
    why_not: str

    @property
    def labels(self) -> dict[str, str]:
        """As a result's case."""
        return {"tool": self.tool.value, "where": self.where.value, "fault": self.fault.id}


@cache
def faults() -> tuple[Fault, ...]:
    """All faults, the control first."""
    return tuple(Fault.model_validate(each) for each in yaml.safe_load((FOLDER / "faults.yaml").read_text()))


def fault(name: str) -> Fault:
    """A fault by its id.

    Raises:
        ConfigError: there is none.
    """
    for each in faults():
        if each.id == name:
            return each
    names = ", ".join(each.id for each in faults() if each.id != CONTROL)
    raise ConfigError(f"there is no fault {name}", where="FAULT", fix=f"choose from {names}")


def cells(tool: ArmName, where: Where, *, quick: bool = False) -> Iterator[Cell]:
    """The row of the matrix that belongs to a tool in a place: every fault, run or with a reason why not.

    Plain Python has no servers, so its row in compose is empty.
    """
    if tool is ArmName.PLAIN and where is Where.COMPOSE:
        return
    for each in faults():
        if each.quick or not quick:
            yield Cell(each, tool, where, each.why_not(tool, where))
