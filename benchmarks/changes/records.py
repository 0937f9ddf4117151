"""What measuring the changes gave: for each way of each tool what starting took, and each change or why it failed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks import results
from benchmarks.changes.scenarios import Scenario, Way
from benchmarks.ci.pipelines import Part
from benchmarks.places import RESULTS

FILE = RESULTS / "changes.json"
NO_SERVER = "no server: it is run with --host and --registry only"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Command(_Record):
    """What was typed, as it was typed."""

    line: str
    status: Literal["passed", "failed", "not run"]
    seconds: float | None = None
    #: Why it has not been run, or the end of what a failed one has printed.
    note: str = ""


class Touched(_Record):
    """What a change is made of, as `git diff --numstat` counts."""

    files: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0


class Change(_Record):
    """One scenario. Seconds are from the start of its first command; None where that has not been seen."""

    scenario: Scenario
    status: Literal["passed", "failed", "not run"]
    #: Why it failed, or has not been run.
    cause: str = ""
    commands: tuple[Command, ...] = ()
    #: Until the server would start the new version.
    deployed_s: float | None = None
    #: Until a small run of it has ended in success.
    ran_s: float | None = None
    #: Where that run was: the tool's server, or containers of this machine without one.
    ran_on: Literal["server", "containers", ""] = ""
    #: What has shown the change, as the tool told it.
    evidence: str = ""
    #: Has the engine an image that it had not before?
    image_built: bool = False
    #: Services whose container is another one, or has been started again.
    restarted: tuple[str, ...] = ()
    touched: Touched = Touched()


class Measured(_Record):
    """One way of one tool."""

    tool: Part
    way: Way
    environment: results.Environment
    #: Containers of others that ran on this machine at the same time.
    beside: int
    #: What the repository had to get first to be fed in this way.
    base: Touched = Touched()
    #: From nothing to the stack with what is in HEAD, and a first run of it: part of no scenario.
    start: tuple[Command, ...]
    changes: tuple[Change, ...]

    @property
    def passed(self) -> bool:
        """Has no change failed?"""
        return all(each.status != "failed" for each in self.changes)


class Changes(_Record):
    """The result file of `bakeoff bench changes`."""

    measure: Literal["changes"] = "changes"
    measured: tuple[Measured, ...]


def read(path: Path = FILE) -> Changes | None:
    """A result file, where there is one."""
    return Changes.model_validate_json(path.read_text()) if path.exists() else None


def merged(before: Changes | None, new: list[Measured]) -> Changes:
    """The new results, with those of the former whose tool was not fed anew in that way."""
    done = {(each.tool, each.way) for each in new}
    old = before.measured if before else ()
    return Changes(measured=(*(each for each in old if (each.tool, each.way) not in done), *new))
