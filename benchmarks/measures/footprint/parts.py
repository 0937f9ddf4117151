"""The parts that a tool's footprint is made of, and the rows that tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.places import ArmName
from benchmarks.stacks import footprint
from benchmarks.stacks.stack import STACKS, Tool

#: What a part is for; the sum of all.
Role = Literal["control plane", "workers", "base", "all"]
Phase = Literal["idle", "busy"]
PHASES: tuple[Phase, ...] = ("idle", "busy")
ALL = "all"


@dataclass(frozen=True)
class Row:
    """A part, or several of one role together, in one phase."""

    part: str
    role: Role
    phase: Phase
    #: The parts that it sums.
    of: tuple[str, ...]

    @property
    def key(self) -> str:
        """Unlike that of every other row of the tool."""
        return f"{self.part}, {self.role}, {self.phase}"

    @property
    def labels(self) -> dict[str, str]:
        """As a case has them."""
        return {"part": self.part, "role": self.role, "phase": self.phase}


#: Processes that stay, or that are started for a run, by what they are for.
EMBEDDED: Mapping[ArmName, Mapping[str, Role]] = {
    ArmName.PLAIN: {"process": "workers"},
    ArmName.PREFECT: {"ephemeral API": "control plane", "flow run": "workers"},
    ArmName.AIRFLOW: {
        "api-server": "control plane",
        "scheduler": "control plane",
        "dag-processor": "control plane",
        "LocalExecutor": "workers",
    },
    ArmName.KUBEFLOW: {"local runner": "workers", "components": "workers"},
}


def of_stack(tool: Tool) -> dict[str, Role]:
    """The services of a stack that keep running, by what they are for."""
    return {each: footprint.role(each) for each in STACKS[tool].services}


def rows(parts: Mapping[str, Role]) -> list[Row]:
    """For each phase: every part of a role that has several, each role, and all together."""
    found = []
    for phase in PHASES:
        roles = list(dict.fromkeys(parts.values()))
        for role in roles:
            of = tuple(part for part, its in parts.items() if its == role)
            if len(of) > 1:
                found += [Row(part, role, phase, (part,)) for part in of]
            found.append(Row(ALL, role, phase, of))
        found.append(Row(ALL, "all", phase, tuple(parts)))
    return found
