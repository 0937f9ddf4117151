"""What the tests have shown of each capability: the results file that the tests write and the documents read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks import results
from benchmarks.places import RESULTS, STATE

LATEST = STATE / "stacks" / "capabilities.json"
SAVED = RESULTS / "capabilities.json"


class Figure(BaseModel):
    """Something that a test has measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float
    unit: str
    #: The capability, where the test shows several.
    of: str = ""


class Outcome(BaseModel):
    """How a test of a capability, or of a bad input, has ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    kind: Literal["capability", "bad-input"]
    id: str
    #: As pytest names it.
    test: str
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    figures: tuple[Figure, ...] = ()

    @property
    def own_figures(self) -> list[Figure]:
        """What it has measured of this capability, and not of another that it shows too."""
        return [each for each in self.figures if each.of in ("", self.id)]


class Outcomes(BaseModel):
    """All of them, of one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal["capabilities"] = "capabilities"
    environment: results.Environment
    tests: tuple[Outcome, ...]

    def of(self, tool: str, kind: str, id: str) -> list[Outcome]:
        """The tests of one cell."""
        return [each for each in self.tests if (each.tool, each.kind, each.id) == (tool, kind, id)]


def read(path: Path = SAVED) -> Outcomes:
    """What was written last."""
    return Outcomes.model_validate_json(path.read_text())


def write(ran: list[Outcome], path: Path) -> None:
    """Write what has run; what has not run again of the same tools is kept, where its test has not been renamed."""
    earlier = read(path).tests if path.exists() else ()
    known = {(each.test, each.kind, each.id) for each in ran}
    kept = [each for each in earlier if (each.test, each.kind, each.id) not in known]
    tests = tuple(sorted([*kept, *ran], key=lambda each: (each.tool, each.kind, each.id, each.test)))
    written = Outcomes(environment=results.environment(), tests=tests)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written.model_dump(mode="json"), indent=2) + "\n")
