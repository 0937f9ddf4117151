"""The capabilities, and what each tool's file says of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmarks.places import ROOT

FOLDER = ROOT / "benchmarks" / "capabilities"
TOOLS = {"airflow": "Airflow", "prefect": "Prefect", "kubeflow": "Kubeflow Pipelines"}

#: What a team asks of an orchestrator, in words.
CAPABILITIES = {
    "schedule": "run on a monthly cron in a time zone, and know which month a run is about",
    "pause": "pause and resume a schedule",
    "catch-up": "make up for missed runs, or not",
    "event": "start by itself when data arrive",
    "drift": "retrain when the champion's data have drifted",
    "conditional": "run a step only when the data ask for it, and show what was skipped",
    "fan-out": "run as many tasks as is known only at run time, so many at once",
    "tolerated-failure": "go on when one of them fails, if that is wanted",
    "retry": "try again after a failure that may pass, with growing pauses",
    "resume": "after a hard failure, repeat only what is needed",
    "cache": "reuse the result of a step whose inputs are the same",
    "backfill": "run a range of past months, so many at once",
    "versions": "run two versions at once; go back from a run to its code, and run an old version again",
    "secrets": "hand out passwords without showing them",
    "alert": "tell somebody of a failure, and of a rejection",
    "approval": "wait for a person before the promotion",
    "hybrid": "run the training in Kubeflow Pipelines, and wait for it",
    "ci": "deploy and trigger from a script that ends with the run's outcome",
}
#: What goes wrong, and must neither promote wrongly nor lose anything.
BAD_INPUT = {
    "event-twice": "an event comes twice",
    "event-trained": "an event for a month that the champion was trained on",
    "event-out-of-order": "an older month arrives after a newer one",
    "event-unknown-month": "an event for a month that does not exist",
    "schedule-while-active": "a run is due while another is active",
    "backfill-hole": "a backfill over a month whose data are missing",
    "approval-refused": "a person refuses the promotion",
    "approval-timeout": "nobody answers in time",
}


class Verdict(StrEnum):
    """How a tool does it."""

    NATIVE = "native"
    EXTRA = "extra parts"
    NOT = "not possible"


class Cell(BaseModel):
    """One capability in one tool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    how: str
    #: What has to be added to the tool.
    parts: tuple[str, ...] = ()
    #: Where it is (`places.find`).
    code: tuple[str, ...] = ()
    #: The tool's own documentation, or an issue of it.
    cites: tuple[str, ...] = ()
    #: What was not seen on a real server, and the command that shows it.
    not_verified: str = ""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.verdict is not Verdict.NATIVE and not self.cites:
            raise ValueError(f"`{self.verdict}` needs a citation")
        if (self.verdict is Verdict.EXTRA) != bool(self.parts):
            raise ValueError("`extra parts` names the parts, and nothing else does")
        return self


class Tool(BaseModel):
    """One tool's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capabilities: dict[str, Cell]
    #: What happens, in a sentence.
    bad_input: dict[str, str] = Field(alias="bad-input")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for known, said in ((CAPABILITIES, self.capabilities), (BAD_INPUT, self.bad_input)):
            if set(known) != set(said):
                raise ValueError(
                    f"missing: {sorted(set(known) - set(said))}, unknown: {sorted(set(said) - set(known))}"
                )
        return self


def read(tool: str, folder: Path = FOLDER) -> Tool:
    """What a tool's file says.

    Raises:
        ValidationError: an entry is missing, unknown, or says too little.
    """
    said = yaml.safe_load((folder / f"{tool}.yaml").read_text())
    bad_input = said.pop("bad-input")
    return Tool.model_validate({"capabilities": said, "bad-input": bad_input})
