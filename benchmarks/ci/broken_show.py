"""What stopped each broken change, for docs/ci.md (cog)."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from benchmarks import docs
from benchmarks.ci.broken import FILE, Fault, Stopped, read
from benchmarks.ci.pipelines import Part

_TITLES = {Part.AIRFLOW: "Airflow", Part.PREFECT: "Prefect", Part.KUBEFLOW: "Kubeflow Pipelines"}
_FAULTS = {
    Fault.IMPORT_ERROR: "import error",
    Fault.CYCLE: "cycle",
    Fault.WRONG_TYPE: "wrong type",
    Fault.MISSING_DEPENDENCY: "not in the image",
}


def markdown(path: Path = FILE) -> str:
    """All that was kept, in the order of the faults, so that the tools stand side by side."""
    result = read(path)
    if result is None:
        return "Not measured yet."
    rows = [row for fault in Fault for of in result.tools for row in of.changes if row.fault is fault]
    early = sum(row.when == "before anything runs" for row in rows)
    stopped = sum(row.before_deploy for row in rows)
    head = (
        "| fault | tool | what the developer did | first stopped by | s | when | tool's own check | passed before it |"
    )
    machines = dict.fromkeys(docs.machine(of.environment) for of in result.tools)
    return "\n".join(
        [
            f"Of {len(rows)} broken changes {stopped} were stopped before deploy, {early} before anything ran.",
            "",
            head,
            "|---|---|---|---|---:|---|---|---|",
            *map(_row, rows),
            "",
            *(f"- {_TITLES[row.tool]}, {_FAULTS[row.fault]}: `{_plain(row.line)}`{_note(row)}" for row in rows),
            "",
            "  \n".join(machines) + "; n = 1.",
        ]
    )


def _row(row: Stopped) -> str:
    own = "refuses it" if row.own_check else "takes it"
    cells = [
        *(_FAULTS[row.fault], _TITLES[row.tool], row.did, f"{row.job}: {row.step}", f"{row.seconds:.0f}"),
        *(row.when if row.before_deploy else "**after deploy**", own, "; ".join(map(_short, row.passed)) or "nothing"),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _short(step: str) -> str:
    """A step's name without what explains it."""
    return step.partition(",")[0]


def _plain(line: str) -> str:
    """A line of a log without what colours it, and without what would end the code that it stands in."""
    return Text.from_ansi(line).plain.replace("`", "'")


def _note(row: Stopped) -> str:
    return f". {row.note}" if row.note else ""
