"""The subject of a tool in a place."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measures.catalog import Where
from benchmarks.measures.debug.airflow import EmbeddedAirflow
from benchmarks.measures.debug.embedded import Prefect, Process
from benchmarks.measures.debug.stacks import OnStack
from benchmarks.measures.debug.subject import BELOW, Subject
from benchmarks.places import ArmName


def make(tool: ArmName, where: Where, below: Path = BELOW) -> Subject:
    """A tool to whom faults are done; nothing is started yet."""
    if where is Where.COMPOSE:
        return OnStack(tool, below)
    match tool:
        case ArmName.AIRFLOW:
            return EmbeddedAirflow(below)
        case ArmName.PREFECT:
            return Prefect(tool, below)
        case _:
            return Process(tool, below)
