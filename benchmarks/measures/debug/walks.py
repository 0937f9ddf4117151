"""The walks of `walks/TOOL.yaml`: where an experienced user of a tool looks, in which order, for what."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from benchmarks.measures.catalog import Where
from benchmarks.measures.debug.catalogue import FOLDER
from benchmarks.places import ArmName
from shared.config import Record

#: What the user is told before the walk begins, and so which walk it is.
Alert = Literal["failed", "not_parsed", "refused", "running", "unreachable", "recovered", "succeeded"]
#: Where the tool says what stands there: beside the state, or in a log; `elsewhere` is what no part of the tool shows.
Shows = Literal["message", "log", "elsewhere"]
#: What a look takes along for the next ones (`walk.FINDERS`).
Finds = Literal["", "failed task", "retried task", "running task"]
_WAYS = ("get", "post", "file", "output", "run", "logs", "services", "mlflow")


class Look(Record):
    """One look. `{name}` stands for what is known of the run (`walk.Walker`)."""

    #: What the user has before the eyes: a switch is a change of it.
    at: str
    #: What is looked for there, in words.
    look: str
    shows: Shows = "log"
    finds: Finds = ""
    #: Of the tool's API: what the page asks for.
    get: str = ""
    post: str = ""
    body: dict[str, Any] = Field(default_factory=dict)
    #: Fields of the answer that the page shows; all of them where none is named.
    only: tuple[str, ...] = ()
    #: A log on this machine.
    file: str = ""
    #: So many last lines of what the process has printed, with its exit code; 0 is all of it.
    output: int | None = Field(None, ge=0)
    #: A command, word by word.
    run: tuple[str, ...] = ()
    #: Of a stack: the end of a service's log.
    logs: str = ""
    #: Of a stack: its services and their states.
    services: bool = False
    #: The retraining's run in MLflow: its tags.
    mlflow: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in _WAYS if name in self.model_fields_set]
        if len(ways) != 1:
            raise ValueError(f"a look is made in one way, not {ways or 'none'}: {self.look}")
        return self


class Locally(Record):
    """Can the failing step be run alone on the user's machine?"""

    can: bool
    #: The command, or why not.
    how: str
    #: Python that runs the step `validate` alone, in the tool's environment; its argument is the run's config as JSON.
    check: str = ""


class Walks(Record):
    """Of one tool."""

    embedded: dict[Alert, tuple[Look, ...]] = Field(default_factory=dict)
    compose: dict[Alert, tuple[Look, ...]] = Field(default_factory=dict)
    #: How the tool itself goes on after a failure, by place.
    resume: dict[Where, str] = Field(default_factory=dict)
    locally: Locally

    def of(self, where: Where, alert: Alert) -> tuple[Look, ...]:
        """The walk that begins with an alert; empty where a tool has none for it."""
        return (self.embedded if where is Where.EMBEDDED else self.compose).get(alert, ())


@cache
def walks(tool: ArmName) -> Walks:
    """The walks of a tool."""
    told = yaml.safe_load((FOLDER / "walks" / f"{tool}.yaml").read_text())
    told.pop("looks", None)  # what several walks share, by YAML's anchors
    return Walks.model_validate(told)
