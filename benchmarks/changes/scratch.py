"""A scratch checkout of HEAD that is fed to a tool in one way, with a stack of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.changes import scenarios, standing
from benchmarks.changes.kubeflow import Containers, KubeflowServer
from benchmarks.changes.records import NO_SERVER, Command, Touched
from benchmarks.changes.scenarios import FEEDS, HERE, OF_A_SERVER, PATCHES, RUN, Way
from benchmarks.changes.servers import FLOWS, AirflowServer, PrefectServer, Server
from benchmarks.changes.standing import Standing
from benchmarks.ci import shell
from benchmarks.ci.local import Asked, LocalCheckout, of_stack
from benchmarks.ci.pipelines import Part
from benchmarks.ci.workflow import SHELLS, Job
from benchmarks.places import ROOT, STATE
from benchmarks.stacks import env_file
from benchmarks.stacks.stack import STACKS, Tool

#: For one command.
COMMAND_S = 1800.0
#: What to do about a failure that the API does not explain.
LOOK = "run it again with --keep, and read the logs in the folder that is kept"


class Scratch(LocalCheckout):
    """One way of one tool.

    Args:
        asked: the tool and, for Kubeflow, its server.
        way: how it is fed.
        tell: is called with what is being done at the end.
        source: the repository.
        below: receives the scratch folder.
    """

    def __init__(
        self,
        asked: Asked,
        way: Way,
        tell: Callable[[str], None],
        source: Path = ROOT,
        below: Path = STATE / "changes",
    ) -> None:
        super().__init__(asked, tell, source, below)
        self.tool, self.way, self.feed = asked.tool, way, FEEDS[asked.tool, way]
        #: The repository's commit, whatever is done on top of it.
        self.head = self.commit
        self.has_server = asked.tool is not Part.KUBEFLOW or bool(asked.host)
        self._environment = f"{asked.tool}-staging" if self.feed.staging and asked.tool is not Part.KUBEFLOW else ""

    def prepare(self) -> Touched:
        """Clone, and apply what the repository needs to be fed in this way.

        Returns:
            What that has touched.

        Raises:
            StorageError: git refuses.
        """
        self.restore(Job("changes", (), environment=self._environment))
        if self.feed.base:
            self.change(PATCHES / self.tool / f"{self.feed.base}.patch")
            address = f"ext::docker exec --interactive {self.project}-prefect-worker-1 %S {FLOWS}"
            self._git(self.folder, "config", "remote.origin.pushurl", address)
            self._git(self.folder, "config", "protocol.ext.allow", "always")
        return self.touched(self.head)

    @property
    def name(self) -> str:
        """Of this measurement, and no other."""
        return self.scratch.name

    def change(self, patch: Path) -> str:
        own = self.scratch / "patches" / patch.name
        own.parent.mkdir(exist_ok=True)
        own.write_text(patch.read_text().replace(RUN, self.name))
        return super().change(own)

    def touched(self, before: str) -> Touched:
        """What has changed since a commit."""
        told = self._git(self.folder, "diff", "--numstat", before, self.commit).splitlines()
        counted = [line.split("\t") for line in told]
        added, removed = (sum(int(each[column]) for each in counted) for column in (0, 1))
        return Touched(files=tuple(each[2] for each in counted), added=added, removed=removed)

    @property
    def project(self) -> str:
        """The compose project of the stack; '' for Kubeflow, which has none here."""
        return "" if self.tool is Part.KUBEFLOW else STACKS[Tool(self.tool)].project(self._env_file().prefix)

    @property
    def server_port(self) -> int:
        """Where the tool's API of the stack listens."""
        return self._env_file().port(STACKS[Tool(self.tool)].port)

    def _env_file(self) -> env_file.EnvFile:
        return self._stacks[self._environment]

    def standing(self) -> Standing:
        """What stands of the stack now.

        Raises:
            StackError: the engine does not answer.
        """
        return standing.look(self._prefix, self.project)

    def beside(self) -> int:
        """How many containers run that are not this one's.

        Raises:
            StackError: the engine does not answer.
        """
        return standing.others(self._prefix)

    def server(self) -> Server:
        """The tool's API, or what stands in where there is no server."""
        if self.tool is Part.KUBEFLOW:
            return KubeflowServer(self._asked.host) if self._asked.host else Containers(self.folder)
        stack, env = STACKS[Tool(self.tool)], self._env_file()
        make = AirflowServer if self.tool is Part.AIRFLOW else PrefectServer
        return make(stack.url(env), stack.login(env), self.project)

    def lines(self, commands: Iterable[str]) -> list[str]:
        """What is typed of some commands: in containers of this machine only where there is no server."""
        return [line for line in commands if line != HERE or not self.has_server]

    def type(self, line: str, name: str, number: int) -> Command:
        """Run one command as a developer's shell would.

        Args:
            line: as it is typed.
            name: of the scenario.
            number: of the command in it, for its log.
        """
        if not self.has_server and any(each in line for each in OF_A_SERVER):
            return Command(line=line, status="not run", note=NO_SERVER)
        log = self.scratch / "logs" / name / f"{number}.log"
        words: list[str | Path] = [*SHELLS["bash"], "-c", line]
        begin = time.monotonic()
        code = shell.run(words, log=log, env=self.variables(name), folder=self.folder, limit_s=COMMAND_S)
        seconds = round(time.monotonic() - begin, 2)
        if code == 0:
            return Command(line=line, status="passed", seconds=seconds)
        what = f"exit code {code}" if code is not None else f"{COMMAND_S:.0f} s were up"
        return Command(line=line, status="failed", seconds=seconds, note=f"{what}; the end of it:\n{self.brief(log)}")

    def variables(self, name: str) -> dict[str, str]:
        """The environment of what is typed: this shell's, and what the tool's workflow has from its settings.

        Args:
            name: of the small run's model.
        """
        kept = {key: value for key, value in self.env().items() if key != "CI" and not key.startswith("GITHUB_")}
        own = {"SMOKE": scenarios.smoke(self.tool, name), "BAKEOFF_REVISION": self.commit}
        if self.tool is Part.KUBEFLOW:
            return {**kept, **own, **self._common.vars, **self._common.secrets}
        given = of_stack(Tool(self.tool), self._env_file(), self._common)
        branch = self._environment if self.tool is Part.AIRFLOW else "main"
        own |= {"BRANCH": branch, "SCHEDULER": f"{self.project}-airflow-scheduler-1"}
        return {**kept, **own, **given.vars, **given.secrets}
