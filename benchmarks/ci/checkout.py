"""A clean checkout in a scratch folder, in which a workflow's steps run: what GitHub's runner is to a job."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.ci.workflow import Job, Step, Values
from benchmarks.places import ROOT, STATE, child_env
from shared.errors import StorageError

#: Of the shell that started this: what belongs to its repository, its `make`, its own CI.
_FOREIGN = ("GIT_", "GITHUB_", "MAKE", "MFLAGS", "PYTHONPATH", "COMPOSE_")
_TAIL_LINES, _TAIL_CHARACTERS = 15, 1500
_ADDRESS = re.compile(r"(https?://|host=')(?!127\.0\.0\.1|localhost)[^/\s'\"]+")
BRANCH = "main"


class Checkout:
    """A scratch folder with a clone of a repository's HEAD, and what GitHub would know there.

    The clone's `origin` is a copy of its own: nothing that a step pushes gets into the repository.

    Args:
        source: the repository.
        values: what its jobs are given.
        below: receives the scratch folder.
    """

    def __init__(self, values: Values, source: Path = ROOT, below: Path = STATE / "ci") -> None:
        self.source = source
        self.commit = self._git(source, "rev-parse", "HEAD")
        below.mkdir(parents=True, exist_ok=True)
        self.scratch = Path(tempfile.mkdtemp(dir=below, prefix="run-"))  # for this user alone
        self.folder = self.scratch / "checkout"
        self.folder.mkdir()
        #: Of the event that is played: a push to the main branch, or a pull request's `refs/pull/1/merge`.
        self.ref = f"refs/heads/{BRANCH}"
        #: Counts the runs of a workflow here, as GitHub counts those that are run again.
        self.attempt = 0
        self._values = values

    def values(self, environment: str) -> Values:
        """What the jobs of an environment are given; of none, by ''."""
        return self._now(self._values)

    def _now(self, values: Values) -> Values:
        """Values with what is checked out."""
        return replace(values, github={**values.github, "ref": self.ref, "sha": self.commit})

    def env(self) -> dict[str, str]:
        """The environment of every step, before what the workflow adds: this shell's, but for what is of elsewhere."""
        kept = {name: value for name, value in child_env().items() if not name.startswith(_FOREIGN)}
        github = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": self.values("").github["actor"],
            "GITHUB_REF": self.ref,
            "GITHUB_REF_NAME": self.ref.removeprefix("refs/heads/").removeprefix("refs/pull/"),
            "GITHUB_RUN_ATTEMPT": str(self.attempt),
            "GITHUB_RUN_ID": "1",
            "GITHUB_SHA": self.commit,
            "GITHUB_WORKSPACE": str(self.folder),
        }
        return {**kept, "CI": "true", **github}

    def restore(self, job: Job) -> None:
        """Clone, or put all back that git knows; what it ignores stays, built environments among it.

        Raises:
            StorageError: git refuses.
        """
        self._clone()
        self.go_to(self.commit)

    def change(self, patch: Path) -> str:
        """Apply a patch on top of what is checked out, and commit it: the next jobs run that.

        Args:
            patch: as `git diff` writes it.

        Returns:
            The commit.

        Raises:
            StorageError: the patch does not fit; nothing has changed then.
        """
        self._clone()
        self.go_to(self.commit)
        self._git(self.folder, "apply", "--index", str(patch))
        who = ("-c", "user.name=bakeoff", "-c", "user.email=bakeoff@localhost")
        self._git(self.folder, *who, "commit", "--quiet", "--no-verify", "--message", patch.stem)
        self.commit = self._git(self.folder, "rev-parse", "HEAD")
        return self.commit

    def go_to(self, commit: str) -> None:
        """Check out a commit; what git ignores stays.

        Raises:
            StorageError: there is no such commit in the clone.
        """
        self._git(self.folder, "reset", "--quiet", "--hard", commit)
        self._git(self.folder, "clean", "--quiet", "-ffd")
        self.commit = commit

    def push(self, branch: str) -> None:
        """Push what is checked out to a branch of `origin`, the copy."""
        self._git(self.folder, "push", "--quiet", str(self._origin), f"HEAD:refs/heads/{branch}")

    @property
    def _origin(self) -> Path:
        return self.scratch / "origin.git"

    def _clone(self) -> None:
        if not (self.folder / ".git").exists():
            origin = self._origin
            self._git(self.scratch, "init", "--quiet", "--bare", "--initial-branch", BRANCH, str(origin))
            self._git(origin, "config", "receive.shallowUpdate", "true")  # CI fetches the last commit alone
            self._git(self.source, "push", "--quiet", "--no-verify", str(origin), f"HEAD:refs/heads/{BRANCH}")
            self._git(self.scratch, "clone", "--quiet", str(origin), str(self.folder))

    def at_head(self, path: str) -> Path:
        """A folder that holds a file of the commit: what is changed and not committed is not what runs.

        Raises:
            StorageError: the commit has no such file.
        """
        folder = self.scratch / "head"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        where = self.folder if (self.folder / ".git").exists() else self.source
        (folder / path).write_text(self._git(where, "show", f"{self.commit}:{path}") + "\n")
        return folder

    def interpreter(self) -> Path:
        """A folder for the front of PATH, in which `python3` is the interpreter that runs this."""
        folder = self.scratch / "python"
        folder.mkdir(exist_ok=True)
        for name in ("python", "python3"):
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(Path(sys.executable).resolve())
        return folder

    def ended(self, job: Job) -> None:
        """A job has ended: take away what GitHub's machine would take with it."""

    def close(self, *, keep: bool = False) -> None:
        """Remove all of it; with `keep` all but the folder stays removed."""
        if not keep:
            shutil.rmtree(self.scratch, ignore_errors=True)
            if self.scratch.exists():
                fix = "containers have written there as another user: remove it as root"
                raise StorageError("the scratch folder cannot be removed", where=str(self.scratch), fix=fix)

    def secrets(self) -> Iterable[str]:
        """What may not be shown."""
        return self.values("").secrets.values()

    def brief(self, log: Path) -> str:
        """The end of what a step has printed."""
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(self.clean(text).rstrip().splitlines()[-_TAIL_LINES:])[-_TAIL_CHARACTERS:]

    def clean(self, text: str) -> str:
        """A text with no secret, no path of this machine and no host but this one."""
        for secret in sorted(self.secrets(), key=len, reverse=True):
            text = text.replace(secret, "***") if secret else text
        for path, name in ((self.folder, "."), (self.scratch, "SCRATCH"), (self.source, "SOURCE"), (Path.home(), "~")):
            text = text.replace(str(path), name) if path.name else text
        return _ADDRESS.sub(r"\1HOST", text)

    def _git(self, folder: Path, *command: str) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(["git", *command], cwd=folder, env=env, capture_output=True, text=True)
        if done.returncode:
            what = f"git {command[0]} has failed: {done.stderr.strip()}"
            raise StorageError(what, where=str(folder), fix="run the command in a git checkout with a commit")
        return done.stdout.strip()


#: What stands in for an action: it says so, or raises NotRun.
Equivalent = Callable[[Checkout, Job, Step, dict[str, str]], str]


class NotRun(Exception):
    """An action has no equivalent here, for the reason given."""


def stand_in(checkout: Checkout, job: Job, step: Step, env: dict[str, str]) -> str:
    """Do what stands in for an action.

    Args:
        checkout: where.
        job: whose step it is.
        step: the action.
        env: of the steps that follow in the job; changed as the action would.

    Returns:
        What stood in.

    Raises:
        NotRun: nothing does.
        StorageError: git refuses.
    """
    if step.action not in EQUIVALENTS:
        raise NotRun("nothing stands in for this action here")
    known, equivalent = EQUIVALENTS[step.action]
    if more := sorted({*step.options} - known):
        raise NotRun(f"what stands in for it knows nothing of {', '.join(more)}")
    return equivalent(checkout, job, step, env)


def _checkout(checkout: Checkout, job: Job, step: Step, env: dict[str, str]) -> str:
    there = (checkout.folder / ".git").exists()
    checkout.restore(job)
    return "here: the clone, put back to its commit" if there else "here: a clone of this repository's HEAD"


def _setup_python(checkout: Checkout, job: Job, step: Step, env: dict[str, str]) -> str:
    wanted = step.options.get("python-version", "")
    here = ".".join(map(str, sys.version_info[:3]))
    if wanted and not f"{here}.".startswith(f"{wanted}."):
        raise NotRun(f"it asks for Python {wanted}; the steps take what is on PATH, and this command runs on {here}")
    env["PATH"] = f"{checkout.interpreter()}{os.pathsep}{env.get('PATH', os.defpath)}"
    return f"here: the interpreter of this command, Python {here}"


def _cache(checkout: Checkout, job: Job, step: Step, env: dict[str, str]) -> str:
    below = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", str(Path.home()))) / ".cache")
    cache = Path(env.get("UV_CACHE_DIR") or below / "uv")
    filled = cache.is_dir() and any(cache.iterdir())
    raise NotRun(f"uv's own cache on this machine stands in, which is {'filled' if filled else 'empty'}")


#: By action: the options that are known, and what stands in.
EQUIVALENTS: dict[str, tuple[set[str], Equivalent]] = {
    "actions/checkout": ({"persist-credentials", "clean"}, _checkout),
    "actions/setup-python": ({"python-version"}, _setup_python),
    "actions/cache": ({"path", "key", "restore-keys"}, _cache),
}
