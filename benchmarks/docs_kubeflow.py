"""The tables of docs/kubeflow.md, from the result file of `bakeoff bench kubeflow` (cog)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import docs
from benchmarks.kubeflow import cost
from benchmarks.kubeflow.cost import KubeflowCost, Run, Sample, of_runs, spread
from benchmarks.kubeflow.docker_arm import Runner
from benchmarks.places import RESULTS
from benchmarks.stats import Timing

FILE = RESULTS / "kubeflow.json"
NOT_YET = "Not measured yet."
_STEPS = ("fetch", "ingest", "validate", "train", "evaluate", "register")
_TITLES = {Runner.SUBPROCESS: "a process each (`subprocess`)", Runner.DOCKER: "a container each (`docker`)"}


def read(path: Path = FILE) -> KubeflowCost | None:
    """The result file, where there is one."""
    return KubeflowCost.model_validate_json(path.read_text()) if path.exists() else None


def image(path: Path = FILE) -> str:
    """Size of the image and of its parts."""
    result = read(path)
    if result is None:
        return NOT_YET
    found = result.image
    packages = (found.packages_rest_mb or 0) + sum(part.mb for part in found.largest)
    named = ", ".join(f"{part.name} {part.mb:.0f}" for part in found.largest)
    parts = [found.mb, found.base_mb or 0, packages, found.bytecode_mb or 0, found.other_mb or 0, result.trimmed_mb]
    return "\n".join(
        [
            "| MB | base image | packages | bytecode | the rest | left out |",
            "|---:|---:|---:|---:|---:|---:|",
            f"| **{parts[0]:.0f}** | " + " | ".join(f"{part:.0f}" for part in parts[1:]) + " |",
            "",
            f"The largest packages: {named}; all others {found.packages_rest_mb or 0:.0f}.",
        ]
    )


def builds(path: Path = FILE) -> str:
    """Seconds of builds, and of what spares one."""
    result = read(path)
    if result is None:
        return NOT_YET
    rows = ["| what | n | s, median (min - max) |", "|---|---:|---:|"]
    rows += _row("build from nothing (`--no-cache`), packages in the builder's cache", result.cold_build)
    rows += _row("build of what is unchanged", result.same_build)
    rows += _row("build after one changed line of `shared/`", result.line_build)
    rows += _row("`--mount-code` instead: finding the image, no build", result.line_mounted)
    rows += _row("compiling the pipeline to IR YAML, a process each", result.compile)
    return "\n".join(rows)


def runners(path: Path = FILE) -> str:
    """A retraining by each runner, and what a component costs beside its work."""
    result = read(path)
    if result is None:
        return NOT_YET
    rows = [
        f"| {cost.MONTH}, every component in | n | whole s | outside the steps s | for each of {cost.COMPONENTS} s |",
        "|---|---:|---:|---:|---:|",
    ]
    for runner, title in _TITLES.items():
        figures: list[Callable[[Run], float | None]] = [
            lambda each: each.seconds,
            lambda each: each.outside_s,
            lambda each: each.component_s,
        ]
        found = [of_runs(result.runs, runner, figure) for figure in figures]
        if found[0]:
            shown = " | ".join(_spread(each, digits) for each, digits in zip(found, (1, 1, 2), strict=True))
            rows.append(f"| {title} | {len(found[0].samples)} | {shown} |")
        rows += [f"| {title} | failed: {_cell(run.error)} | | | |" for run in result.runs if _failed(run, runner)]
    return "\n".join([*rows, "", *_about(result)])


def steps(path: Path = FILE) -> str:
    """What the steps say of themselves in either runner."""
    result = read(path)
    if result is None:
        return NOT_YET
    rows = [f"| median s in | {' | '.join(_STEPS)} |", "|---|" + "---:|" * len(_STEPS)]
    for runner, title in _TITLES.items():
        found = [of_runs(result.runs, runner, lambda run, step=step: run.steps_s.get(step)) for step in _STEPS]  # type: ignore[misc]
        rows.append(f"| {title} | " + " | ".join("" if each is None else f"{each.median:.1f}" for each in found) + " |")
    return "\n".join(rows)


def _row(what: str, samples: list[Sample]) -> list[str]:
    found = spread(samples)
    rows = [f"| {what} | {len(found.samples)} | {_spread(found, 2)} |"] if found else []
    return rows + [f"| {what} | | failed: {_cell(each.error)} |" for each in samples if each.error]


def _failed(run: Run, runner: Runner) -> bool:
    return run.runner is runner and run.error is not None


def _spread(found: Timing | None, digits: int) -> str:
    if found is None:
        return ""
    middle, least, most = (f"{each:.{digits}f}" for each in (found.median, found.min, found.max))
    return middle if len(found.samples) == 1 else f"{middle} ({least} - {most})"


def _cell(text: str | None) -> str:
    """Text that may stand in a table: one line, no bars, not too long."""
    return " ".join((text or "").split()).replace("|", "/")[:200]


def _about(result: KubeflowCost) -> list[str]:
    tools = ", ".join(f"{name} {result.versions[name]}" for name in ("kfp", "mlflow") if name in result.versions)
    return [f"Measured on {docs.machine(result.environment)}; Docker {result.docker}; {tools}."]
