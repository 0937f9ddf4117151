"""Broken changes, one of each kind for each tool, and the step of the tool's workflow that stops each.

The patches, and what they are, stand in `patches/broken`; `tests/stacks/ci` applies them and keeps the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from benchmarks import results
from benchmarks.ci.pipelines import Part
from benchmarks.ci.records import StepRun
from benchmarks.ci.workflow import Job, Workflow
from benchmarks.places import RESULTS

FOLDER = Path(__file__).parent / "patches" / "broken"
FILE = RESULTS / "ci-broken.json"
TOOLS = (Part.AIRFLOW, Part.PREFECT, Part.KUBEFLOW)
#: How the step is named that is the tool's own quickest no.
OWN = "Integrity"
_BEFORE = ("Lint", OWN)
#: A pull request's: nothing of it may be deployed.
REF = "refs/pull/1/merge"
_LINE_CHARACTERS = 160


class Fault(StrEnum):
    """What is broken."""

    IMPORT_ERROR = "import-error"
    CYCLE = "cycle"
    WRONG_TYPE = "wrong-type"
    MISSING_DEPENDENCY = "missing-dependency"


When = Literal["before anything runs", "at run time, in the tests", "at run time, in the image"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Record):
    """One broken change, and what has to stop it."""

    tool: Part
    fault: Fault
    #: What the developer did.
    did: str
    note: str = ""
    job: str
    step: str
    #: Stands in the step's log.
    cause: str

    @property
    def patch(self) -> Path:
        """As `git diff` writes it."""
        return FOLDER / self.tool / f"{self.fault}.patch"


class Stopped(_Record):
    """What became of one broken change."""

    tool: Part
    fault: Fault
    did: str
    note: str
    #: The steps that took it, before the one that did not.
    passed: tuple[str, ...]
    job: str
    step: str
    commands: tuple[str, ...]
    when: When
    #: From the start of that job until the step had failed; the environments were there already.
    seconds: float
    #: Of the log, what tells the cause.
    line: str
    #: Did the tool's own check, which imports, loads or compiles, refuse it?
    own_check: bool
    #: Has no job of an environment run?
    before_deploy: bool


class OfTool(_Record):
    """One tool's."""

    tool: Part
    environment: results.Environment
    changes: tuple[Stopped, ...]


class CiBroken(_Record):
    """The result file of `make test-stacks` with `--save-broken`."""

    measure: Literal["ci broken"] = "ci broken"
    tools: tuple[OfTool, ...]


def changes(path: Path = FOLDER / "faults.yaml") -> tuple[Change, ...]:
    """All broken changes, as the file beside the patches has them."""
    told = yaml.safe_load(path.read_text())
    return tuple(
        Change(tool=tool, fault=fault, **about) for tool, faults in told.items() for fault, about in faults.items()
    )


def read(path: Path = FILE) -> CiBroken | None:
    """A result file, where there is one."""
    return CiBroken.model_validate_json(path.read_text()) if path.exists() else None


def merged(before: CiBroken | None, new: OfTool) -> CiBroken:
    """The former result with one tool's rows in place of its former ones."""
    found = {each.tool: each for each in (before.tools if before else ())} | {new.tool: new}
    return CiBroken(tools=tuple(found[tool] for tool in TOOLS if tool in found))


def only(workflow: Workflow, change: Change) -> Workflow:
    """The workflow without what comes before the step that has to stop the change, and what would follow it in its job.

    In the first job each step sets up what it needs, so the step stands alone; in the others it builds on those before.
    The jobs that follow stay: that they are not run is what has to be seen.
    """
    [at] = [number for number, job in enumerate(workflow.jobs) if job.id == change.job]
    job = workflow.jobs[at]
    until = job.steps[: _number(job, change.step)]
    before = [step for step in until if step.uses or job.needs or step.name == change.step]
    kept = (*before, *(step for step in job.steps[len(until) :] if "failure()" in step.condition))
    return replace(workflow, jobs=(replace(job, needs=(), steps=kept), *workflow.jobs[at + 1 :]))


def own(workflow: Workflow) -> Workflow:
    """The tool's own check alone: for a change that a step before it has stopped."""
    first = workflow.jobs[0]
    kept = tuple(step for step in first.steps if step.uses or step.name.startswith(OWN))
    return replace(workflow, jobs=(replace(first, steps=kept),))


def first_failed(steps: Iterable[StepRun]) -> StepRun | None:
    """The step that stopped it."""
    return next((each for each in steps if each.status == "failed"), None)


def reached(workflow: Workflow, steps: Iterable[StepRun]) -> list[StepRun]:
    """The steps that have run in jobs of an environment: there should be none."""
    deploying = {job.id for job in workflow.jobs if job.environment}
    return [each for each in steps if each.job in deploying and each.status != "not run"]


def log_of(logs: Path, workflow: Workflow, steps: Iterable[StepRun], failed: StepRun) -> str:
    """What a step has printed, and those after it in its job that show the logs of what has failed.

    Args:
        logs: the runner's folder for them.
        workflow: that was run.
        steps: of that run.
        failed: which.
    """
    [job] = [job for job in workflow.jobs if job.id == failed.job]
    ran = {each.name for each in steps if each.job == job.id and each.status != "not run"}
    numbered = list(enumerate(job.steps, 1))[_number(job, failed.name) - 1 :]
    paths = [logs / job.id / f"{number}.log" for number, step in numbered if step.name in ran]
    return "".join(path.read_text(errors="replace") for path in paths)


def telling(log: str, cause: str) -> str:
    """The line of a log that tells the cause, from there on; '' where none does."""
    line = next((line for line in log.splitlines() if cause in line), "")
    return line[line.find(cause) :].strip()[:_LINE_CHARACTERS]


def became(
    change: Change, workflow: Workflow, steps: tuple[StepRun, ...], own_check: tuple[StepRun, ...], line: str
) -> Stopped:
    """The row of a change whose whole workflow was run, and that was stopped.

    Args:
        change: which.
        workflow: that was run.
        steps: of that run; one of them has failed.
        own_check: those of the tool's own check, where it was run alone.
        line: that tells the cause.
    """
    failed = next(each for each in steps if each.status == "failed")
    before = steps[: steps.index(failed)]
    took = [each.seconds or 0 for each in (*before, failed) if each.job == failed.job]
    [checked] = [each for each in (*steps, *own_check) if each.name.startswith(OWN) and each.status != "not run"]
    return Stopped(
        tool=change.tool,
        fault=change.fault,
        did=change.did,
        note=change.note,
        passed=tuple(each.name for each in before if not each.action),
        job=failed.job,
        step=failed.name,
        commands=failed.commands,
        when=_when(workflow, failed),
        seconds=round(sum(took), 1),
        line=line,
        own_check=checked.status == "failed",
        before_deploy=not reached(workflow, steps),
    )


def _when(workflow: Workflow, failed: StepRun) -> When:
    if failed.name.startswith(_BEFORE):
        return "before anything runs"
    first = failed.job == workflow.jobs[0].id
    return "at run time, in the tests" if first else "at run time, in the image"


def _number(job: Job, step: str) -> int:
    """A step's number in its job, from 1."""
    return [each.name for each in job.steps].index(step) + 1
