"""debug: seeded faults on every tool; how soon it tells, how far it is to the cause, what it repeats afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.measures.catalog import Asked, Measure, Name, Where
from benchmarks.measures.debug import cell as cells
from benchmarks.measures.debug import tools
from benchmarks.measures.debug.catalogue import Cell
from benchmarks.measures.debug.catalogue import cells as row
from benchmarks.measures.debug.subject import Subject
from benchmarks.measures.record import Figure
from benchmarks.measures.rounds import Case, Group, Tell
from benchmarks.places import ArmName
from benchmarks.stacks import engine

#: Seconds on two cores, for the estimate: opening and closing, and a cell.
_OPEN_S = {
    (ArmName.PLAIN, Where.EMBEDDED): 7,
    (ArmName.PREFECT, Where.EMBEDDED): 10,
    (ArmName.AIRFLOW, Where.EMBEDDED): 22,
    (ArmName.KUBEFLOW, Where.EMBEDDED): 7,
    (ArmName.PREFECT, Where.COMPOSE): 150,
    (ArmName.AIRFLOW, Where.COMPOSE): 210,
}
_RUN_S = {ArmName.PLAIN: 6, ArmName.PREFECT: 11, ArmName.AIRFLOW: 18, ArmName.KUBEFLOW: 16}
#: Retries after 5, 15 and 45 s are the pipeline's own, and stay as they are.
_RETRIED = 65
_RETRIED_IN = {
    ArmName.AIRFLOW: ("out-of-memory", "tracking-down", "database"),
    ArmName.PREFECT: ("out-of-memory", "tracking-down", "database"),
    ArmName.KUBEFLOW: ("out-of-memory", "tracking-down", "tracking-403", "database", "wrong-image-tag"),
}
#: Starting an MLflow server twice; making a container anew.
_SERVER_S, _RECREATED_S = 12, 15

FIGURES = (
    Figure(
        name="detect_s",
        title="until told",
        unit="s",
        definition=(
            "From the trigger of the run (of an import error: from the change of the file) until the tool's own "
            "API says failed, or a broken file; where there is no API that outlives the run (plain, kfp.local, "
            "embedded Prefect), until the process has ended. Retries that the pipeline asks for (after 5, 15 and "
            "45 s) are part of it. None where nothing was ever told: cured by a retry, or green. Where the run still "
            "went on when the harness waited no longer, how long it had waited: told as such, and in no median."
        ),
    ),
    Figure(
        name="first_sign_s",
        title="first sign",
        unit="s",
        definition=("From the trigger until the tool's API shows a first try that has failed, retried or not."),
    ),
    Figure(
        name="diagnose_s",
        title="walk",
        unit="s",
        definition=(
            "Machine seconds of a fixed scripted walk from the alert to the line that names the root cause, as an"
            " experienced user of the tool would go (benchmarks/measures/debug/walks): a scripted proxy, no "
            "person was timed."
        ),
    ),
    Figure(
        name="walk_steps",
        title="looks",
        unit="count",
        definition="Looks of that walk, to the one that shows the cause.",
    ),
    Figure(
        name="tools_switched",
        title="switches",
        unit="count",
        definition=(
            "How often the walk turns from one thing (the tool's UI, a terminal, MLflow, the kernel's log) to another."
        ),
    ),
    Figure(
        name="log_lines",
        title="lines before",
        unit="lines",
        definition=("Lines above the cause in what that look shows: a message, a log, or the end of one."),
    ),
    Figure(
        name="repeated_steps",
        title="repeated",
        unit="count",
        definition=(
            "With the fault mended, the tool's own way to go on (text `resume`): steps that had ended well before"
            " and are executed again, by the core's own events. After a retry that cured it: steps begun more "
            "than once."
        ),
    ),
    Figure(
        name="resume_s",
        title="going on",
        unit="s",
        definition=(
            "From asking the tool to go on until the retraining has ended well; after a retry that cured it, from"
            " the first failure to the end."
        ),
    ),
    Figure(
        name="run_s",
        title="no fault",
        unit="s",
        definition=(
            "The control: the same retraining with no fault, from its trigger until the tool says that it ended well."
        ),
    ),
)

LIMITS = (
    "The walks are scripts, written as an experienced user of each tool would go: they are data that a reader "
    "may inspect and dispute (benchmarks/measures/debug/walks), and diagnose_s is no person's time; "
    "docs/debug-sheet.md times people.",
    "Each cell is taken once: what is counted (looks, lines, steps) does not vary, and the seconds have no spread.",
    "One line is taken for the cause, by a regular expression that stands in the catalogue (faults.yaml).",
    "cause_in is `hidden` where no page, message or log of the tool shows the cause; MLflow or the kernel's "
    "log still may.",
    "Retries are those of the three adapters (after 5, 15 and 45 s); Airflow's and Prefect's leave alone what "
    "cannot pass.",
    "A wrong image tag is refused by the container engine, before the tool knows of it; where no registry of images "
    "can be reached, as on the machine of the results that are kept, because of that. A database that is down leaves "
    "no API that could tell of a run. Neither is among the seconds that the headline compares.",
    "The quick profile takes four rows of the catalogue, and does not ask how a tool goes on.",
    "Kubeflow is kfp.local: what its server would show was not seen here.",
)


@contextmanager
def _opened(tool: ArmName, where: Where, tell: Tell) -> Iterator[Subject]:
    subject = tools.make(tool, where)
    try:
        subject.open(tell)
        yield subject
    finally:
        tell("closing")
        subject.close()


def _estimate(cell: Cell, brief: bool) -> float:
    """Seconds on two cores of one cell."""
    fault, run = cell.fault, _RUN_S[cell.tool]
    broken: float = run
    if fault.id in _RETRIED_IN.get(cell.tool, ()):
        broken = _RETRIED + 1.5 * run
    elif fault.id == "hang":
        broken = 60 if cell.tool in (ArmName.PLAIN, ArmName.KUBEFLOW) else 40
    elif fault.kind == "data" or fault.id == "import-error":
        broken = 8 if fault.kind == "data" else 2
    goes_on = not brief and fault.ends in ("failed", "running") and fault.mended != "not asked"
    servers = _SERVER_S if fault.kind.startswith(("tracking", "flaky", "credential", "database")) else 0
    recreated = _RECREATED_S if cell.where is Where.COMPOSE and fault.kind in ("memory", "image", "tracking_403") else 0
    return broken + run * goes_on + servers + recreated


def _rows(asked: Asked) -> Iterator[Cell]:
    for where in asked.where:
        for tool in asked.tools:
            yield from row(tool, where, quick=asked.profile == "quick")


def _in_containers(each: Cell) -> bool:
    return not each.why_not and (each.where is Where.COMPOSE or each.fault.kind == "image")


def _no_engine() -> str:
    """Why no container can be started; '' where one can."""
    try:
        engine.info()
    except engine.StackError as error:
        return f"{error.what}; `./bakeoff doctor` says what is missing"
    return ""


def groups(asked: Asked) -> list[Group]:
    """A group for each tool and place: its server, where it has one, is started once."""
    no_engine = _no_engine() if any(map(_in_containers, _rows(asked))) else ""
    found = []
    for where in asked.where:
        for tool in asked.tools:
            row_of = list(row(tool, where, quick=asked.profile == "quick"))
            cases = [
                Case(
                    labels=each.labels,
                    take=partial(cells.take, each, brief=asked.profile == "quick"),
                    rounds=asked.count(1, 1),
                    warmup=0,
                    estimate_s=0.0 if each.why_not else _estimate(each, asked.profile == "quick"),
                    cannot=each.why_not or (no_engine if _in_containers(each) else ""),
                )
                for each in row_of
            ]
            if cases:
                opens = _OPEN_S.get((tool, where), 0)
                found.append(Group(f"{tool} {where}", cases, partial(_opened, tool, where), opens))
    return found


MEASURE = Measure(
    name=Name.DEBUG,
    title="Debugging effort",
    question="When a retraining breaks, how soon does the tool tell, how far is the cause, and what is done twice?",
    figures=FIGURES,
    groups=groups,
    limits=LIMITS,
)
