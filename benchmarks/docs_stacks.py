"""The tables of docs/stacks.md, from the result files of `bakeoff bench stacks` and of the fault tests (cog)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from benchmarks import docs, results, stack_cost
from benchmarks.places import RESULTS
from benchmarks.stack_cost import StackCost, StackCosts, Start, spread
from benchmarks.stacks.image_size import ImageSize
from benchmarks.stacks.stack import STACKS

STACKS_FILE, FAULTS_FILE = RESULTS / "stacks.json", RESULTS / "faults.json"
NOT_YET = "Not measured yet."


class Fault(BaseModel):
    """One fault that was made while a retraining ran, and what came of it; the fault tests write these."""

    tool: str
    fault: str
    outcome: Literal["recovered", "failed"]
    seconds: float
    retried: bool
    cause: str | None
    champion_changed_wrongly: bool


def starts(path: Path = STACKS_FILE) -> str:
    """Seconds until healthy."""
    result = stack_cost.read(path)
    if result is None:
        return NOT_YET
    rows = [
        "| stack | `up` | n | whole command s | until healthy s | build s | data s |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for each in result.stacks:
        rows += [_failed(each, 6)] if each.error else []
        rows += _starts(each, "the first, no volumes", [each.first] if each.first else [])
        rows += _starts(each, "warm: after `down`, images built", each.warm)
        rows += _starts(each, "of what is up", each.again)
    return "\n".join([*rows, "", *_about(result)])


def idle(path: Path = STACKS_FILE) -> str:
    """Memory and CPU of each service, and sums."""
    result = stack_cost.read(path)
    if result is None:
        return NOT_YET
    rows = [
        "| stack | service | part of | memory MiB, median (min - max) | CPU, % of one core |",
        "|---|---|---|---:|---:|",
    ]
    for each in result.stacks:
        if each.idle is None:
            rows.append(_failed(each, 4))
            continue
        for one in sorted(each.idle.services, key=lambda service: (service.role != "base", service.role)):
            used = f"{one.memory_mib.median:.0f} ({one.memory_mib.min:.0f} - {one.memory_mib.max:.0f})"
            rows.append(f"| {_title(each)} | {one.service} | {one.role} | {used} | {one.cpu_percent:.1f} |")
        for name, roles in (("the tool alone", _TOOL), ("all, with Postgres and MLflow", _ALL)):
            memory, cpu = each.idle.memory_mib(*roles), each.idle.cpu_percent(*roles)
            rows.append(f"| **{_title(each)}** | **{name}** | | **{memory:,.0f}** | **{cpu:.1f}** |")
    return "\n".join(rows)


def images(path: Path = STACKS_FILE) -> str:
    """Size of each image and of its parts."""
    result = stack_cost.read(path)
    if result is None:
        return NOT_YET
    rows = ["| image | MB | base image | packages | bytecode | the rest |", "|---|---:|---:|---:|---:|---:|"]
    for image in _images(result):
        packages = image.packages_rest_mb and image.packages_rest_mb + sum(part.mb for part in image.largest)
        parts = [image.base_mb, packages, image.bytecode_mb, image.other_mb]
        shown = " | ".join("" if each is None else f"{each:.0f}" for each in parts)
        rows.append(f"| `{image.name}` | {image.mb:.0f} | {shown} |")
    return "\n".join(rows)


def space(path: Path = STACKS_FILE) -> str:
    """The largest packages of our own images."""
    result = stack_cost.read(path)
    if result is None:
        return NOT_YET
    lines = []
    for image in _images(result):
        if image.largest:
            named = ", ".join(f"{part.name} {part.mb:.0f}" for part in image.largest)
            lines.append(f"- `{image.name}`: {named}; all others {image.packages_rest_mb:.0f}.")
    return "\n".join(lines)


def faults(path: Path = FAULTS_FILE) -> str:
    """What happened under each fault."""
    if not path.exists():
        return NOT_YET
    told = json.loads(path.read_text())
    rows = ["| fault, during a run | tool | the run | s | champion | cause told |", "|---|---|---|---:|---|---|"]
    for each in map(Fault.model_validate, told["faults"]):
        run = each.outcome + ("; right when repeated" if each.retried else "")
        champion = "**WRONG**" if each.champion_changed_wrongly else "right"
        rows.append(f"| {each.fault} | {each.tool} | {run} | {each.seconds:.0f} | {champion} | {_cell(each.cause)} |")
    rows += ["", f"Measured on {docs.machine(results.Environment.model_validate(told['environment']))}; n = 1."]
    return "\n".join(rows)


_TOOL: tuple[Literal["control plane", "workers"], ...] = ("control plane", "workers")
_ALL: tuple[Literal["base", "control plane", "workers"], ...] = ("base", "control plane", "workers")


def _starts(cost: StackCost, what: str, some: list[Start]) -> list[str]:
    if not some:
        return [] if cost.error else [f"| {_title(cost)} | {what} | 0 | not measured | | | |"]
    spent = [
        spread(some, figure)
        for figure in (
            lambda each: each.seconds,
            lambda each: each.start_s,
            lambda each: each.build_s,
            lambda each: each.publish_s,
        )
    ]
    rows = [f"| {_title(cost)} | {what} | failed: {_cell(each.error)} | | | | |" for each in some if each.error]
    if spent[0] is not None:
        n = len(spent[0].samples)
        shown = " | ".join("" if one is None else _spread(one.median, one.min, one.max, n) for one in spent)
        rows.insert(0, f"| {_title(cost)} | {what} | {n} | {shown} |")
    return rows


def _spread(middle: float, least: float, most: float, n: int) -> str:
    return f"{middle:.1f}" if n == 1 else f"{middle:.1f} ({least:.1f} - {most:.1f})"


def _title(cost: StackCost) -> str:
    return STACKS[cost.tool].title + (" with Celery" if cost.celery else "")


def _failed(cost: StackCost, empty: int) -> str:
    return f"| {_title(cost)} | failed: {_cell(cost.error or 'not measured')} |" + " |" * (empty - 1)


def _cell(text: str | None) -> str:
    """Text that may stand in a table: one line, no bars, not too long."""
    line = " ".join((text or "").split()).replace("|", "/")
    return line if len(line) <= 200 else f"{line[:200]} ..."


def _images(result: StackCosts) -> list[ImageSize]:
    """Each image once: the stacks share some."""
    return list({image.name: image for each in result.stacks for image in each.images}.values())


def _about(result: StackCosts) -> list[str]:
    lines = []
    for each in result.stacks:
        named = ", ".join(f"{name} {version}" for name, version in each.versions.items())
        engine = f"Docker {each.docker}, compose {each.compose}"
        lines.append(f"{_title(each)}: {docs.machine(each.environment)}; {engine}; {named}.")
    return ["  \n".join(lines)]
