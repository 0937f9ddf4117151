"""The changes that are measured, and what a developer types for each, in each way that a tool can be fed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.ci.pipelines import Part
from shared.errors import ConfigError

PATCHES = Path(__file__).parent / "patches"
#: Stands in the patches for the name of a measurement: what is built of one is not in the engine's cache from another.
RUN = "@run@"
#: Of the small retrainings that show a change; the last name is the scenario's.
MODEL = "changes"
MONTH = "2013-03"


class Scenario(StrEnum):
    """What is changed, in the order in which it is measured: after a dependency, environments would be built again."""

    LINE = "line"
    ROLLBACK = "rollback"
    CORE_LINE = "core-line"
    STEP = "step"
    SCHEDULE = "schedule"
    DEPENDENCY = "dependency"


class Way(StrEnum):
    """How a change gets to a tool's server."""

    IMAGE = "image"
    GIT = "git"
    DEPLOY = "deploy"


class Sign(StrEnum):
    """What a server, or a container of it, says once it would start the new version."""

    VERSION = "version"  # the tool's own name of the version is the commit
    PARSED = "parsed"  # the DAG has been parsed since what parses it was started
    IMAGE = "image"  # what runs the steps is of the commit's image
    BRANCH = "branch"  # the branch that each run clones is at the commit
    CRON = "cron"  # the schedule is the new one, and has a next run


@dataclass(frozen=True)
class Evidence:
    """What shows that a change is there, or is gone.

    Args:
        line: stands in the log of the run.
        gone: and must not.
        step: has been run in the run.
        cron: is the server's.
    """

    line: str = ""
    gone: bool = False
    step: str = ""
    cron: str = ""


@dataclass(frozen=True)
class Plan:
    """One scenario of one way.

    Args:
        commands: what is typed, in this order.
        signs: all of them have to be there.
    """

    commands: tuple[str, ...]
    signs: tuple[Sign, ...]


@dataclass(frozen=True)
class Feed:
    """One way of one tool.

    Args:
        start: what is typed before the first scenario, so that the tool runs what is in HEAD.
        warm_up: a first run, so that no scenario pays for what is done once.
        plans: of each scenario.
        staging: the stack is the one that the tool's workflow deploys to, and not that of compose/.env.
        base: a patch that the repository gets first, where it is not fed in this way.
    """

    start: tuple[str, ...]
    warm_up: str
    plans: dict[Scenario, Plan]
    staging: bool = True
    base: str = ""


def patch_of(tool: Part, scenario: Scenario) -> Path | None:
    """The change itself; None for a rollback. The core is the same for all tools."""
    if scenario is Scenario.ROLLBACK:
        return None
    own = PATCHES / tool / f"{scenario}.patch"
    return own if own.exists() else PATCHES / f"{scenario}.patch"


def evidence(tool: Part, scenario: Scenario, run: str) -> Evidence:
    """What the patch of a scenario brings to light, with the name of this measurement in it."""
    crons = {Part.AIRFLOW: "30 6 4 * *", Part.PREFECT: "30 6 2 * *", Part.KUBEFLOW: "0 30 11 2 * *"}
    return {
        Scenario.LINE: Evidence(line=f"this line is new: {run}"),
        Scenario.ROLLBACK: Evidence(line=f"this line is new: {run}", gone=True),
        Scenario.CORE_LINE: Evidence(line=f"this line of the core is new: {run}"),
        Scenario.DEPENDENCY: Evidence(line=f"inflection 0.5.1, {run}"),
        Scenario.STEP: Evidence(step="announce"),
        Scenario.SCHEDULE: Evidence(cron=crons[tool]),
    }[scenario]


def smoke(tool: Part, name: str) -> str:
    """A small retraining, as the tool's workflow has it, of a model that no other run has to do with."""
    settings: dict[str, Any] = {"model_name": f"{MODEL}-{name}", "candidates": [{"name": "logistic_regression"}]}
    asked = {
        Part.AIRFLOW: {"month": MONTH, "settings": settings},
        Part.PREFECT: {"month": MONTH, **settings},
        Part.KUBEFLOW: settings,
    }
    return json.dumps(asked[tool])


def chosen(tool: Part, way: Way | None, scenarios: Iterable[Scenario]) -> list[tuple[Way, list[Scenario]]]:
    """The ways and scenarios that are asked for, in the order in which they are measured.

    Args:
        tool: whose.
        way: None: all that the tool has.
        scenarios: none: all.

    Raises:
        ConfigError: the tool is not fed in that way, or there would be nothing to go back from.
    """
    ways = [each for part, each in FEEDS if part is tool]
    if way is not None and way not in ways:
        raise ConfigError(f"{tool} is not fed that way", where=f"--way {way}", fix=f"choose {' or '.join(ways)}")
    wanted = [each for each in Scenario if each in (set(scenarios) or set(Scenario))]
    if Scenario.ROLLBACK in wanted and Scenario.LINE not in wanted:
        fix = "add --scenario line, which it goes back from"
        raise ConfigError("a rollback needs a change before it", where="--scenario rollback", fix=fix)
    return [(each, wanted) for each in ways if way in (None, each)]


def _same(scenarios: Iterable[Scenario], *commands: str, signs: tuple[Sign, ...]) -> dict[Scenario, Plan]:
    return dict.fromkeys(scenarios, Plan(commands, signs))


_CODE = (Scenario.LINE, Scenario.ROLLBACK, Scenario.STEP)
_IN_IMAGE = (Scenario.CORE_LINE, Scenario.DEPENDENCY)

# As the workflows in .github/workflows have them, with the same variables.
_UP_AIRFLOW = './bakeoff up airflow --env-file "$STACK_ENV_FILE" --quiet'
_CI_AIRFLOW = '.venvs/core/bin/python -m airflow_impl.ci retrain "$(git rev-parse HEAD)" "$SMOKE"'
_UP_PREFECT = './bakeoff up prefect --env-file "$STACK_ENV_FILE" --quiet'
_SETUP_PREFECT = "./bakeoff setup prefect"
_PATH = 'PATH="$PWD/.venvs/prefect/bin:$PATH"'
_CI_PREFECT = f'{_PATH} sh prefect_impl/ci.sh "$SMOKE"'
_BUILD = "./bakeoff build kubeflow"
_PUSH_IMAGE = f'name=$({_BUILD}) && docker tag "$name" "$REGISTRY/$name" && docker push "$REGISTRY/$name"'
_IMAGE = f'"$REGISTRY/$({_BUILD})"'
_DEPLOY = f'./bakeoff deploy kubeflow --host "$KFP_HOST" --image {_IMAGE}'
_KFP = f"BAKEOFF_KFP_IMAGE={_IMAGE} .venvs/kubeflow/bin/python -m kubeflow_impl"
_CI_KUBEFLOW = f'{_KFP}.ci 2013-03 --host "$KFP_HOST" --settings "$SMOKE"'
# What they leave to somebody who is at the keyboard.
_WARM_UP = './bakeoff retrain --on {} --stack compose --month 2013-03 --env-file "$STACK_ENV_FILE"'
_PUSH = 'git push --force origin "HEAD:refs/heads/$BRANCH"'
_UP_HERE = "./bakeoff up airflow --quiet"
TRIGGER = 'docker exec "$SCHEDULER" airflow dags trigger retrain --conf "$SMOKE"'
_DEPLOY_PREFECT = f"{_PATH} prefect --no-prompt deploy --all --prefect-file prefect_impl/prefect.yaml"
_RUN_PREFECT = f'{_PATH} prefect deployment run retrain/retrain --param config="$SMOKE" --watch --watch-timeout 900'
_IR = "make ir"
#: In containers on this machine: where there is no server, the only run that there is.
HERE = "./bakeoff retrain --on kubeflow --runner docker --month 2013-03"
#: A command that has one of these needs a server.
OF_A_SERVER = ("$KFP_HOST", "$REGISTRY")

FEEDS: dict[tuple[Part, Way], Feed] = {
    (Part.PREFECT, Way.IMAGE): Feed(
        start=(_UP_PREFECT, _SETUP_PREFECT),
        warm_up=_WARM_UP.format("prefect"),
        plans={
            **_same((*_CODE, Scenario.CORE_LINE), _UP_PREFECT, _CI_PREFECT, signs=(Sign.VERSION, Sign.IMAGE)),
            # `prefect deploy` imports the flow, and so what it imports.
            Scenario.DEPENDENCY: Plan((_UP_PREFECT, _SETUP_PREFECT, _CI_PREFECT), (Sign.VERSION, Sign.IMAGE)),
            Scenario.SCHEDULE: Plan((_DEPLOY_PREFECT,), (Sign.CRON,)),
        },
    ),
    (Part.PREFECT, Way.GIT): Feed(
        start=(_UP_PREFECT, _PUSH, _SETUP_PREFECT),
        warm_up=_WARM_UP.format("prefect"),
        plans={
            **_same((*_CODE, Scenario.CORE_LINE), _PUSH, _RUN_PREFECT, signs=(Sign.BRANCH,)),
            Scenario.DEPENDENCY: Plan((_UP_PREFECT, _PUSH, _RUN_PREFECT), (Sign.BRANCH, Sign.IMAGE)),
            Scenario.SCHEDULE: Plan((_DEPLOY_PREFECT,), (Sign.CRON,)),
        },
        base="git-way",
    ),
    (Part.AIRFLOW, Way.IMAGE): Feed(
        start=(_UP_HERE,),
        warm_up=_WARM_UP.format("airflow"),
        plans={
            **_same((*_CODE, *_IN_IMAGE), _UP_HERE, TRIGGER, signs=(Sign.PARSED, Sign.IMAGE)),
            Scenario.SCHEDULE: Plan((_UP_HERE,), (Sign.CRON,)),
        },
        staging=False,
    ),
    (Part.AIRFLOW, Way.GIT): Feed(
        start=(_UP_AIRFLOW, _PUSH),
        warm_up=_WARM_UP.format("airflow"),
        plans={
            **_same(_CODE, _PUSH, _CI_AIRFLOW, signs=(Sign.VERSION,)),
            **_same(_IN_IMAGE, _UP_AIRFLOW, _PUSH, _CI_AIRFLOW, signs=(Sign.VERSION, Sign.IMAGE)),
            Scenario.SCHEDULE: Plan((_PUSH,), (Sign.CRON,)),
        },
    ),
    (Part.KUBEFLOW, Way.DEPLOY): Feed(
        start=(_IR, _BUILD, _PUSH_IMAGE, _DEPLOY, _CI_KUBEFLOW.replace("2013-03", "2013-04")),
        warm_up=HERE,
        plans={
            **_same((Scenario.LINE, Scenario.STEP), _IR, _DEPLOY, _CI_KUBEFLOW, HERE, signs=(Sign.VERSION,)),
            Scenario.ROLLBACK: Plan((_DEPLOY, _CI_KUBEFLOW, HERE), (Sign.VERSION,)),
            Scenario.CORE_LINE: Plan((_BUILD, _PUSH_IMAGE, _DEPLOY, _CI_KUBEFLOW, HERE), (Sign.VERSION,)),
            Scenario.DEPENDENCY: Plan((_IR, _BUILD, _PUSH_IMAGE, _DEPLOY, _CI_KUBEFLOW, HERE), (Sign.VERSION,)),
            Scenario.SCHEDULE: Plan((f'{_KFP}.schedule on --host "$KFP_HOST"',), (Sign.CRON,)),
        },
    ),
}
