"""A workflow of GitHub Actions as it is run here: a key or an expression that is not understood stops it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.ci import expressions, pipelines
from benchmarks.ci.pipelines import as_list
from shared.errors import ConfigError

#: `name`, `permissions`, `concurrency` and `runs-on` say nothing about what runs on the one machine that is there.
_WORKFLOW = {"name", "on", True, "permissions", "concurrency", "env", "jobs"}
_JOB = {"name", "needs", "if", "runs-on", "timeout-minutes", "permissions", "concurrency"}
_JOB |= {"environment", "env", "outputs", "steps"}
_STEP = {"name", "id", "if", "uses", "with", "run", "shell", "env", "working-directory"}
#: As GitHub starts a script, for what stands after `shell:`.
SHELLS = {"": ("bash", "-e"), "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail")}
#: Where none is given; GitHub's own.
MINUTES = 360.0


@dataclass(frozen=True)
class Step:
    """One step: an action or a script."""

    name: str
    id: str = ""
    condition: str = ""
    uses: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    shell: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    @property
    def action(self) -> str:
        """The action without its version."""
        return self.uses.partition("@")[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """Of the script, one a line."""
        return pipelines.commands(self.script)


@dataclass(frozen=True)
class Job:
    """One job."""

    id: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    condition: str = ""
    environment: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    minutes: float = MINUTES


@dataclass(frozen=True)
class Workflow:
    """A workflow; each job stands after those that it needs."""

    path: str
    env: Mapping[str, str]
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Values:
    """What this machine gives for GitHub's contexts.

    Args:
        github: of the run, such as `sha`.
        vars: settings.
        secrets: settings that are never shown.
        absent: why a setting is empty, by its name with the context in front, such as `vars.NAME`.
    """

    github: Mapping[str, str]
    vars: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def look(self, name: str) -> str:
        """One of them.

        Raises:
            ConfigError: there is none of that name.
        """
        context, _, key = name.partition(".")
        known = {"github": self.github, "vars": self.vars, "secrets": self.secrets}.get(context, {})
        if key not in known:
            fix = "run it on GitHub, or give it a value in benchmarks/ci/local.py"
            raise ConfigError("this machine has no value for this name", where=name, fix=fix)
        return known[key]


def load(path: str, root: Path) -> Workflow:
    """Read a workflow.

    Raises:
        ConfigError: it cannot be read, or holds a key that nothing is known of here.
    """
    content, _ = pipelines.read(path, root)
    _only(content, _WORKFLOW, path)
    jobs = {name: _job(name, job, f"{path}, job {name}") for name, job in content["jobs"].items()}
    return Workflow(path, _texts(content.get("env")), tuple(_in_order(jobs, path)))


def check(workflow: Workflow, values: Callable[[str], Values]) -> None:
    """See that every expression is understood, and each of its names has a value or will have one.

    Args:
        workflow: which.
        values: gives those of an environment, by its name; of none by ''.

    Raises:
        ConfigError: naming the expression, or the name.
    """
    outputs = {job.id: job.outputs for job in workflow.jobs}
    for job in workflow.jobs:
        given = values(job.environment)
        needed = {f"needs.{other}.outputs.{name}" for other in job.needs for name in outputs[other]}
        earlier: set[str] = set()
        _known(given, needed, earlier, [*workflow.env.values(), *job.env.values(), job.environment], job.condition)
        for step in job.steps:
            _known(given, needed, earlier, [*step.env.values(), step.script, step.folder], step.condition)
            earlier |= {step.id} - {""}
        _known(given, needed, earlier, list(job.outputs.values()), "")


def _known(values: Values, needed: set[str], earlier: set[str], texts: list[str], condition: str) -> None:
    """See that all is known that texts and a condition ask for; what a script will give, its text does not tell."""
    inside = [each for text in texts for each in expressions.within(text)]
    for each in inside:
        if each.asks:
            fix = "ask for it in an `if`, or teach benchmarks/ci/expressions.py what it means"
            raise ConfigError("a text has no status to ask for", where=each.text, fix=fix)
    for each in [*inside, expressions.condition(condition)] if condition else inside:
        for name in each.names - needed:
            if not any(name.startswith(f"steps.{id}.outputs.") for id in earlier):
                values.look(name)


def _in_order(jobs: dict[str, Job], path: str) -> Iterator[Job]:
    """As the file has them, but none before those that it needs."""
    done: set[str] = set()
    while len(done) < len(jobs):
        ready = next((job for job in jobs.values() if job.id not in done and {*job.needs} <= done), None)
        if ready is None:
            left = ", ".join(job for job in jobs if job not in done)
            fix = "correct `needs`: it names a job that there is not, or goes in a circle"
            raise ConfigError(f"jobs whose needs cannot be met: {left}", where=path, fix=fix)
        done.add(ready.id)
        yield ready


def _job(name: str, job: dict[str, Any], where: str) -> Job:
    _only(job, _JOB, where)
    environment = job.get("environment") or ""
    return Job(
        id=name,
        steps=tuple(_step(step, f"{where}, step {number}") for number, step in enumerate(job.get("steps", []), 1)),
        needs=tuple(as_list(job.get("needs"))),
        condition=_condition(job),
        environment=environment if isinstance(environment, str) else str(environment["name"]),
        env=_texts(job.get("env")),
        outputs=_texts(job.get("outputs")),
        minutes=float(job.get("timeout-minutes", MINUTES)),
    )


def _step(step: dict[str, Any], where: str) -> Step:
    _only(step, _STEP, where)
    if ("run" in step) == ("uses" in step):
        raise ConfigError("a step has either a script or an action", where=where, fix="give it `run` or `uses`")
    shell = step.get("shell", "")
    if shell not in SHELLS:
        raise ConfigError(f"the shell {shell} is not known here", where=where, fix="write the script for bash")
    script = str(step.get("run", ""))
    return Step(
        name=str(step.get("name") or step.get("uses", "").partition("@")[0] or script.strip()),
        id=str(step.get("id", "")),
        condition=_condition(step),
        uses=str(step.get("uses", "")),
        options=_texts(step.get("with")),
        script=script,
        shell=shell,
        env=_texts(step.get("env")),
        folder=str(step.get("working-directory", "")),
    )


def _condition(of: dict[str, Any]) -> str:
    return _text(of.get("if", ""))


def _texts(told: dict[str, Any] | None) -> dict[str, str]:
    return {str(name): _text(value) for name, value in (told or {}).items()}


def _text(value: Any) -> str:
    """As GitHub turns YAML into text."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _only(of: dict[Any, Any], known: set[Any], where: str) -> None:
    for key in of:
        if key not in known:
            fix = "run it on GitHub, or teach benchmarks/ci/workflow.py what it means"
            raise ConfigError(f"the key {key} is not understood here", where=where, fix=fix)
