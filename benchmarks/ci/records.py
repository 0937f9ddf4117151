"""What running a workflow gave: each step of each job, with its seconds or why it has not been run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks import results
from benchmarks.ci.pipelines import Part
from benchmarks.places import RESULTS

FILE = RESULTS / "ci-run.json"
PULL_REQUESTS = RESULTS / "ci-pull-request.json"
Kind = Literal["cold", "warm"]
Name = Literal["before", "pull request", "merge", "roll back"]
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


class Seen(_Record):
    """What a server has, and the newest run of it."""

    #: Deployed: the commit, as CI has told it; Kubeflow's are named by the pipeline's content.
    version: str
    run: str = ""
    #: That the run was of.
    run_version: str = ""
    succeeded: bool = False
    #: The run shows what the pull request changes.
    changed: bool = False


class Event(_Record):
    """Something that git tells CI, or somebody asks of it, and what it came to."""

    name: Name
    commit: str
    ref: str
    #: Of all its steps.
    seconds: float
    steps: tuple[StepRun, ...]
    #: On the staging server afterwards; of a server that has not answered, nothing.
    seen: Seen | None = None
    #: What is not as it should be.
    problem: str = ""

    @property
    def jobs(self) -> tuple[str, ...]:
        """Those that have run."""
        return tuple(dict.fromkeys(each.job for each in self.steps if each.status != "not run"))


class PullRequest(_Record):
    """A change of one tool's pipeline, from the pull request to the server, and back."""

    tool: Part
    environment: results.Environment
    #: As `git diff` writes it.
    patch: str
    events: tuple[Event, ...]

    @property
    def passed(self) -> bool:
        """Did all go as it should?"""
        return not any(each.problem for each in self.events)


class PullRequests(_Record):
    """The result file of `bakeoff bench ci --pull-request`."""

    measure: Literal["ci pull request"] = "ci pull request"
    pull_requests: tuple[PullRequest, ...]


def read_pull_requests(path: Path = PULL_REQUESTS) -> PullRequests | None:
    """A result file, where there is one."""
    return PullRequests.model_validate_json(path.read_text()) if path.exists() else None


def with_pull_request(before: PullRequests | None, new: PullRequest) -> PullRequests:
    """The new one, with those of other tools of the former result."""
    old = before.pull_requests if before else ()
    return PullRequests(pull_requests=(*(each for each in old if each.tool is not new.tool), new))


def read(path: Path = FILE) -> CiRuns | None:
    """A result file, where there is one."""
    return CiRuns.model_validate_json(path.read_text()) if path.exists() else None


def merged(before: CiRuns | None, new: list[CiRun]) -> CiRuns:
    """The new runs, with those of the former result whose tool was not run anew."""
    tools = {each.tool for each in new}
    old = before.runs if before else ()
    return CiRuns(runs=(*(each for each in old if each.tool not in tools), *new))
