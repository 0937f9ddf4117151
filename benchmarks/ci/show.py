"""The counts as a table, for a terminal and for docs/ci.md."""

from __future__ import annotations

from rich.table import Table

from benchmarks.ci import counts
from benchmarks.ci.counts import Count
from benchmarks.ci.pipelines import TITLES, Part, System

TOOLS = (Part.PREFECT, Part.AIRFLOW, Part.KUBEFLOW)
#: Heading and figure.
COLUMNS = (
    ("lines", lambda each: each.lines),
    ("of them path filters", lambda each: each.path_lines),
    ("jobs", lambda each: each.jobs),
    ("steps", lambda each: each.steps),
    ("commands", lambda each: each.commands),
    ("actions", lambda each: len(each.actions)),
    ("of third parties", lambda each: len(each.third_party)),
    ("image builds", lambda each: len(each.image_builds)),
    ("jobs with Docker", lambda each: len(each.docker)),
    ("jobs with a server", lambda each: len(each.servers)),
    ("own runners", lambda each: len(each.own_runners)),
    ("secrets", lambda each: len(each.secrets)),
    ("settings", lambda each: len(each.settings)),
)


def table(counted: tuple[Count, ...]) -> Table:
    """For a terminal, which has no room for so many columns: one column a part and system."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    shown.add_column("")
    for each in counted:
        shown.add_column(f"{each.part}\n{TITLES[each.system].partition(' ')[0]}", justify="right")
    for heading, figure in COLUMNS:
        shown.add_row(heading, *(str(figure(each)) for each in counted))
    return shown


def markdown() -> str:
    """The same for the document, as the files are now."""
    rows = [
        f"| {each.part} | {TITLES[each.system]} | " + " | ".join(str(figure(each)) for _, figure in COLUMNS) + " |"
        for each in _all()
    ]
    head = f"| part | system | {' | '.join(heading for heading, _ in COLUMNS)} |"
    return "\n".join([head, f"|---|---|{'---:|' * len(COLUMNS)}", *rows])


def commands() -> str:
    """What each job of each tool runs, as GitHub's files have it."""
    pipelines = [counts.read(tool, System.GITHUB) for tool in TOOLS]
    rows = ["| job | " + " | ".join(TOOLS) + " |", "|---|---|---|---|"]
    for jobs in zip(*(pipeline.jobs for pipeline in pipelines), strict=True):
        name = " / ".join(dict.fromkeys(job.name for job in jobs))
        rows.append(f"| {name} | " + " | ".join("<br>".join(map(_code, job.commands)) for job in jobs) + " |")
    return "\n".join(rows)


def evidence() -> str:
    """What the claims come from: lines that build an image, jobs that need a server."""
    rows = ["| tool | system | builds an image | needs a server that is there |", "|---|---|---|---|"]
    for each in _all():
        if each.part in TOOLS:
            builds, servers = _cell(each.image_builds), _cell(each.servers)
            rows.append(f"| {each.part} | {TITLES[each.system]} | {builds} | {servers} |")
    return "\n".join(rows)


def to_set() -> str:
    """What somebody has to set in each system before a tool's pipeline can deploy."""
    rows = ["| tool | system | secrets | other settings |", "|---|---|---|---|"]
    for each in _all():
        if each.part in TOOLS:
            rows.append(f"| {each.part} | {TITLES[each.system]} | {_names(each.secrets)} | {_names(each.settings)} |")
    return "\n".join(rows)


def _all() -> list[Count]:
    return [counts.count(counts.read(part, system)) for part in Part for system in System]


def _cell(lines: tuple[str, ...]) -> str:
    told = (line.partition(": ") for line in lines)
    return "<br>".join(f"{job.rpartition(':')[2]}: {_code(what)}" for job, _, what in told) or "no"


def _code(command: str) -> str:
    """As code in a cell of a table."""
    return f"`{command}`".replace("|", "\\|")


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
