"""Set a tool up as processes of this machine: clean checkout, empty package cache, empty home, first run."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import dataset, environments, processes
from benchmarks.ci.checkout import Checkout
from benchmarks.ci.workflow import Job, Values
from benchmarks.measures.catalog import Where
from benchmarks.measures.family import Family, Watch
from benchmarks.measures.rounds import Failed, Taken, Tell
from benchmarks.measures.setup import downloads, told
from benchmarks.measures.setup.first_run import Answer
from benchmarks.measures.setup.told import Command
from benchmarks.places import ENVIRONMENT, ROOT, STATE, ArmName, child_env, python

MONTH = "2013-03"
#: For one command, and for the first run.
PATIENCE_S = 900.0
_BYTECODE = "--compile-bytecode"
_TOOL = "tool"


@dataclass(frozen=True)
class Go:
    """One go from nothing to a registered version, in seconds.

    Args:
        fetched_s: installing with an empty package cache, without compiling.
        linked_s: the same again, with the cache that the first has filled.
        installed_s: what a person types, with that cache.
        start_s: from there until the tool begins the first step.
        first_run_s: from there until the version is registered and the tool says that the run has ended.
    """

    fetched_s: float
    linked_s: float
    installed_s: float
    start_s: float
    first_run_s: float

    @property
    def download_s(self) -> float:
        """What an empty cache costs more; never negative."""
        return max(0.0, self.fetched_s - self.linked_s)

    def figures(self, cache: str) -> dict[str, float]:
        """As the measure shows them.

        Args:
            cache: `cold`, or `warm`: then nothing is downloaded.
        """
        download_s = self.download_s if cache == "cold" else 0.0
        return {
            "download_s": download_s,
            "install_s": self.installed_s,
            "start_s": self.start_s,
            "first_run_s": self.first_run_s,
            "tthw_s": download_s + self.installed_s + self.start_s + self.first_run_s,
        }


def measure(name: ArmName, tell: Tell) -> Mapping[str, Taken]:
    """Go from nothing to a registered version, and remove all of it.

    Returns:
        By `cold` and `warm`.

    Raises:
        BakeoffError: a command or the run has failed.
    """
    dataset.ensure()
    checkout = Checkout(Values({}), ROOT, STATE / "setup")
    try:
        return Fresh(checkout, name, tell).measure()
    finally:
        checkout.close()


class Fresh:
    """A clean checkout with nothing installed.

    Args:
        checkout: of HEAD.
        name: the arm.
        tell: is called with what is being done.
    """

    def __init__(self, checkout: Checkout, name: ArmName, tell: Tell) -> None:
        self.name, self._tell = name, tell
        self._checkout = checkout
        self.folder, self._scratch = checkout.folder, checkout.scratch
        self.environment = self.folder / ".venvs" / ENVIRONMENT[name]
        self._commands = told.commands(name, Where.EMBEDDED)

    def measure(self) -> Mapping[str, Taken]:
        """Install and run."""
        self._tell("a clean checkout")
        self._checkout.restore(Job("setup", ()))
        self._bring_data()
        install = [each for each in self._commands if each.step == "install"]
        self._tell("downloading")
        fetched_s = self._install(install, compiled=False)
        linked_s = self._install(install, compiled=False)
        self._tell("installing")
        installed_s = self._install(install, compiled=True)
        facts = {"disk_mb": size_bytes(self.environment) / 1e6, **told.counts(self.name, Where.EMBEDDED)}
        download_mb = self._download_mb()
        self._stamp()
        self._tell("the first run")
        answer, most = self._run()
        start_s = answer.prepare_s + (answer.result.start_s or 0.0)
        go = Go(fetched_s, linked_s, installed_s, start_s, answer.result.seconds - (answer.result.start_s or 0.0))
        facts["processes"] = most
        texts = {"commit": self._checkout.commit}
        return {
            "cold": Taken({**go.figures("cold"), **facts, **download_mb}, texts),
            "warm": Taken({**go.figures("warm"), **facts}, {**texts, "of": "the same go as the cold one"}),
        }

    def _bring_data(self) -> None:
        """Where they are made or fetched, they cost every tool the same."""
        for part in ("data", ".dvc/cache"):
            shutil.copytree(ROOT / part, self.folder / part, dirs_exist_ok=True)

    def _install(self, commands: list[Command], *, compiled: bool) -> float:
        shutil.rmtree(self.environment, ignore_errors=True)
        begin = time.monotonic()
        for each in commands:
            self._uv([word for word in each.words[1:] if compiled or word != _BYTECODE])
        return time.monotonic() - begin

    def _uv(self, words: list[str]) -> None:
        env = child_env(UV_CACHE_DIR=str(self._scratch / "uv-cache"), UV_PYTHON=str(Path(python("core")).resolve()))
        command = [environments.uv(), *words]
        where = f"uv {' '.join(words[:2])}"
        fix = "see that the package index can be reached and the disk has 3 GB free, then measure again"
        try:
            done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"uv did not finish within {PATIENCE_S:.0f} s", where=where, fix=fix) from None
        if done.returncode:
            said = self._checkout.clean(done.stderr.strip()[-1000:])
            raise Failed(f"uv could not finish: {said}", where=where, fix=fix)

    def _download_mb(self) -> dict[str, float]:
        lock = f"locks/{ENVIRONMENT[self.name]}.txt"
        pylock = self._scratch / "pylock.toml"
        words = ["pip", "compile", "--quiet", "--no-deps", "--no-header", "--format", "pylock.toml"]
        self._uv([*words, "--python", str(self.environment), "--output-file", str(pylock), lock])
        site = next(self.environment.glob("lib/python3*/site-packages"))
        found = downloads.total_bytes(pylock, site)
        return {} if found is None else {"download_mb": found / 1e6}

    def _stamp(self) -> None:
        """As `environments` does: the checkout's own harness then takes the environment for built."""
        lock = (self.folder / "locks" / f"{ENVIRONMENT[self.name]}.txt").read_text()
        (self.environment / "stamp").write_text(f"{self.folder}\n{lock}")
        templates = STATE / "templates"
        if templates.exists():
            shutil.copytree(templates, self.folder / ".bakeoff" / "templates")

    def _run(self) -> tuple[Answer, int]:
        answer, log = self._scratch / "answer.json", self._scratch / "first-run.log"
        module = "benchmarks.measures.setup.first_run"
        command: list[str | Path] = [python("core"), "-m", module, self.name.value, MONTH, answer]
        driver = processes.start(command, log, child_env(PYTHONPATH=str(self.folder)), self.folder)
        try:
            family = Family(
                lambda: {"driver": driver.pid}, lambda each: None if each.is_root else _TOOL, memory_every=0
            )
            with Watch(family) as watch:
                code = driver.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failed("the first run did not end", where=str(log), fix="measure again") from None
        finally:
            processes.stop(driver)
        if code:
            said = self._checkout.clean(processes.tail(log, 3))
            raise Failed(f"the first run could not be driven: {said}", where=str(log), fix="measure again")
        told_of = Answer.model_validate_json(answer.read_text())
        self._check(told_of)
        return told_of, max((each.processes([_TOOL]) for each in watch.looks), default=0)

    def _check(self, answer: Answer) -> None:
        [done] = answer.result.retrainings
        if done.status == "failed" or done.version is None:
            cause = self._checkout.clean(answer.result.error or done.reason or "no version was registered")
            raise Failed(f"the first run has failed: {cause}", where=self.name, fix="read the end of its log")
        started = [[os.path.basename(argv[0]), *argv[1:]] for argv in answer.started]
        if unlisted := told.unlisted(self._commands, started):
            said = self._checkout.clean("; ".join(unlisted))
            where = "benchmarks/measures/setup/commands.yaml"
            raise Failed(
                f"the listed commands are not those that were run: {said}", where=where, fix="correct the list"
            )


def size_bytes(folder: Path) -> int:
    """Bytes of all files below a folder, one with several names counted once."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            told_of = os.lstat(os.path.join(place, name))
            seen[told_of.st_dev, told_of.st_ino] = told_of.st_size
    return sum(seen.values())
