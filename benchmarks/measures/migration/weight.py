"""What a tool's environment has that the core's does not: packages, by the locks; MB, by what is on the disk."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.places import LOCKS, VENVS


def locked(lock: str, folder: Path = LOCKS) -> set[str]:
    """The packages of a lock that are installed on this platform and Python."""
    lines = (folder / f"{lock}.txt").read_text().splitlines()
    wanted = [Requirement(line.removesuffix(" \\")) for line in lines if re.match(r"[A-Za-z0-9]", line)]
    return {_normal(each.name) for each in wanted if each.marker is None or each.marker.evaluate()}


def added(tool: str) -> set[str]:
    """The packages that a tool adds to the core's; those that both have, in whichever version, are not among them."""
    return locked(tool) - locked("core")


def megabytes(environment: str, packages: Iterable[str]) -> float:
    """MB of 10^6 bytes that these packages take in a built environment, their bytecode included.

    Raises:
        LookupError: some of them are not in it.
    """
    site = next((VENVS / environment).glob("lib/python3*/site-packages"), None)
    there = {_normal(each.name): each for each in distributions(path=[str(site)])} if site else {}
    missing = sorted(set(packages) - there.keys())
    if missing:
        raise LookupError(f"not installed in {environment}: {', '.join(missing)}")
    return sum(_bytes(there[each]) for each in packages) / 1e6


def _bytes(package: Distribution) -> int:
    files = {Path(str(package.locate_file(each))) for each in package.files or []}
    # Compiled at installation, so that no record of the package names it.
    files |= {Path(importlib.util.cache_from_source(str(each))) for each in files if each.suffix == ".py"}
    return sum(each.stat().st_size for each in files if each.is_file())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
