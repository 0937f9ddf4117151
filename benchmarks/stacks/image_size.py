"""What takes the space in an image: base image, largest packages, bytecode and the rest, which add up to the whole."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from benchmarks.stacks import engine

LARGEST = 12
#: The Dockerfile's first step on its base image (stage `runtime`): older layers are the base image's.
FIRST_STEP = "useradd --create-home"
METADATA = "metadata of all packages"
#: Runs in the image: bytes by what lies directly in site-packages, bytecode apart.
_WALK = """
import json, os, sysconfig
site = sysconfig.get_path("purelib")
parts, bytecode = {}, 0
for folder, _, files in os.walk(site):
    inside = os.path.relpath(folder, site)
    for name in files:
        size = os.lstat(os.path.join(folder, name)).st_size
        if name.endswith(".pyc"):
            bytecode += size
        else:
            top = name if inside == "." else inside.split(os.sep)[0]
            parts[top] = parts.get(top, 0) + size
print(json.dumps({"parts": parts, "bytecode": bytecode}))
"""


class Part(BaseModel):
    """A package and its size without bytecode."""

    name: str
    mb: float


class ImageSize(BaseModel):
    """One image. All sizes in MB of 10^6 bytes, as docker tells them; the parts are of our own images only."""

    name: str  # without the stack's prefix
    mb: float
    base_mb: float | None = None
    largest: list[Part] = []
    packages_rest_mb: float | None = None
    bytecode_mb: float | None = None
    #: Python's virtual environment itself, the project's code, whatever lies outside of site-packages.
    other_mb: float | None = None


def measure(image: str, prefix: str) -> ImageSize:
    """Look into an image; a container that ends at once is started of it when it is one of ours.

    Args:
        image: its name, such as `bakeoff-airflow:0.1.0`.
        prefix: of the stack: an image whose name begins with it is ours.

    Raises:
        StackError: there is no such image, or docker refuses.
    """
    size = bytes_of(image)
    name = image.removeprefix(f"{prefix}-")
    if name == image:
        return ImageSize(name=name, mb=megabytes(size))
    told = engine.docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", image)
    base = base_bytes([json.loads(line) for line in told.splitlines()])
    run = ("run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", _WALK)
    found = json.loads(engine.docker(*run, timeout_s=120))
    return of_parts(name, size, base, found["parts"], found["bytecode"])


def bytes_of(image: str) -> int:
    """The size of an image.

    Raises:
        StackError: there is no such image.
    """
    return int(engine.docker("image", "inspect", "--format", "{{.Size}}", image))


def base_bytes(history: list[dict[str, Any]]) -> int:
    """The bytes of the layers under our Dockerfile's first step; `history` is docker's, newest first."""
    steps = [FIRST_STEP in each["CreatedBy"] for each in history]
    older = history[steps.index(True) + 1 :] if any(steps) else []
    return sum(int(each["Size"]) for each in older)


def of_parts(name: str, size: int, base: int, parts: dict[str, int], bytecode: int) -> ImageSize:
    """Bring what was found, in bytes, into parts that add up to the whole.

    Args:
        name: of the image.
        size: of the whole image.
        base: of its base image.
        parts: by what lies directly in site-packages.
        bytecode: of all `.pyc` files there.
    """
    packages: dict[str, int] = {}
    for entry, count in parts.items():
        owner = METADATA if entry.endswith(".dist-info") else entry.removesuffix(".libs")
        packages[owner] = packages.get(owner, 0) + count
    ranked = sorted(packages.items(), key=lambda each: -each[1])
    return ImageSize(
        name=name,
        mb=megabytes(size),
        base_mb=megabytes(base),
        largest=[Part(name=owner, mb=megabytes(count)) for owner, count in ranked[:LARGEST]],
        packages_rest_mb=megabytes(sum(count for _, count in ranked[LARGEST:])),
        bytecode_mb=megabytes(bytecode),
        other_mb=megabytes(size - base - bytecode - sum(packages.values())),
    )


def megabytes(count: int) -> float:
    """Bytes as MB."""
    return round(count / 1e6, 1)
