"""A pull request's way to the server and back, for a terminal and for docs/ci.md (cog)."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from benchmarks import docs
from benchmarks.ci.records import PULL_REQUESTS, Event, PullRequest, read_pull_requests
from benchmarks.ci.show_run import TITLES

_HEADINGS = ("what happens", "commit", "jobs run", "s", "of it staging s", "deployed", "newest run")


def table(done: PullRequest) -> Table:
    """One tool's, for a terminal."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in _HEADINGS:
        shown.add_column(heading, justify="right" if heading in ("s", "of it staging s") else "left")
    for event in done.events:
        shown.add_row(*map(escape, _cells(event)))
    return shown


def problems(done: PullRequest) -> list[str]:
    """What was not as it should be."""
    return [f"{event.name}: {event.problem}" for event in done.events if event.problem]


def markdown(path: Path = PULL_REQUESTS) -> str:
    """All that was kept, one table a tool, with its change."""
    result = read_pull_requests(path)
    if result is None:
        return "Not measured yet."
    kept = {each.tool: each for each in result.pull_requests}
    return "\n\n".join(_of_tool(title, kept[tool]) for tool, title in TITLES.items() if tool in kept)


def _of_tool(title: str, done: PullRequest) -> str:
    lines = [line for line in done.patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    rows = ["| " + " | ".join(_HEADINGS) + " |", "|---|---|---|---:|---:|---|---|"]
    rows += ["| " + " | ".join(_cells(event)) + " |" for event in done.events]
    told = [*problems(done), "", f"{docs.machine(done.environment)}; n = 1."]
    return "\n".join([f"**{title}**", "", "```diff", *lines[:2], "```", "", *rows, *told])


def _cells(event: Event) -> tuple[str, ...]:
    staging = sum(each.seconds or 0 for each in event.steps if each.job == "staging")
    seen = event.seen
    run = ""
    if seen and seen.run:
        end = "succeeded" if seen.succeeded else "has not succeeded"
        run = f"of {seen.run_version[:7]}, {end}, {'shows' if seen.changed else 'does not show'} the change"
    return (
        event.name,
        event.commit[:7],
        ", ".join(event.jobs),
        f"{event.seconds:.0f}",
        f"{staging:.0f}" if staging else "",
        seen.version[:7] if seen else "",
        run,
    )
