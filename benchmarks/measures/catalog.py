"""Every measure with its question, its figures and its cases: the one list that commands and report read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module

from benchmarks.measures.record import Figure, Profile
from benchmarks.measures.rounds import Group
from benchmarks.places import ARMS, ArmName


class Name(StrEnum):
    """The measures, in the order in which they are run and shown."""

    SETUP = "setup"
    OVERHEAD = "overhead"
    FOOTPRINT = "footprint"
    DEBUG = "debug"
    MIGRATION = "migration"
    PEERS = "peers"


class Where(StrEnum):
    """As processes of this machine, or on the tool's real servers in containers."""

    EMBEDDED = "embedded"
    COMPOSE = "compose"


@dataclass(frozen=True)
class Asked:
    """What of a measure is wanted."""

    profile: Profile = "full"
    tools: Sequence[ArmName] = ARMS
    where: Sequence[Where] = tuple(Where)
    #: Samples of each case; by default the measure's own number.
    rounds: int | None = None

    def count(self, quick: int, full: int) -> int:
        """Samples of a case: what was asked for, or the profile's number."""
        return self.rounds or (quick if self.profile == "quick" else full)


def asked(
    profile: Profile,
    tools: Sequence[ArmName] | None = None,
    where: Sequence[Where] | None = None,
    rounds: int | None = None,
) -> Asked:
    """What a command asks for, where not all of it is said: the quick profile leaves out the servers."""
    places = where or ([Where.EMBEDDED] if profile == "quick" else list(Where))
    return Asked(profile, tools or ARMS, places, rounds)


@dataclass(frozen=True)
class Measure:
    """One measure."""

    name: Name
    title: str
    #: What a reader wants to know.
    question: str
    figures: Sequence[Figure]
    #: The cases of what is asked, in groups; opens and starts nothing.
    groups: Callable[[Asked], list[Group]]
    #: What the figures do not say, for whoever reads them.
    limits: Sequence[str] = field(default=())

    def figure(self, name: str) -> Figure:
        """The definition of a figure; KeyError where there is none."""
        return {each.name: each for each in self.figures}[name]


def load(name: Name) -> Measure:
    """A measure. Each is imported when it is asked for: some need seconds."""
    found: Measure = import_module(f"benchmarks.measures.{name}").MEASURE
    return found
