"""Make the data, or see that they are still what their version says."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from benchmarks import environments
from benchmarks.places import ROOT, VENVS, child_env
from shared import datasets
from shared.errors import DataError


def ensure() -> None:
    """Build the data sets' files where they are missing; refuse files that differ from dvc.lock.

    Raises:
        DataError: a file has changed, or the build gives other bytes than the committed version.
    """
    if all(path.exists() for _, path in _paths()):
        check()
    else:
        build()


def build(*, force: bool = False) -> None:
    """Bring the data up to date with the code that makes them, by `dvc repro`.

    Args:
        force: build them anew, whatever is there.

    Raises:
        DataError: the build gives other bytes than the committed version.
    """
    environments.ensure_data_packages()
    lock = ROOT / "dvc.lock"
    committed = lock.read_text()
    command = ["dvc", "repro", *(["--force"] if force else [])]
    path = f"{VENVS / 'core' / 'bin'}:{child_env()['PATH']}"
    done = subprocess.run(
        command, cwd=ROOT, env=child_env(PATH=path, DVC_NO_ANALYTICS="1"), capture_output=True, text=True
    )
    if done.returncode:
        raise DataError(
            f"`dvc repro` failed: {(done.stderr or done.stdout).strip()[-1500:]}",
            where="dvc.yaml",
            fix="mend what it names, then run `./bakeoff data build`",
        )
    built = _outputs(lock.read_text())
    # A data set that is new has no version yet: this build gives it one.
    if any(built.get(path) != version for path, version in _outputs(committed).items()):
        lock.write_text(committed)
        raise DataError(
            "the files that were built are not, byte for byte, the committed version",
            where="data against dvc.lock",
            fix="rebuild by `./bakeoff data build --force`; if the change is meant, record it by `dvc commit`",
        )


def check() -> dict[str, str]:
    """Compare every file with its recorded checksum.

    Returns:
        The version of each data set.

    Raises:
        DataError: naming the files that are missing or have changed.
    """
    recorded = _outputs((ROOT / "dvc.lock").read_text())
    folders = {name: datasets.get(name).folder for name in datasets.names()}
    if unknown := [f"{name} ({folder})" for name, folder in folders.items() if folder not in recorded]:
        raise DataError(
            f"no version is recorded of {', '.join(unknown)}",
            where="dvc.lock",
            fix="give it a stage in dvc.yaml, then run `./bakeoff data build`",
        )
    versions = {name: recorded[folder] for name, folder in folders.items()}
    changed = []
    for name, version in versions.items():
        for file, expected in recorded_files(version).items():
            path = ROOT / datasets.get(name).folder / file
            found = hashlib.md5(path.read_bytes()).hexdigest() if path.exists() else "missing"
            if found != expected:
                changed.append(f"{name}/{file} ({'missing' if found == 'missing' else 'changed'})")
    if changed:
        raise DataError(
            f"the data are not what their version says: {', '.join(changed)}",
            where="data against dvc.lock",
            fix="restore them by `./bakeoff data build --force`; if the change is meant, record it by `dvc commit`",
        )
    return versions


def recorded_files(version: str) -> dict[str, str]:
    """File name and md5 of each window in one version, from DVC's cache."""
    digest = version.removesuffix(".dir")
    listing = ROOT / ".dvc" / "cache" / "files" / "md5" / digest[:2] / f"{digest[2:]}.dir"
    if not listing.exists():
        raise DataError(
            f"DVC's cache does not hold version {version}",
            where=str(listing.relative_to(ROOT)),
            fix="build it by `./bakeoff data build --force`",
        )
    return {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_text())}


def _outputs(lock: str) -> dict[str, str]:
    stages: dict[str, Any] = yaml.safe_load(lock)["stages"]
    return {out["path"]: str(out["md5"]) for stage in stages.values() for out in stage["outs"]}


def _paths() -> list[tuple[str, Path]]:
    """Data set and path of every file that there should be."""
    found = [datasets.get(name) for name in datasets.names()]
    return [(each.name, ROOT / each.path(window)) for each in found for window in each.windows]


def summary() -> list[tuple[str, int, float]]:
    """Name, number of files and megabytes of each data set."""
    rows = []
    for name in datasets.names():
        sizes = [path.stat().st_size for owner, path in _paths() if owner == name and path.exists()]
        rows.append((name, len(sizes), sum(sizes) / 1e6))
    return rows
