"""The data as the stacks see them: a DVC data registry on a volume, in which every version is a commit.

The registry is a git repository of `.dvc` files beside the DVC remote that holds what they speak of. It is built here
from the checkout's own data and then copied to the volume, so that no image holds data and no container sees the host's
disk.
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Protocol

import yaml

from benchmarks import dataset
from benchmarks.places import ROOT, STATE, VENVS, child_env
from shared import datasets
from shared.errors import DataError

#: As containers see it, on the volume `data`.
IN_CONTAINERS = "/data/registry"
FOLDER = STATE / "registry"
_DATE = "2013-12-31T00:00:00Z"
_CONFIG = """[core]
    remote = volume
    analytics = false
['remote "volume"']
    url = ../../remote
"""


class Runs(Protocol):
    """What runs a one-off container of a stack (`engine.Compose`)."""

    def run_one_off(self, service: str, *command: str, stdin: Path) -> None:
        """Run a command in a new container of a service, with a file as its standard input."""
        ...


def build(folder: Path = FOLDER) -> str:
    """Bring the registry up to the checkout's present version of the data; what has not changed makes no new commit.

    Returns:
        The commit.

    Raises:
        DataError: the checkout's data differ from their version, or git or DVC fails.
    """
    versions = dataset.check()
    registry = folder / "registry"
    (registry / ".dvc" / "tmp").mkdir(parents=True, exist_ok=True)
    (registry / ".dvc" / "tmp" / "btime").touch()  # DVC makes it, and could not on a volume that is mounted to be read
    (registry / ".dvc" / "config").write_text(_CONFIG)
    # Never copied along: this machine's cache is where the files come from.
    (registry / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {ROOT / '.dvc' / 'cache'}\n")
    (registry / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    for name, version in versions.items():
        path = registry / f"{datasets.get(name).folder}.dvc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"outs": [{"md5": version, "hash": "md5", "path": path.stem}]}))
    _run(registry, "git", "init", "--quiet", "--initial-branch", "main")
    _run(registry, "git", "add", "--all")
    if _run(registry, "git", "status", "--porcelain"):
        author = ("-c", "user.name=bakeoff", "-c", "user.email=bakeoff@localhost", "-c", "commit.gpgsign=false")
        _run(registry, "git", *author, "commit", "--quiet", "--no-verify", "--message", f"Data {versions}")
    _run(registry, str(VENVS / "core" / "bin" / "dvc"), "push", "--quiet")
    return commit(folder)


def commit(folder: Path = FOLDER) -> str:
    """The version of the registry that was built last."""
    return _run(folder / "registry", "git", "rev-parse", "HEAD")


def publish(stack: Runs, folder: Path = FOLDER) -> str:
    """Build the registry and copy it to a stack's volume; earlier versions of the data stay readable there.

    Returns:
        The commit, for `RetrainConfig.data_rev`.

    Raises:
        DataError: as `build`.
        StackError: the container that unpacks it fails.
    """
    built = build(folder)
    archive = folder / "registry.tar"
    with tarfile.open(archive, "w") as tar:
        for part in ("remote", "registry"):
            tar.add(folder / part, part, filter=_public)
    stack.run_one_off("data", "tar", "--extract", "--directory", "/data", "--no-same-owner", stdin=archive)
    archive.unlink()
    return built


def _public(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what is of this machine only."""
    name = member.name.removeprefix("registry/.dvc/")
    return None if name.startswith(("config.local", "cache", "tmp/")) and name != "tmp/btime" else member


def _run(folder: Path, *command: str) -> str:
    # With a fixed date, the same versions of the data are the same commits on every machine.
    dates = {"GIT_AUTHOR_DATE": _DATE, "GIT_COMMITTER_DATE": _DATE}
    env = child_env(DVC_NO_ANALYTICS="1", GIT_CONFIG_GLOBAL="/dev/null", **dates)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise DataError(
            f"`{Path(command[0]).name} {command[1]}` failed: {(done.stderr or done.stdout).strip()[-500:]}",
            where=str(folder),
            fix=f"remove {folder.parent} and run again",
        )
    return done.stdout.strip()
