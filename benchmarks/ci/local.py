"""What this machine gives to a tool's workflow: its settings, and stacks of containers that nothing else uses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.ci.checkout import Checkout
from benchmarks.ci.pipelines import Part
from benchmarks.ci.workflow import Job, Values
from benchmarks.places import ROOT, STATE
from benchmarks.stacks import engine, env_file
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.env_file import EnvFile
from benchmarks.stacks.stack import STACKS, Tool
from shared.errors import ConfigError

#: Of a stack that its own folder `origin` is pushed to (compose/airflow_init.sh).
DAGS = "/code/dags.git"
NO_PRODUCTION = "production, a second environment, is run with --production only"
NO_SERVER = "no server: it is run with --host and --registry only"
NO_REGISTRY = "no registry: it is run with --host and --registry only"


@dataclass(frozen=True)
class Asked:
    """What the command was asked for.

    Args:
        tool: whose workflow.
        production: run the jobs of production too.
        host: Kubeflow's server.
        registry: where its image is pushed to, as GitHub's setting REGISTRY.
    """

    tool: Part
    production: bool = False
    host: str = ""
    registry: str = ""

    def __post_init__(self) -> None:
        if bool(self.host) != bool(self.registry):
            fix = "give both, or neither: the server's pods pull the image from the registry"
            raise ConfigError("a server and a registry go together", where="--host, --registry", fix=fix)
        if self.host and self.tool is not Part.KUBEFLOW:
            fix = "leave it out: the stack of this tool is started for the run"
            raise ConfigError(f"{self.tool} needs no server that is there already", where="--host", fix=fix)

    @property
    def runs(self) -> dict[str, bool]:
        """Of each environment, whether its jobs are run."""
        there = self.tool is not Part.KUBEFLOW or bool(self.host)
        return {f"{self.tool}-staging": there, f"{self.tool}-production": there and self.production}


class LocalCheckout(Checkout):
    """A clean checkout with stacks of its own: one for jobs on GitHub's machines, one for each environment.

    Args:
        asked: what the command was asked for.
        tell: is called with what is being done at the end.
    """

    def __init__(
        self, asked: Asked, tell: Callable[[str], None], source: Path = ROOT, below: Path = STATE / "ci"
    ) -> None:
        super().__init__(Values({}), source, below)
        self._asked, self._tell = asked, tell
        self._prefix = f"bakeoff-ci-{self.scratch.name.removeprefix('run-').replace('_', '-').lower()}"
        self._common = common(asked)
        self._stacks: dict[str, EnvFile] = {"": self._make("", "machine")}
        if asked.tool is not Part.KUBEFLOW:
            self._stacks |= {name: self._make(name, name) for name, runs in asked.runs.items() if runs}

    def values(self, environment: str) -> Values:
        """What the jobs of an environment are given; all is empty for one that is not run."""
        given = self._common
        if environment in self._asked.runs and self._asked.tool is not Part.KUBEFLOW:
            runs = self._asked.runs[environment]
            given = of_stack(Tool(self._asked.tool), self._stacks[environment], given) if runs else self._empty()
        return self._now(given)

    def restore(self, job: Job) -> None:
        """Clone or put back; give `./bakeoff up` its env file, and `git push` the repository of the job's stack."""
        super().restore(job)
        default = self.folder / env_file.DEFAULT.relative_to(ROOT)
        if not default.exists():
            default.parent.mkdir(exist_ok=True)
            shutil.copy(self._stacks[""].path, default)
        if self._asked.tool is Part.AIRFLOW and job.environment:
            container = f"{self._project(job.environment)}-airflow-scheduler-1"
            # Git's way to any program as a remote: in a volume, so it listens nowhere.
            address = f"ext::docker exec --interactive {container} %S {DAGS}"
            self._git(self.folder, "config", "remote.origin.pushurl", address)
            self._git(self.folder, "config", "protocol.ext.allow", "always")

    def ended(self, job: Job) -> None:
        """GitHub's machine is thrown away after each job: with it goes a stack that the job has started there."""
        if not job.environment:
            self._down("")

    def close(self, *, keep: bool = False) -> None:
        """Take down the stacks, with their volumes and images, and remove the folder.

        Raises:
            StorageError: the folder cannot be removed.
        """
        try:
            for environment in self._stacks:
                self._down(environment)
            self._remove_images()
        finally:
            super().close(keep=keep)

    def secrets(self) -> Iterable[str]:
        """Those of the settings, and all of the stacks'."""
        names = env_file.secret_names()
        found = [stack.values[name] for stack in self._stacks.values() for name in names]
        # A login is shown in parts, too.
        return [*self._common.secrets.values(), *found, *(each.partition(":")[2] for each in found if ":" in each)]

    def _make(self, environment: str, name: str) -> EnvFile:
        short = environment.rpartition("-")[2]
        prefix = f"{self._prefix}-{short}" if short else self._prefix
        more = {"AIRFLOW_DAGS_BRANCH": environment} if self._asked.tool is Part.AIRFLOW and environment else {}
        return env_file.make_another(self.scratch / f"{name}.env", prefix, **more)

    def _empty(self) -> Values:
        name = next(iter(self._asked.runs))
        some = of_stack(Tool(self._asked.tool), self._stacks[name], self._common)
        none = {name: self._common.vars.get(name, "") for name in some.vars}
        return replace(some, vars=none, secrets=dict.fromkeys(some.secrets, ""))

    def _project(self, environment: str) -> str:
        return STACKS[Tool(self._asked.tool)].project(self._stacks[environment].prefix)

    def _down(self, environment: str) -> None:
        """Remove what is left of a stack; where there is no engine, there is none."""
        if self._asked.tool is Part.KUBEFLOW:
            return
        project = self._project(environment)
        try:
            found = (engine.containers(project), engine.kept("volume", project), engine.kept("network", project))
            if any(found):
                self._tell(f"removing the stack {project}")
                words = ("compose", "--project-name", project, "down", "--remove-orphans", "--volumes")
                engine.docker(*words, timeout_s=180, cwd=Path("/"))
        except StackError as error:
            if error.where != "PATH":
                self._tell(f"the stack {project} could not be removed: {error}")

    def _remove_images(self) -> None:
        """Those of this run's prefix alone; what they are made of stays in the engine's cache."""
        try:
            words = ("image", "ls", "--filter", f"reference={self._prefix}*", "--format", "{{.Repository}}:{{.Tag}}")
            if names := engine.docker(*words).split():
                engine.docker("image", "rm", "--force", *names, timeout_s=180)
        except StackError as error:
            if error.where != "PATH":
                self._tell(f"the images of {self._prefix} could not be removed: {error}")


def common(asked: Asked) -> Values:
    """The settings that are the same for all jobs of a tool; what is not run has an empty one, and why."""
    staging, production = (asked.runs[f"{asked.tool}-{name}"] for name in ("staging", "production"))
    found = {"STAGING_RUNNER": "local" if staging else "", "PRODUCTION_RUNNER": "local" if production else ""}
    secrets = {}
    if asked.tool is Part.KUBEFLOW:
        found |= {"KFP_HOST": asked.host, "REGISTRY": asked.registry}
        # Whose registry and server these are, only this shell knows.
        secrets = {name: os.environ.get(name, "") for name in ("BAKEOFF_KFP_TOKEN", "GITHUB_TOKEN")}
    why = {"STAGING_RUNNER": NO_SERVER, "REGISTRY": NO_REGISTRY}
    why["PRODUCTION_RUNNER"] = NO_PRODUCTION if staging else NO_SERVER
    return Values(
        github={"actor": os.environ.get("GITHUB_ACTOR", "local")},
        vars=found,
        secrets=secrets,
        absent={f"vars.{name}": reason for name, reason in why.items() if found.get(name) == ""},
    )


def of_stack(tool: Tool, stack: EnvFile, values: Values) -> Values:
    """The settings of an environment, which is a stack of this machine."""
    of = STACKS[tool]
    user, password = of.login(stack)
    found = {**values.vars, "STACK_ENV_FILE": str(stack.path)}
    if tool is Tool.AIRFLOW:
        more = {"AIRFLOW_URL": of.url(stack), "AIRFLOW_USER": user}
        return replace(values, vars=found | more, secrets={"AIRFLOW_PASSWORD": password})
    found |= {"PREFECT_API_URL": f"{of.url(stack)}/api"}
    return replace(values, vars=found, secrets={"PREFECT_API_AUTH_STRING": stack.values["PREFECT_AUTH_STRING"]})
