"""Docker and its compose plugin: found, checked, and called, so that every failure says what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks import processes
from benchmarks.places import ROOT, STATE
from shared.errors import BakeoffError

#: From here on compose knows all that the files use: `service_completed_successfully`, `--env-file` on every command.
MIN_COMPOSE = (2, 20)
ANSWER_S = 30.0
#: Compose clears its line before a log line, even in a pipe.
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_INSTALL = "install Docker Engine or Docker Desktop (https://docs.docker.com/get-docker/), with the compose plugin"
#: The label that compose gives to all that belongs to a project.
PROJECT = "com.docker.compose.project"


class StackError(BakeoffError):
    """A stack of containers cannot be built, started or asked."""


@dataclass(frozen=True)
class Container:
    """One container of a project, as the engine knows it."""

    id: str
    service: str
    one_off: bool  # started by `docker compose run`
    state: str  # created, running, restarting, exited, dead, ...
    health: str  # healthy, unhealthy, starting; empty without a health check
    exit_code: int
    restarts: int
    out_of_memory: bool
    ports: tuple[int, ...]  # on the host
    said: str = ""  # by the last health check
    image: str = ""  # name
    image_id: str = ""
    config_hash: str = ""  # of the service's part of the compose files
    number: int = 1  # of several of one service

    @property
    def title(self) -> str:
        """Its service, with a number from the second one on."""
        return self.service if self.number == 1 else f"{self.service}-{self.number}"

    @classmethod
    def read(cls, told: dict[str, Any]) -> Container:
        """From one entry of `docker inspect`."""
        state, labels = told["State"], told["Config"]["Labels"] or {}
        health = state.get("Health") or {}
        bindings = told["HostConfig"].get("PortBindings") or {}
        return cls(
            id=told["Id"],
            service=labels.get("com.docker.compose.service", told["Name"].lstrip("/")),
            one_off=labels.get("com.docker.compose.oneoff") == "True",
            state=state["Status"],
            health=health.get("Status", ""),
            exit_code=state["ExitCode"],
            restarts=told.get("RestartCount", 0),
            out_of_memory=bool(state.get("OOMKilled")),
            ports=tuple(sorted(int(each["HostPort"]) for some in bindings.values() for each in some or [])),
            said=str((health.get("Log") or [{}])[-1].get("Output", "")).strip(),
            image=told["Config"].get("Image", ""),
            image_id=told["Image"],
            config_hash=labels.get("com.docker.compose.config-hash", ""),
            number=int(labels.get("com.docker.compose.container-number", 1)),
        )


def find_docker() -> str:
    """The path of the docker client.

    Raises:
        StackError: there is none.
    """
    found = shutil.which("docker")
    if found is None:
        raise StackError("there is no docker client", where="PATH", fix=_INSTALL)
    return found


def child_env(strip: Iterable[str] = (), **more: str) -> dict[str, str]:
    """The environment for docker: without COMPOSE_* settings and without the names that the env file sets.

    Compose would let both win over the files silently.
    """
    names = set(strip)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_") and name not in names}
    return {**kept, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain", "DOCKER_CLI_HINTS": "false", **more}


def docker(*arguments: str, timeout_s: float = ANSWER_S, cwd: Path = ROOT) -> str:
    """What one docker command prints.

    Raises:
        StackError: it fails, or does not end in time.
    """
    return _call([find_docker(), *arguments], child_env(), timeout_s, cwd=cwd)


def info() -> dict[str, Any]:
    """What the engine says about itself.

    Raises:
        StackError: no client, or an engine that does not answer.
    """
    address = os.environ.get("DOCKER_HOST", "")
    try:
        told: dict[str, Any] = json.loads(docker("info", "--format", "{{json .}}"))
        if told.get("ServerErrors"):
            raise ValueError("; ".join(told["ServerErrors"]))
    except (StackError, ValueError) as error:
        if isinstance(error, StackError) and error.where == "PATH":
            raise
        said = error.what if isinstance(error, StackError) else str(error)
        if "permission denied" in said.lower():
            fix = "add yourself to the group that may use it (`sudo usermod -aG docker $USER`, then log in again)"
        elif address:
            fix = "DOCKER_HOST is set in your shell: unset it, or start the engine that it names"
        else:
            fix = "start it: open Docker Desktop, or on Linux `sudo systemctl start docker`"
        raise StackError(
            f"the Docker engine does not answer: {said}", where=address or "the docker client", fix=fix
        ) from error
    return told


def compose_version() -> str:
    """The version of the compose plugin.

    Raises:
        StackError: there is none, or it is too old.
    """
    wanted = ".".join(map(str, MIN_COMPOSE))
    fix = f"install the compose plugin, {wanted} or newer (https://docs.docker.com/compose/install/)"
    try:
        said = docker("compose", "version", "--short").strip()
    except StackError as error:
        if error.where == "PATH":
            raise
        raise StackError("docker has no compose plugin", where="docker compose version", fix=fix) from error
    if not is_new_enough(said):
        raise StackError(f"compose {said} is too old: {wanted} is needed", where="docker compose version", fix=fix)
    return said


def is_new_enough(version: str) -> bool:
    """Is this version of compose new enough for the files?"""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= MIN_COMPOSE


def containers(project: str) -> list[Container]:
    """All containers of a project, ended ones too; found by label, so that no compose file has to be valid."""
    ids = docker("container", "ls", "--all", "--quiet", "--filter", f"label={PROJECT}={project}").split()
    if not ids:
        return []
    try:
        told = json.loads(docker("container", "inspect", *ids))
    except StackError:  # one went away in between
        return containers(project)
    return sorted((Container.read(each) for each in told), key=lambda each: (each.service, each.number))


def kept(kind: str, project: str) -> list[str]:
    """Names of a project's volumes or networks."""
    return docker(kind, "ls", "--filter", f"label={PROJECT}={project}", "--format", "{{.Name}}").split()


@dataclass(frozen=True)
class Compose:
    """`docker compose`, bound to a project, an env file and compose files."""

    project: str
    env_file: Path
    files: tuple[Path, ...]
    #: The names that the env file sets: the shell's variables of that name are not handed on.
    names: frozenset[str] = frozenset()
    more_env: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the logs of this project's commands are written."""
        return STATE / "stacks" / self.project

    @property
    def env(self) -> dict[str, str]:
        """The environment in which compose is called."""
        return child_env(self.names, **self.more_env)

    def command(self, *arguments: str) -> list[str]:
        """The whole command line."""
        files = [part for file in self.files for part in ("--file", str(file))]
        bound = ["--project-name", self.project, "--env-file", str(self.env_file), *files]
        return [find_docker(), "compose", *bound, *arguments]

    def run(self, *arguments: str, stdin: str = "", timeout_s: float | None = None) -> str:
        """What one compose command prints on standard output.

        Args:
            arguments: the command and its options, such as `"up", "--detach"`.
            stdin: text for its standard input; none by default.
            timeout_s: how long it may take; any time by default.

        Raises:
            StackError: it fails, with the end of what it said.
        """
        return _call(self.command(*arguments), self.env, timeout_s, stdin)

    def exec(self, service: str, *command: str, stdin: str = "", timeout_s: float | None = None) -> str:
        """What a command prints that is run in a service's container.

        Raises:
            StackError: it fails.
        """
        return self.run("exec", "--no-TTY", service, *command, stdin=stdin, timeout_s=timeout_s)

    def run_one_off(self, service: str, *command: str, stdin: Path) -> None:
        """Run a command in a new container of a service, with a file as its standard input.

        Raises:
            StackError: it fails, with the end of what it said.
        """
        arguments = ("run", "--rm", "--no-TTY", "--no-deps", service, *command)
        with stdin.open("rb") as stream:
            _call(self.command(*arguments), self.env, None, stream)

    def ps(self) -> list[Container]:
        """The project's containers, ended ones too."""
        return containers(self.project)

    def is_current(self, scale: Mapping[str, int] | None = None) -> bool:
        """Does every service have its containers, made of its present image and its present part of the files?

        Args:
            scale: how many containers a service has, if not one.

        Then `up` has nothing to do, but would run the one-shots again: half a minute.
        """
        wanted = dict(line.split() for line in self.run("config", "--hash", "*").splitlines())
        found = [each for each in self.ps() if not each.one_off]
        if not found or {each.service: each.config_hash for each in found} != wanted:
            return False
        if Counter(each.service for each in found) != {name: (scale or {}).get(name, 1) for name in wanted}:
            return False
        names = sorted({each.image for each in found})
        try:
            ids = docker("image", "inspect", "--format", "{{.Id}}", *names).split()
        except StackError:  # an image is gone
            return False
        present = dict(zip(names, ids, strict=True))
        return all(each.image_id == present[each.image] for each in found)

    def logs(self, service: str, tail: int = 15) -> str:
        """The end of a service's log, without the service's name before each line."""
        arguments = ("logs", "--no-color", "--no-log-prefix", "--tail", str(tail), service)
        return _ANSI.sub("", self.run(*arguments, timeout_s=ANSWER_S)).strip()

    def start(self, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a compose command whose output is appended to a log; end it by `processes.stop`."""
        return processes.start([*self.command(*arguments)], log, self.env, ROOT)

    def follow(self, log: Path, arguments: Sequence[str], on_line: Callable[[str], None]) -> int:
        """Run a compose command to its end, with its output in a log and told line by line.

        Returns:
            Its exit code.
        """
        return follow(self.command(*arguments), self.env, log, on_line)


def follow(command: list[str], env: dict[str, str], log: Path, on_line: Callable[[str], None], cwd: Path = ROOT) -> int:
    """Run a command to its end, with its output in a log and told line by line.

    Returns:
        Its exit code.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,  # Ctrl-C reaches it through us only, else compose prints in between
            text=True,
            errors="replace",
        )
        try:
            assert child.stdout is not None
            for line in child.stdout:
                plain = _ANSI.sub("", line)
                stream.write(plain)
                on_line(plain.rstrip())
            return child.wait()
        finally:
            if child.poll() is None:
                processes.stop(child)  # type: ignore[arg-type]  # text or bytes is the same to it


def _call(
    command: list[str], env: dict[str, str], timeout_s: float | None, stdin: str | IO[bytes] = "", cwd: Path = ROOT
) -> str:
    short = " ".join(command[1:] if len(command) < 8 else [*command[1:2], "...", *command[-4:]])
    fix = "run it by hand to see more; `./bakeoff doctor` checks the engine"
    try:
        done = subprocess.run(
            command,
            **({"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}),
            capture_output=True,
            text=True,
            errors="replace",
            env=env,
            cwd=cwd,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"no answer within {timeout_s:.0f} s", where=f"docker {short}", fix=fix) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise StackError(said or f"exit code {done.returncode}", where=f"docker {short}", fix=fix)
    return done.stdout
