"""What `up`, `down`, `status`, `logs` and `doctor` do for Kubeflow."""

from __future__ import annotations

import json as library
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

if TYPE_CHECKING:  # imported when it is used: the other commands need not wait for it
    from benchmarks.kind.report import Status
    from benchmarks.kind.settings import Target
    from benchmarks.stacks.doctor import Check

out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def up(
    env_file: Path, context: str | None, kubeconfig: Path | None, image: str | None, mlflow_image: str | None,
    err: Console, *, json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Bring it up, and say where it is."""
    from benchmarks.kind import forward, lifecycle

    target = _target(env_file, context, kubeconfig)
    done = lifecycle.up(target, err, step_image=image, mlflow_image=mlflow_image)
    if quiet:
        return
    if json:
        print(library.dumps(done.json_dict(), indent=2))
        return
    for line in (
        f"Kubeflow {done.url}  (no sign-in: KFP standalone has none; the port is 127.0.0.1's)",
        f"MLflow   {done.mlflow_url}",
        f"forwarded until `./bakeoff down kubeflow{target.options}`; by hand: {forward.by_hand(target)[0]}",
        *([f"left to the node to pull: {', '.join(done.not_loaded)}"] if done.not_loaded else []),
        "next: ./bakeoff retrain --on kubeflow --stack kind --month 2013-03",
        "      ./bakeoff verify kubeflow",
    ):
        _say(line)


def down(env_file: Path, context: str | None, kubeconfig: Path | None, err: Console, *, volumes: bool) -> str:
    """Take it down; what was removed and what is kept."""
    from benchmarks.kind import lifecycle

    return lifecycle.down(_target(env_file, context, kubeconfig), err, volumes=volumes)


def is_there(env_file: Path) -> bool:
    """Is there a Kind cluster of ours?"""
    from benchmarks.kind import cluster

    return cluster.is_there(_target(env_file, None, None))


def status(env_file: Path, context: str | None, kubeconfig: Path | None) -> Status:
    """Its parts and its health."""
    from benchmarks.kind import report

    return report.status(_target(env_file, context, kubeconfig))


def lines(told: Status) -> Iterator[RenderableType]:
    """A status, as it is printed."""
    from benchmarks.kind import report

    state = "healthy" if told.healthy else "up, but not healthy" if told.up else "not up"
    yield f"{told.cluster}: {state}"
    if told.services:
        yield report.table(told)
        yield from (f"{name}: {address}" for name, address in told.addresses.items())
    yield from (f"amiss: {reason}" for reason in told.reasons)


def logs(
    env_file: Path, context: str | None, kubeconfig: Path | None, service: str | None, *, follow: bool, tail: int | None
) -> int:
    """Print logs; the exit code of kubectl."""
    from benchmarks.kind import report

    return report.logs(_target(env_file, context, kubeconfig), service, follow=follow, tail=tail)


def checks(env_file: Path, context: str | None, kubeconfig: Path | None) -> list[Check]:
    """What it needs."""
    from benchmarks.kind import doctor

    return list(doctor.checks(_target(env_file, context, kubeconfig)))


def information() -> list[Check]:
    """Are kind and kubectl there? The other tools do not need them, so it is never amiss."""
    from benchmarks.kind import tools
    from benchmarks.stacks.doctor import Check
    from benchmarks.stacks.engine import StackError

    found = []
    for name in ("kind", "kubectl"):
        try:
            said = "{} {}.{}".format(name, *tools.version(name))
        except StackError as error:
            said = error.what
        found.append(Check(name, True, f"{said} (only Kubeflow needs it)"))
    return found


def _target(env_file: Path, context: str | None, kubeconfig: Path | None) -> Target:
    from benchmarks.kind import settings

    return settings.target(env_file.absolute(), context=context, kubeconfig=kubeconfig)


def _say(line: str) -> None:
    out.print(line, soft_wrap=True, highlight=False, markup=False)
