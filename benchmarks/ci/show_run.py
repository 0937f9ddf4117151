"""The seconds of each step, for a terminal and for docs/ci.md, where they come from the result file (cog)."""

from __future__ import annotations

import itertools
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from benchmarks import docs
from benchmarks.ci.pipelines import Part
from benchmarks.ci.records import FILE, KINDS, CiRun, StepRun, read

TITLES = {Part.PREFECT: "Prefect", Part.AIRFLOW: "Airflow", Part.KUBEFLOW: "Kubeflow Pipelines"}


def table(runs: list[CiRun]) -> Table:
    """One tool's runs, for a terminal."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("job", "step"):
        shown.add_column(heading)
    for run in runs:
        shown.add_column(f"{run.kind} s", justify="right")
    shown.add_column("")
    for steps in zip(*(run.steps for run in runs), strict=True):
        shown.add_row(steps[0].job, escape(steps[0].name), *map(_figure, steps), escape(_first_line(steps)))
    if runs:
        shown.add_row("all", "", *(f"{run.seconds:.1f}" for run in runs), "")
    return shown


def failures(runs: list[CiRun]) -> list[str]:
    """The end of what each failed step has printed."""
    return [f"{each.job}, {each.name}: {each.note}" for run in runs for each in run.steps if each.status == "failed"]


def markdown(path: Path = FILE) -> str:
    """All that was kept: a table of the jobs, and below it each tool's steps and what it was measured on."""
    result = read(path)
    if result is None:
        return "Not measured yet."
    of = {tool: sorted((each for each in result.runs if each.tool is tool), key=_order) for tool in TITLES}
    there = {tool: runs for tool, runs in of.items() if runs}
    missing = [f"**{title}**: not measured yet." for tool, title in TITLES.items() if not of[tool]]
    return "\n\n".join([_jobs(there), *missing, *(_steps(TITLES[tool], runs) for tool, runs in there.items())])


def jobs(path: Path = FILE) -> str:
    """The table of the jobs alone."""
    result = read(path)
    if result is None:
        return "Not measured yet."
    of = {tool: sorted((each for each in result.runs if each.tool is tool), key=_order) for tool in TITLES}
    return _jobs({tool: runs for tool, runs in of.items() if runs})


def _order(run: CiRun) -> int:
    return KINDS.index(run.kind)


def _jobs(of: dict[Part, list[CiRun]]) -> str:
    """Seconds of each job; those with which a tool's second job differs from another's stand in one row."""
    runs = [(TITLES[tool], run) for tool, found in of.items() for run in found]
    rows = [f"| job | {' | '.join(f'{title}, {run.kind} s' for title, run in runs)} |", f"|---|{'---:|' * len(runs)}"]
    jobs = [[list(group) for _, group in itertools.groupby(run.steps, lambda each: each.job)] for _, run in runs]
    for together in zip(*jobs, strict=True):
        names = " / ".join(dict.fromkeys(steps[0].job for steps in together))
        rows.append(f"| {names} | {' | '.join(map(_seconds, together))} |")
    rows.append(f"| **all** | {' | '.join(f'**{run.seconds:.0f}**' for _, run in runs)} |")
    return "\n".join(rows)


def _seconds(steps: list[StepRun]) -> str:
    """Of a job."""
    if all(each.status == "not run" for each in steps):
        return "not run"
    failed = "failed " if any(each.status == "failed" for each in steps) else ""
    return f"{failed}{sum(each.seconds or 0 for each in steps):.0f}"


def _steps(title: str, runs: list[CiRun]) -> str:
    kinds = " | ".join(f"{run.kind} s" for run in runs)
    rows = [f"| job | step | {kinds} | |", f"|---|---|{'---:|' * len(runs)}---|"]
    for steps in zip(*(run.steps for run in runs), strict=True):
        figures = " | ".join(map(_figure, steps))
        rows.append(f"| {steps[0].job} | {_cell(steps[0].name)} | {figures} | {_cell(_first_line(steps))} |")
    machines = "  \n".join(dict.fromkeys(docs.machine(run.environment) for run in runs))
    head = f"<details><summary>{title}: each step</summary>"
    return "\n".join([head, "", *rows, "", f"{machines}; n = 1.", "", "</details>"])


def _figure(step: StepRun) -> str:
    seconds = "" if step.seconds is None else f"{step.seconds:.1f}"
    return seconds if step.status == "passed" else f"{step.status} {seconds}".strip()


def _first_line(steps: tuple[StepRun, ...]) -> str:
    """The notes of one step in all runs, each once."""
    notes = (each.note.splitlines()[0] for each in steps if each.note)
    return "; ".join(dict.fromkeys(notes))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")
