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
from shared import flights
from shared.errors import DataError


def ensure() -> None:
    """Build the monthly files where they are missing; refuse files that differ from dvc.lock.

    Raises:
        DataError: a file has changed, or the build gives other bytes than the committed version.
    """
    if all((ROOT / flights.month_file(month)).exists() for month in flights.months()):
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
    environments.ensure_data_package()
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
    if _outputs(lock.read_text()) != _outputs(committed):
        lock.write_text(committed)
        raise DataError(
            "the months that were built are not, byte for byte, the committed version",
            where="data/flights against dvc.lock",
            fix="rebuild by `./bakeoff data build --force`; if the change is meant, record it by `dvc commit`",
        )


def check() -> str:
    """Compare every month with its recorded checksum.

    Returns:
        The version of the data set.

    Raises:
        DataError: naming the months that are missing or have changed.
    """
    version = _version()
    changed = []
    for name, expected in recorded_files(version).items():
        path = ROOT / flights.MONTHS_DIR / name
        found = hashlib.md5(path.read_bytes()).hexdigest() if path.exists() else "missing"
        if found != expected:
            changed.append(f"{name} ({'missing' if found == 'missing' else 'changed'})")
    if changed:
        raise DataError(
            f"the data are not what version {version} says: {', '.join(changed)}",
            where=flights.MONTHS_DIR,
            fix="restore them by `./bakeoff data build --force`; if the change is meant, record it by `dvc commit`",
        )
    return version


def recorded_files(version: str) -> dict[str, str]:
    """File name and md5 of each month in one version, from DVC's cache."""
    digest = version.removesuffix(".dir")
    listing = ROOT / ".dvc" / "cache" / "files" / "md5" / digest[:2] / f"{digest[2:]}.dir"
    if not listing.exists():
        raise DataError(
            f"DVC's cache does not hold version {version}",
            where=str(listing.relative_to(ROOT)),
            fix="build it by `./bakeoff data build --force`",
        )
    return {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_text())}


def _version() -> str:
    return _outputs((ROOT / "dvc.lock").read_text())[flights.MONTHS_DIR]


def _outputs(lock: str) -> dict[str, str]:
    stages: dict[str, Any] = yaml.safe_load(lock)["stages"]
    return {out["path"]: str(out["md5"]) for stage in stages.values() for out in stage["outs"]}


def summary() -> list[tuple[str, int, Path]]:
    """Month, size in bytes and path of every file."""
    paths = [(month, ROOT / flights.month_file(month)) for month in flights.months()]
    return [(month, path.stat().st_size, path) for month, path in paths if path.exists()]
