"""What an environment's packages are to download: of each the file that was installed, as the index tells its size."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename


def total_bytes(pylock: Path, site_packages: Path) -> int | None:
    """Bytes of all files that were installed; None where the index does not tell a size.

    Args:
        pylock: of `uv pip compile --format pylock.toml` for the same lock: every file that fits this machine.
        site_packages: of the environment.
    """
    offered = {canonicalize_name(each["name"]): each for each in tomllib.loads(pylock.read_text())["packages"]}
    total = 0
    for installed in distributions(path=[str(site_packages)]):
        offer = offered.get(canonicalize_name(installed.metadata["Name"]))
        if offer is None:
            continue
        size = installed_bytes(offer, _tags(installed))
        if size is None:
            return None
        total += size
    return total


def installed_bytes(offer: Mapping[str, Any], tags: Iterable[Tag]) -> int | None:
    """Bytes of the file of a package that was installed; None where the index does not tell.

    Args:
        offer: one package of a pylock: its `wheels` and `sdist`.
        tags: of what is installed, as the wheel says of itself.
    """
    wanted = frozenset(tags)
    wheels = [each for each in offer.get("wheels", []) if _of_file(each) & wanted]
    chosen = wheels[0] if wheels else offer.get("sdist") or next(iter(offer.get("wheels", [])), None)
    return None if chosen is None else chosen.get("size")


def _of_file(wheel: Mapping[str, Any]) -> frozenset[Tag]:
    name = wheel.get("name") or urlsplit(wheel["url"]).path.rpartition("/")[2]
    try:
        return parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return frozenset()


def _tags(installed: Distribution) -> frozenset[Tag]:
    lines = (installed.read_text("WHEEL") or "").splitlines()
    told = (line.partition(":")[2].strip() for line in lines if line.startswith("Tag:"))
    return frozenset(tag for each in told for tag in parse_tag(each))
