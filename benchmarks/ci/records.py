"""What running a workflow gave: each step of each job, with its seconds or why it has not been run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks import results
from benchmarks.ci.pipelines import Part
from benchmarks.places import RESULTS

FILE = RESULTS / "ci-run.json"
Kind = Literal["cold", "warm"]
#: The first in a new checkout, and the second in the same one.
KINDS: tuple[Kind, ...] = ("cold", "warm")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepRun(_Record):
    """One step."""

    job: str
    name: str
    #: As `owner/name`; empty for a script.
    action: str = ""
    commands: tuple[str, ...] = ()
    status: Literal["passed", "failed", "not run"]
    seconds: float | None = None
    #: Why it has not been run, what stood in for an action, or the end of what a failed one has printed.
    note: str = ""


class CiRun(_Record):
    """One run of one tool's workflow."""

    tool: Part
    kind: Kind
    environment: results.Environment
    #: Of all steps; a machine of GitHub's needs some more for each job, before its first.
    seconds: float
    steps: tuple[StepRun, ...]

    @property
    def passed(self) -> bool:
        """Has no step failed?"""
        return all(each.status != "failed" for each in self.steps)


class CiRuns(_Record):
    """The result file of `bakeoff bench ci --run`."""

    measure: Literal["ci run"] = "ci run"
    runs: tuple[CiRun, ...]


def read(path: Path = FILE) -> CiRuns | None:
    """A result file, where there is one."""
    return CiRuns.model_validate_json(path.read_text()) if path.exists() else None


def merged(before: CiRuns | None, new: list[CiRun]) -> CiRuns:
    """The new runs, with those of the former result whose tool was not run anew."""
    tools = {each.tool for each in new}
    old = before.runs if before else ()
    return CiRuns(runs=(*(each for each in old if each.tool not in tools), *new))
