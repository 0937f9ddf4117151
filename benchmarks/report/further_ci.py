"""What the result files of CI say: counts of pipelines, runs, pull requests, changes, broken changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.changes import records as changes_records
from benchmarks.changes import show as changes_show
from benchmarks.changes.scenarios import Scenario
from benchmarks.ci import broken as broken_records
from benchmarks.ci import broken_show, counts, records, show, show_pull_request, show_run
from benchmarks.ci.pipelines import TITLES, Part, System
from benchmarks.report import tables
from benchmarks.report.figures import TOOLS, Mark, Panel, Shown, ordered
from benchmarks.report.section import Section, once, once_or_failed
from benchmarks.stats import timing


def ci(_: Path) -> Section:
    """Counts of each tool's pipeline on both systems."""
    counted = [counts.count(counts.read(tool, system)) for tool in show.TOOLS for system in System]
    figures = [
        ("lines", "Lines of the pipeline's files", "lines", "Lines that are neither blank nor only a comment.", True),
        ("jobs", "Jobs", "count", "Jobs from lint to production.", None),
        ("secrets", "Secrets to set", "count", "Names of secrets that somebody has to set in the system.", True),
    ]
    shown = []
    for name, title, unit, definition, less in figures:
        panels = [
            Panel(
                TITLES[system], tuple(once(each.part, _size(each, name)) for each in counted if each.system == system)
            )
            for system in System
        ]
        shown.append(Shown(name, title, unit, definition, tuple(panels), less))
    return Section(
        "ci",
        "CI: what a pipeline takes",
        "How much is there to write and to keep, from lint to production?",
        "./bakeoff bench ci",
        None,
        (
            (
                "counted",
                "parsed from the workflow files of GitHub Actions and GitLab in this repository, as they are now",
            ),
        ),
        tuple(shown),
        (tables.html(show.markdown(), "Counts of each pipeline"),),
    )


def _size(count: counts.Count, name: str) -> float:
    value = getattr(count, name)
    return float(value if isinstance(value, int) else len(value))


def ci_run(file: Path) -> Section:
    """Seconds of each tool's workflow."""
    result = records.read(file)
    runs = result.runs if result else ()
    panels = [Panel(kind, ordered(_run(each) for each in runs if each.kind == kind)) for kind in records.KINDS]
    definition = (
        "Seconds of all steps of the tool's GitHub workflow, its `run:` lines run one after the other in a clean "
        "checkout; a hosted machine needs some more for each job. n = 1."
    )
    shown = Shown("seconds", "Whole workflow", "s", definition, tuple(p for p in panels if p.marks), True)
    return Section(
        "ci-run",
        "CI: what a run takes",
        "How long does each tool's own workflow run?",
        "./bakeoff bench ci --tool TOOL --run",
        file,
        (("cold", "the first run in a new checkout"), ("warm", "the second run in the same one")),
        (shown,) if runs else (),
        (tables.html(show_run.jobs(file), "Seconds of each job"),) if runs else (),
    )


def _run(run: records.CiRun) -> Mark:
    failed = "; ".join(show_run.failures([run]))
    return once_or_failed(run.tool, run.seconds if run.passed else None, failed)


def _event(tool: Part, event: records.Event) -> Mark:
    return once_or_failed(tool, None if event.problem else event.seconds, event.problem)


def pull_request(file: Path) -> Section:
    """Seconds of what a pull request starts."""
    result = records.read_pull_requests(file)
    done = result.pull_requests if result else ()
    names = dict.fromkeys(event.name for each in done for event in each.events)
    panels = [
        Panel(name, ordered(_event(each.tool, event) for each in done for event in each.events if event.name == name))
        for name in names
    ]
    definition = "Seconds of all steps that the event starts, those of the deployment to a real server included. n = 1."
    shown = Shown("seconds", "From a change to the server, and back", "s", definition, tuple(panels), True)
    return Section(
        "ci-pull-request",
        "CI: a pull request's way",
        "What does a change take from the pull request to the server, and back?",
        "./bakeoff bench ci --tool TOOL --pull-request",
        file,
        (("deployed", "what the server says that it would start next"),),
        (shown,) if done else (),
        (tables.html(show_pull_request.markdown(file), "Each event"),) if done else (),
    )


def changes(file: Path) -> Section:
    """Seconds until a change is deployed, and until it has run."""
    result = changes_records.read(file)
    shown = []
    if result:
        for field, title, definition in (
            ("deployed_s", "Until deployed", "Seconds until the server would start the new version. n = 1."),
            ("ran_s", "Until run", "Seconds until a small run of the new version has ended in success. n = 1."),
        ):
            panels = [
                Panel(words, ordered(_changed(result, scenario, field)))
                for scenario, words in changes_show.WORDS.items()
            ]
            shown.append(Shown(field, title, "s", definition, tuple(each for each in panels if each.marks), True))
    return Section(
        "changes",
        "What a change takes",
        "How long from an edited file until the servers run it?",
        "./bakeoff bench changes",
        file,
        (("seconds", "from the start of the change's first command"),),
        tuple(each for each in shown if each.panels),
        (tables.html(changes_show.markdown(file), "Each change"),) if result else (),
    )


def _changed(result: changes_records.Changes, scenario: Scenario, field: str) -> Iterator[Mark]:
    """Each way of each tool: when, or why not; nothing where a step does not belong to the way."""
    for measured in result.measured:
        for change in measured.changes:
            if change.scenario is scenario:
                seconds = getattr(change, field)
                away = ", no server" if field == "ran_s" and change.ran_on == "containers" else ""
                label = f"{TOOLS.get(measured.tool, measured.tool)}, by {measured.way}{away}"
                if seconds is not None:
                    yield Mark(measured.tool, timing([seconds]), label=label)
                elif change.status != "passed":
                    yield Mark(measured.tool, None, change.status, change.cause, label)


def broken(file: Path) -> Section:
    """Which step stops a broken change."""
    there = broken_records.read(file) is not None
    return Section(
        "ci-broken",
        "What stops a broken change",
        "Which step of the workflow stops it, and is that before it is deployed?",
        "make test-stacks",
        file,
        (("broken", "one change of each kind for each tool, put through that tool's own workflow"),),
        (),
        (tables.html(broken_show.markdown(file), "Each broken change"),) if there else (),
    )
