"""A tool to whom faults are done: run a retraining and see what the user is told; walk; go on as the tool does."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measures.catalog import Where
from benchmarks.measures.debug import inject
from benchmarks.measures.debug.catalogue import Edit
from benchmarks.measures.debug.ledger import Broken, Ledger
from benchmarks.measures.debug.place import Place
from benchmarks.measures.debug.walk import Walker
from benchmarks.measures.debug.walks import Alert
from benchmarks.measures.rounds import Tell
from benchmarks.places import STATE, ArmName
from shared.config import RetrainConfig, StoreConfig, parse_config

#: The model of these runs; no other command knows it.
MODEL = "debug"
#: All that is written; below the folder of each tool and place.
BELOW = STATE / "debug"
POLL_S = 0.2
ALONE_S = 90.0


@dataclass(frozen=True)
class Told:
    """What a run has come to, as its user learns of it. Times in seconds since 1970."""

    alert: Alert
    #: The tool's own word.
    state: str
    began: float
    #: When the tool said so.
    told: float
    config: RetrainConfig
    run: str = ""
    #: When its API first showed a try that had failed; None where none did, or where there is no API.
    first_sign: float | None = None
    exit_code: int | None = None


class Subject(ABC):
    """One tool in one place, opened for a group of faults."""

    def __init__(self, tool: ArmName, where: Where, below: Path = BELOW) -> None:
        self.tool, self.where = tool, where
        self.folder = below / f"{tool}-{where}"
        self.ledger = Ledger(self.folder / "broken.json")

    @property
    @abstractmethod
    def place(self) -> Place:
        """Where faults are made."""

    @property
    @abstractmethod
    def store(self) -> StoreConfig:
        """Whose champion must stay."""

    @abstractmethod
    def open(self, tell: Tell) -> None:
        """Start what runs need."""

    @abstractmethod
    def close(self) -> None:
        """End every process and container that is still there."""

    @abstractmethod
    def run(self, config: RetrainConfig, broken: Broken, patience_s: float, *, parses: bool = False) -> Told:
        """Retrain, and follow it until the user knows how it ended, or gives up.

        Args:
            config: what to retrain.
            broken: the fault that is on.
            patience_s: after so long the user takes it for hung.
            parses: the tool's file may not be parsed, so that there is nothing to run.
        """

    @abstractmethod
    def resume(self, told: Told, patience_s: float) -> Told | None:
        """Go on as the tool does after a failure, without the fault; None where it has no way."""

    def code_changed(self, edits: tuple[Edit, ...]) -> None:
        """Wait until the tool has taken in code that has been changed, where it reads code before it runs it."""
        return

    def settle(self) -> None:
        """Wait, once a fault is mended, until the tool itself is well."""
        return

    def alone(self, config: RetrainConfig) -> str | None:
        """What the failing step says, run alone on this machine by the tool's idiom; None where that is not tried."""
        return None

    @abstractmethod
    def events(self) -> list[dict[str, Any]]:
        """What the steps have told since the beginning (`shared.events`)."""

    def known(self, told: Told) -> dict[str, str]:
        """What looks may name."""
        return {"run": told.run, "folder": str(self.folder), "exit_code": str(told.exit_code)}

    def walker(self, told: Told) -> Walker:
        """Makes the looks of a walk about a run."""
        return Walker(self.known(told), mlflow=lambda _: self.mlflow(told.config))

    def mlflow(self, config: RetrainConfig) -> str:
        """The tags of a retraining's run, as its page in MLflow shows them."""
        from shared import tracking

        client = tracking.connect(config)
        if experiment := client.get_experiment_by_name(config.model_name):
            query = f"tags.`bakeoff.request` = '{config.request_id}'"
            for run in client.search_runs([experiment.experiment_id], query, max_results=1):
                return "\n".join(f"{name}: {value}" for name, value in run.data.tags.items())
        return "(no such run)"

    def champion(self) -> int | None:
        """The version that is champion."""
        from shared import registry

        return registry.champion(self.store)

    def promoted(self, config: RetrainConfig) -> int | None:
        """The version that a retraining has promoted; None where it has not."""
        from shared import registry

        places = {"tracking_uri": self.store.tracking_uri, "artifact_location": self.store.artifact_location}
        outcome = registry.outcome(config.model_copy(update=places))
        return outcome.version if outcome and outcome.promoted else None

    def config(self, settings: Mapping[str, Any]) -> RetrainConfig:
        """A retraining with a request id of its own."""
        base = {
            "month": inject.MONTH,
            "model_name": MODEL,
            **inject.SMALL,
            **inject.data_settings(self.where),
            "data_rev": inject.good(),
            "state": self.store.state,
            "tracking_uri": self.store.tracking_uri,
            "artifact_location": self.store.artifact_location,
            "events": self.folder / "events.jsonl",
            "request_id": f"debug-{uuid.uuid4().hex[:10]}",
        }
        return parse_config({**base, **settings})

    def make_champion(self) -> None:
        """Where there is no champion yet, let the core make one on the month before: faults must leave it alone."""
        from shared import pipeline

        if self.champion() is None:
            made = self.config({"month": "2013-02", "events": None, **inject.data_settings(Where.EMBEDDED)})
            pipeline.retrain(made, made.request_id)
