"""A folder of its own for each first run: environment, home and settings, so that nothing of another run helps it."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import environments, processes
from benchmarks.measures.peers.projects import Project
from benchmarks.measures.rounds import Failed, Taken
from benchmarks.places import LOCKS, STATE, python

_HERE = Path(__file__).parent
PATIENCE_S = 600.0


class Room:
    """One project's folder: `venv` is its environment, `home` the user's, `work` where commands are typed."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        self.work = folder / "work"
        self.log = folder / "log"

    def install(self, cache: Path | None = None) -> float:
        """Build the environment from its lock, as the arms' are built.

        Args:
            cache: of packages; by default uv's own, which this leaves as it is.

        Returns:
            Seconds.

        Raises:
            StorageError: with uv's own words.
        """
        begin = time.monotonic()
        venv, more = self.folder / "venv", ["--cache-dir", str(cache)] if cache else []
        environments.run_uv("venv", "--quiet", *more, "--python", str(python("core").resolve()), str(venv))
        environments.run_uv(
            *("pip", "install", "--quiet", "--compile-bytecode", "--require-hashes", *more),
            *("--python", str(venv / "bin" / "python"), "-r", str(LOCKS / f"{self.project.name}.txt")),
        )
        return time.monotonic() - begin

    def make(self) -> None:
        """Make the project's own folder, by its own command where it has one."""
        self.work.mkdir()
        if self.project.makes:
            self._run(self.project.makes, self.work)

    def put(self, files: Mapping[str, str]) -> None:
        """Write files of ours where the project looks for a user's."""
        for source, target in files.items():
            file = self.work / self.project.folder / target
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_HERE / source, file)

    def run(self, *command: str) -> str:
        """Type a command in the project's folder.

        Returns:
            What it printed.

        Raises:
            Failed: it did not end well.
        """
        return self._run(command, self.work / self.project.folder)

    def _run(self, command: tuple[str, ...], where: Path) -> str:
        self.log.unlink(missing_ok=True)
        process = processes.start(
            [self.folder / "venv" / "bin" / command[0], *command[1:]], self.log, self._env(), where
        )
        code = processes.finish(process, PATIENCE_S)
        if code != 0:
            said = "no end" if code is None else processes.raised(self.log) or processes.tail(self.log, 3)
            what = f"`{' '.join(command)}` of {self.project.name} failed (exit code {code}): {said}"
            raise Failed(what.replace(str(self.folder), "ROOM"), where="its output", fix="run the measure again")
        return self.log.read_text(errors="replace")

    def _env(self) -> dict[str, str]:
        """None of this process's settings: where programs are, among them uv, which ZenML asks for packages."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = (str(self.folder / "venv" / "bin"), str(Path(environments.uv()).parent), os.environ.get("PATH", ""))
        own = {name: value.format(room=self.folder) for name, value in self.project.env.items()}
        language = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        return {"PATH": ":".join(path), "HOME": str(home), "PYTHONUNBUFFERED": "1", **language, **own}

    def version(self) -> str:
        """The project's, as its lock pins it."""
        text = (LOCKS / f"{self.project.name}.txt").read_text()
        [found] = re.findall(rf"^{self.project.name}(?:\[.*?\])?==(\S+)", text, re.MULTILINE)
        return str(found)

    def packages(self) -> int:
        """Packages in the environment."""
        return len(list((self.folder / "venv").glob("lib/python3*/site-packages/*.dist-info")))

    def megabytes(self) -> float:
        """MB of 10^6 bytes of all that is in the folder: environment, bytecode, what the tool has written."""
        return (
            sum(each.lstat().st_size for each in self.folder.rglob("*") if not each.is_symlink() and each.is_file())
            / 1e6
        )


@contextmanager
def fresh(project: Project) -> Iterator[Room]:
    """A new room, which is gone afterwards."""
    top = STATE / "peers"
    top.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{project.name}-", dir=top) as folder:
        yield Room(project, Path(folder))


def quickstart(project: Project, cold: bool) -> Taken:
    """Install and run for the first time, as somebody who has never done it here.

    Args:
        project: which.
        cold: with an empty cache of packages, so that each is fetched; else with uv's own.

    Raises:
        Failed: with the seconds of what had been done.
        StorageError: it could not be installed.
    """
    with fresh(project) as room, fresh(project) as other:
        install_s = room.install(other.folder / "cache" if cold else None)
        figures = {"install_s": install_s, "packages": float(room.packages())}
        begin = time.monotonic()
        try:
            room.make()
            room.put(project.hello)
            room.run(*project.first)
        except Failed as failed:
            failed.taken = Taken(figures)
            raise
        first_run_s = time.monotonic() - begin
        figures |= {"first_run_s": first_run_s, "tthw_s": install_s + first_run_s, "disk_mb": room.megabytes()}
        return Taken(figures, {"quickstart": project.quickstart, "version": room.version()})


def graph(room: Room, tasks: int) -> Taken:
    """Run the linear graph once, in a new process.

    Args:
        room: installed, made, with the graph's files.
        tasks: in a row.

    Raises:
        Failed: the process did not end well, or has run other tasks.
    """
    begin = time.time()
    told = _last_object(room.run(*room.project.graph, str(tasks)))
    if told.get("tasks") != tasks:
        what = f"{room.project.name} tells of {told.get('tasks')} of {tasks} tasks"
        raise Failed(what, where="its output", fix="run the measure again")
    figures = {"up_s": told["called"] - begin, "makespan_s": told["ended"] - told["called"]}
    return Taken(figures, {"version": room.version()})


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            told: dict[str, Any] = json.loads(line)
            return told
    return {}
