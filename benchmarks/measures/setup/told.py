"""What setting a tool up asks of a person: commands to type, configuration to write, concepts to know. All of it is
listed in the data files beside this module, and counted from there and from what they name."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from benchmarks.capabilities import lines
from benchmarks.measures.catalog import Where
from benchmarks.places import ROOT, STATE, ArmName
from benchmarks.retraining import make_arm

_HERE = Path(__file__).parent
EXAMPLE = "compose/.env.example"
#: Words of a command that stand for something that only a run knows.
_PLACEHOLDER = re.compile(r"(\w+=)?[A-Z]+(\.json)?")


class Command(BaseModel):
    """One command that a person types."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Literal["install", "start", "run"]
    by: Literal["verbatim", "process", "request", "stack"]
    type: str
    #: The request of the tool's API that it stands for: `METHOD path`.
    request: str = ""

    @property
    def words(self) -> list[str]:
        """As the shell would split it."""
        return shlex.split(self.type)

    def started_as(self, argv: list[str]) -> bool:
        """Is a process that was started by these arguments this command?"""
        program, *rest = self.words
        if not argv or Path(argv[0]).name != program or len(argv) != len(self.words):
            return False
        return all(word == given or _PLACEHOLDER.fullmatch(word) for word, given in zip(rest, argv[1:], strict=True))


class Source(BaseModel):
    """One place with configuration; one of its fields names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: str = ""
    table: str = ""
    env: str = ""
    settings: str = ""
    #: Of the settings, those that only the harness needs.
    but: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As it stands in the file."""
        return self.lines or self.table or self.env or self.settings


def commands(tool: ArmName, where: Where) -> list[Command]:
    """What a person types, in order."""
    return [Command.model_validate(each) for each in _read("commands")[tool][where]]


def unlisted(listed: list[Command], started: list[list[str]]) -> list[str]:
    """What was started but is not listed, and what is listed but was not started; empty when all agrees.

    Args:
        listed: of a tool.
        started: the arguments of each process that the arm has started.
    """
    wanted = [each for each in listed if each.by == "process"]
    extra = [" ".join(argv) for argv in started if not any(each.started_as(argv) for each in wanted)]
    missing = [each.type for each in wanted if not any(each.started_as(argv) for argv in started)]
    return [*(f"{each} (not listed)" for each in extra), *(f"{each} (not started)" for each in missing)]


def concepts(tool: ArmName, where: Where) -> dict[str, str]:
    """What a person must know of the tool, and why."""
    return dict(_read("concepts")[tool][where])


def configuration(tool: ArmName, where: Where) -> dict[str, int]:
    """Lines of configuration by where they are."""
    return {each.name: _count(each, tool) for each in sources(tool, where)}


def sources(tool: ArmName, where: Where) -> list[Source]:
    """Where the configuration is."""
    return [Source.model_validate(each) for each in _read("configuration")[tool][where]]


def counts(tool: ArmName, where: Where) -> dict[str, float]:
    """The figures of a tool that no run changes."""
    return {
        "commands": len(commands(tool, where)),
        "config_lines": sum(configuration(tool, where).values()),
        "concepts": len(concepts(tool, where)),
    }


@cache
def _read(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((_HERE / f"{name}.yaml").read_text())
    return found


def _count(source: Source, tool: ArmName) -> int:
    if source.lines:
        return lines.count([lines.find(source.lines)])
    if source.table:
        return len(list(_of_table((ROOT / "pyproject.toml").read_text(), source.table)))
    if source.env:
        return sum(line.startswith(source.env) for line in (ROOT / EXAMPLE).read_text().splitlines())
    given = make_arm(tool, STATE).variables()
    if gone := set(source.but) - given.keys():
        raise LookupError(f"the {tool} arm no longer sets {', '.join(sorted(gone))}")
    return sum(name.startswith(source.settings) for name in given.keys() - set(source.but))


def _of_table(text: str, name: str) -> Iterator[str]:
    """The lines of a TOML table and of those inside it, headers too."""
    tomllib.loads(text)
    inside = False
    for line in text.splitlines():
        if line.startswith("["):
            header = line.strip("[] ")
            inside = header == name or header.startswith(f"{name}.")
        if inside and line.strip() and not line.startswith("#"):
            yield line
