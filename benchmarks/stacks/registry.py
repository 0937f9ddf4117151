"""The data as the stacks see them: a DVC data registry on a volume, in which every version is a commit.

The registry is a git repository of `.dvc` files beside the DVC remote that holds what they speak of. It is built here
from the checkout's own data and then copied to the volume, so that no image holds data and no container sees the host's
disk.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml

from benchmarks import dataset
from benchmarks.places import ROOT, STATE, VENVS, child_env
from shared import datasets
from shared.errors import DataError
from shared.files import link_or_copy

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
        _commit(registry, f"Data {versions}")
    _run(registry, str(VENVS / "core" / "bin" / "dvc"), "push", "--quiet")
    return commit(folder)


def _commit(repository: Path, message: str) -> None:
    author = ("-c", "user.name=bakeoff", "-c", "user.email=bakeoff@localhost", "-c", "commit.gpgsign=false")
    _run(repository, "git", *author, "commit", "--quiet", "--no-verify", "--message", message)


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
    copy(stack, folder)
    return built


def copy(stack: Runs, folder: Path = FOLDER) -> None:
    """Copy the registry, with all versions that it has, to a stack's volume."""
    archive = folder / "registry.tar"
    with tarfile.open(archive, "w") as tar:
        for part in ("remote", "registry", "arrivals"):
            if (folder / part).exists():
                tar.add(folder / part, part, filter=_public)
    stack.run_one_off("data", "tar", "--extract", "--directory", "/data", "--no-same-owner", stdin=archive)
    archive.unlink()


def land(
    stack: Runs, dataset_name: str, window: str, settings: dict[str, Any], folder: Path = FOLDER
) -> dict[str, Any]:
    """Let a window of data arrive: a version of the data that ends with it, and a notice beside the registry.

    Args:
        stack: whose volume receives them.
        dataset_name: the data set, as it stands in this checkout.
        window: the month that arrives; what came after it is not known to this version.
        settings: further fields of `RetrainConfig` for the retraining that follows.

    Returns:
        The notice, as it lands in `/data/arrivals`: `month`, `data_rev`, `settings`.

    Raises:
        DataError: git or DVC fails.
        StackError: the container that unpacks it fails.
    """
    build(folder)
    notice = {
        "month": window,
        "data_rev": _version_up_to(datasets.get(dataset_name), window, folder),
        "settings": settings,
    }
    path = folder / "arrivals" / f"{window}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notice))
    copy(stack, folder)
    return notice


def _version_up_to(spec: datasets.Dataset, window: str, folder: Path) -> str:
    """Record the data up to a window in a clone of the registry, and push that version to where the registry is."""
    files = {each: ROOT / spec.path(each) for each in [*spec.before(window), window]}
    return record(spec, files, f"arrived-{window}", f"{spec.folder} up to {window}", folder)


def record(spec: datasets.Dataset, files: Mapping[str, Path], branch: str, message: str, folder: Path = FOLDER) -> str:
    """Record a version of a data set, on a branch of its own, beside those that the registry has.

    Args:
        spec: the data set.
        files: all of it, by window.
        branch: that the version is given, moved there if it exists.
        message: of the commit.
        folder: of the registry, which is built.

    Returns:
        The commit.

    Raises:
        DataError: git or DVC fails.
    """
    clone = folder / "landing"
    if clone.exists():
        shutil.rmtree(clone)
    _run(folder, "git", "clone", "--quiet", "registry", "landing")
    (clone / ".dvc" / "tmp").mkdir()
    shutil.copyfile(folder / "registry" / ".dvc" / "config.local", clone / ".dvc" / "config.local")
    (clone / spec.folder).mkdir(parents=True)
    for window, file in files.items():
        link_or_copy(file, clone / spec.path(window))
    dvc = str(VENVS / "core" / "bin" / "dvc")
    _run(clone, dvc, "add", "--quiet", spec.folder)
    _run(clone, "git", "add", "--all")
    _commit(clone, message)
    _run(clone, dvc, "push", "--quiet")
    _run(clone, "git", "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
    return _run(clone, "git", "rev-parse", "HEAD")


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
