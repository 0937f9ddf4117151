"""Run a workflow's jobs one after the other, each step as GitHub would, and say what became of each."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from rich.markup import escape

from benchmarks.ci import expressions, shell
from benchmarks.ci.checkout import Checkout, NotRun, stand_in
from benchmarks.ci.records import StepRun
from benchmarks.ci.workflow import SHELLS, Job, Step, Values, Workflow
from shared.errors import BakeoffError

Ended = Literal["success", "failure", "skipped"]
EMPTY: Mapping[str, Ended] = MappingProxyType({})


class Teller(Protocol):
    """Is told how it goes."""

    def begin(self, arm: str, what: str) -> None: ...
    def end(self, arm: str, what: str) -> None: ...


class Runner:
    """One run of one workflow.

    Args:
        workflow: which, checked.
        checkout: where.
        tell: is told of each step.
        name: of the run, for its logs.
        ended: jobs that are taken for run, with their ends.
    """

    def __init__(
        self, workflow: Workflow, checkout: Checkout, tell: Teller, name: str, ended: Mapping[str, Ended] = EMPTY
    ) -> None:
        self._workflow, self._checkout, self._tell = workflow, checkout, tell
        self._folder = checkout.scratch / "logs" / name
        self._ended = dict(ended)
        self._outputs: dict[str, str] = {}

    def run(self, only: Container[str] | None = None) -> tuple[StepRun, ...]:
        """Run the jobs; each is given what those that it needs have put out.

        Args:
            only: the jobs to run, by id; all by default. What they need has to have been run before by this runner.
        """
        self._checkout.attempt += 1
        jobs = (job for job in self._workflow.jobs if only is None or job.id in only)
        return tuple(step for job in jobs for step in self._job(job))

    def _job(self, job: Job) -> list[StepRun]:
        values = self._checkout.values(job.environment)
        if reason := self._why_not(job, values):
            self._ended[job.id] = "skipped"
            self._tell.begin(job.id, "[dim]not run[/dim]")
            self._tell.end(job.id, "[dim]not run[/dim]")
            return [_not_run(job, step, reason) for step in job.steps]
        running = _Job(job, self._workflow, self._checkout, values, self._outputs, self._folder / job.id)
        try:
            done = running.run(self._tell)
        finally:
            self._checkout.ended(job)
        self._ended[job.id] = "failure" if running.failed else "success"
        self._outputs |= running.outputs()
        colour, word = ("red", "failed") if running.failed else ("green", "passed")
        self._tell.end(job.id, f"[{colour}]{word}[/{colour}]")
        return done

    def _why_not(self, job: Job, values: Values) -> str:
        needed = {other: self._ended[other] for other in job.needs}
        asked = expressions.condition(job.condition or "success()")
        if not asked.asks and (short := [name for name, end in needed.items() if end != "success"]):
            return _needs(short, needed)
        status = {
            "success": all(end == "success" for end in needed.values()),
            "failure": "failure" in needed.values(),
        }
        look = _lookup(values, self._outputs)
        if asked.value(look, {**status, "always": True, "cancelled": False}):
            return ""
        if not job.condition:
            return _needs([name for name, end in needed.items() if end != "success"], needed)
        return _why_false(asked, values)


class _Job:
    """A job that runs."""

    def __init__(
        self, job: Job, workflow: Workflow, checkout: Checkout, values: Values, needs: Mapping[str, str], logs: Path
    ) -> None:
        self._job, self._checkout, self._values, self._logs = job, checkout, values, logs
        self._known = dict(needs)
        self._look = _lookup(values, self._known)
        given = {**workflow.env, **job.env}
        self._env = {**checkout.env(), **{name: expressions.fill(text, self._look) for name, text in given.items()}}
        self._deadline = time.monotonic() + 60 * job.minutes
        self.failed = False

    def run(self, tell: Teller) -> list[StepRun]:
        self._logs.mkdir(parents=True, exist_ok=True)
        return [self._step(step, number, tell) for number, step in enumerate(self._job.steps, 1)]

    def outputs(self) -> dict[str, str]:
        """As jobs that need this one look them up."""
        named = {name: expressions.fill(text, self._look) for name, text in self._job.outputs.items()}
        return {f"needs.{self._job.id}.outputs.{name}": value for name, value in named.items()}

    def _step(self, step: Step, number: int, tell: Teller) -> StepRun:
        asked = expressions.condition(step.condition or "success()")
        if self.failed and not asked.asks:
            return _not_run(self._job, step, "a step before it has failed")
        status = {"success": not self.failed, "failure": self.failed, "always": True, "cancelled": False}
        if not asked.value(self._look, status):
            before = "a step before it has failed" if self.failed else "no step before it has failed"
            return _not_run(self._job, step, before if asked.asks else _why_false(asked, self._values))
        tell.begin(self._job.id, escape(step.name))
        start = time.monotonic()
        try:
            note = self._use(step) if step.uses else self._script(step, number)
        except NotRun as reason:
            return _not_run(self._job, step, str(reason))
        except _Failed as failure:
            self.failed = True
            return _ran(self._job, step, "failed", start, str(failure))
        return _ran(self._job, step, "passed", start, note)

    def _use(self, step: Step) -> str:
        try:
            return stand_in(self._checkout, self._job, step, self._env)
        except BakeoffError as error:
            raise _Failed(self._checkout.clean(error.what)) from error

    def _script(self, step: Step, number: int) -> str:
        log, script = self._logs / f"{number}.log", self._logs / f"{number}.sh"
        script.write_text(expressions.fill(step.script, self._look))
        files = {name: self._logs / f"{number}.{name}" for name in ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY")}
        for path in files.values():
            path.write_text("")
        env = {
            **self._env,
            **{name: expressions.fill(text, self._look) for name, text in step.env.items()},
            **{f"GITHUB_{name}": str(path) for name, path in files.items()},
        }
        folder = self._checkout.folder / expressions.fill(step.folder, self._look)
        left_s = max(self._deadline - time.monotonic(), 0.0)
        if not folder.is_dir():
            raise _Failed(f"there is no folder {step.folder}")
        code = shell.run([*SHELLS[step.shell], script], log=log, env=env, folder=folder, limit_s=left_s)
        if code is None:
            raise _Failed(
                f"the job's {self._job.minutes:g} minutes were up; the end of it:\n{self._checkout.brief(log)}"
            )
        if code:
            raise _Failed(f"exit code {code}; the end of it:\n{self._checkout.brief(log)}")
        made = {f"steps.{step.id}.outputs.{name}": value for name, value in assignments(files["OUTPUT"]).items()}
        self._known |= made
        self._env |= assignments(files["ENV"])
        for line in files["PATH"].read_text().split():
            self._env["PATH"] = f"{line}{os.pathsep}{self._env.get('PATH', os.defpath)}"
        return ""


class _Failed(Exception):
    """A step has failed."""


def assignments(path: Path) -> dict[str, str]:
    """What a step has written to `$GITHUB_OUTPUT` or `$GITHUB_ENV`: NAME=VALUE, or NAME<<END, lines, END."""
    found: dict[str, str] = {}
    lines = iter(path.read_text().splitlines())
    for line in lines:
        name, equals, value = line.partition("=")
        many, sign, end = line.partition("<<")
        if sign and len(many) < len(name):
            found[many] = "\n".join(itertools.takewhile(end.__ne__, lines))
        elif equals:
            found[name] = value
        elif line:
            raise _Failed(f"GitHub would not take this line, which is no NAME=VALUE: {line}")
    return found


def _lookup(values: Values, known: Mapping[str, str]) -> expressions.Look:
    def look(name: str) -> str:
        if name in known:
            return known[name]
        return "" if name.startswith(("needs.", "steps.")) else values.look(name)  # one that was never written

    return look


def _needs(short: list[str], needed: Mapping[str, Ended]) -> str:
    return ", ".join(f"the job {name} has {'failed' if needed[name] == 'failure' else 'not run'}" for name in short)


def _why_false(asked: expressions.Expression, values: Values) -> str:
    """Why a condition does not hold: an empty setting with a reason of its own, or what it says."""
    reasons = [values.absent[name] for name in sorted(asked.names) if name in values.absent]
    return "; ".join(reasons) or f"not so: {asked.text}"


def _not_run(job: Job, step: Step, reason: str) -> StepRun:
    return StepRun(
        job=job.id, name=step.name, action=step.action, commands=step.commands, status="not run", note=reason
    )


def _ran(job: Job, step: Step, status: Literal["passed", "failed"], start: float, note: str) -> StepRun:
    seconds = round(time.monotonic() - start, 2)
    about = {"action": step.action, "commands": step.commands, "seconds": seconds, "note": note}
    return StepRun(job=job.id, name=step.name, status=status, **about)
