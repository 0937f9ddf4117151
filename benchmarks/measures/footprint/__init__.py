"""Memory and CPU of a tool's processes or containers, while nothing runs and while it retrains once; its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from benchmarks.measures.catalog import Asked, Measure, Name, Where
from benchmarks.measures.footprint import compose, embedded
from benchmarks.measures.footprint.embedded import Quiet
from benchmarks.measures.footprint.parts import EMBEDDED, Role, of_stack, rows
from benchmarks.measures.own_stack import OwnStack, own_stack
from benchmarks.measures.record import Figure
from benchmarks.measures.rounds import Case, Group, Taken, Tell, elsewhere
from benchmarks.measures.split import Split
from benchmarks.places import ArmName
from benchmarks.stacks.stack import STACKS, Stack, Tool

#: Seconds left alone, by profile and where: a stack is longer at rest, as its health checks come only now and then.
QUIET = {
    ("quick", Where.EMBEDDED): Quiet(5, 10),
    ("full", Where.EMBEDDED): Quiet(15, 60),
    ("quick", Where.COMPOSE): Quiet(10, 20),
    ("full", Where.COMPOSE): Quiet(30, 60),
}
#: Estimates on two cores, in seconds: one retraining with its start; a stack built, started and removed; one on it.
_RUN_S = {ArmName.PLAIN: 8, ArmName.PREFECT: 14, ArmName.AIRFLOW: 36, ArmName.KUBEFLOW: 25}
_STACK_S, _STACK_RUN_S = 150, 45
NO_CLUSTER = (
    "Kubeflow's servers need a Kubernetes cluster: "
    "`./bakeoff up kubeflow && kubectl top pods --all-namespaces --containers` where kind, kubectl and metrics are"
)


def groups(asked: Asked) -> list[Group]:
    """The tools as processes of this machine, then each on its servers, alone."""
    rounds = asked.count(1, 3)
    found = []
    if Where.EMBEDDED in asked.where:
        quiet = QUIET[asked.profile, Where.EMBEDDED]
        found.append(Group("embedded", [case for tool in asked.tools for case in _embedded(tool, quiet, rounds)]))
    if Where.COMPOSE in asked.where:
        quiet = QUIET[asked.profile, Where.COMPOSE]
        found += [_compose(STACKS[Tool(tool)], quiet, rounds) for tool in asked.tools if tool.value in STACKS]
        if ArmName.KUBEFLOW in asked.tools:
            labels = {"tool": ArmName.KUBEFLOW.value, "where": "kind", "part": "all", "role": "all", "phase": "idle"}
            found.append(Group("kind", [elsewhere(labels, NO_CLUSTER)]))
    return found


def _embedded(tool: ArmName, quiet: Quiet, rounds: int) -> list[Case]:
    split = Split(lambda opened, tell: embedded.measure(tool, quiet, tell))
    labels = {"tool": tool.value, "where": Where.EMBEDDED.value}
    seconds = _RUN_S[tool] + (quiet.settle_s + quiet.seconds if tool is ArmName.AIRFLOW else 0)
    return _cases(labels, EMBEDDED[tool], split, rounds, seconds)


def _compose(stack: Stack, quiet: Quiet, rounds: int) -> Group:
    tool = ArmName(stack.tool)

    def watch(opened: OwnStack, tell: Tell) -> dict[str, Taken]:
        return dict(compose.measure(tool, quiet, opened, tell))

    labels = {"tool": tool.value, "where": Where.COMPOSE.value}
    services: dict[str, Role] = of_stack(stack.tool)
    cases = _cases(labels, services, Split(watch), rounds, _STACK_RUN_S + quiet.settle_s + quiet.seconds)
    # One of each image: LocalExecutor's services share theirs.
    for service in (next(each for each in services if each.startswith(tool.value)), "mlflow", "postgres"):
        image = {**labels, "part": f"image of {service}", "role": services[service]}
        cases.append(Case(image, _image(service), rounds=1, warmup=0, estimate_s=5))
    return Group(f"{tool} in containers", cases, _opened(stack.tool), _STACK_S)


def _opened(tool: Tool) -> Callable[[Tell], AbstractContextManager[OwnStack]]:
    return lambda tell: own_stack(tool, tell)


def _image(service: str) -> Callable[[OwnStack, Tell], Taken]:
    return lambda opened, tell: compose.image(service, opened)


def _cases(labels: dict[str, str], parts: Mapping[str, Role], split: Split, rounds: int, seconds: float) -> list[Case]:
    """A case for each row; one measurement gives them all, and the first of them is given its time."""
    return [
        Case(
            {**labels, **row.labels},
            split.part(row.key),
            rounds=rounds,
            warmup=0,
            estimate_s=0.0 if number else seconds,
        )
        for number, row in enumerate(rows(parts))
    ]


MEASURE = Measure(
    name=Name.FOOTPRINT,
    title="Footprint",
    question="How much memory and CPU does each part of a tool take, while nothing runs and while it retrains?",
    figures=(
        Figure(
            name="memory_mib",
            title="memory",
            unit="MiB",
            definition="Idle: the median of all looks; busy: the most at one time, of the sum where several parts are "
            "told together. Embedded: the proportional set size of the processes (PSS: a page that several share is "
            "counted once, in shares; where the system tells none, what is theirs alone), once a second. In "
            "containers: of the control group without the file cache, as `docker stats` tells it, every few seconds.",
        ),
        Figure(
            name="cpu_percent",
            title="CPU",
            unit="%",
            definition="CPU time over the whole phase, in per cent of one core; that of processes that have ended "
            "meanwhile is in it up to the last look at them, twice a second. Containers' health checks are part of it.",
        ),
        Figure(
            name="processes",
            title="processes or containers",
            unit="count",
            definition="Embedded: the most processes at one time. In containers: how many run.",
            less_is_better=None,
        ),
        Figure(
            name="image_mb",
            title="image",
            unit="MB",
            definition="The image's size as docker tells it, its base image included; MB of 10^6 bytes.",
        ),
    ),
    groups=groups,
    limits=(
        "Idle: nothing runs, and nothing is scheduled. Only Airflow has embedded processes then: Prefect's ephemeral "
        "API, kfp.local and plain Python live as long as one run.",
        "Busy: one retraining of 2013-03. Embedded Airflow is up before it, so that its start is not in it; of the "
        "others the start of the process is.",
        "In containers, LocalExecutor's workers are processes of the scheduler's, and counted as control plane there. "
        "Postgres and MLflow are the base, which either stack has one of each.",
        "What the retraining itself takes (pandas, scikit-learn, MLflow) is in the workers of every tool, as in plain "
        "Python: compare with that row.",
    ),
)
