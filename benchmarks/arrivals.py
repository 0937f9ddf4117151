"""A month of data arrives: its file and version land where a stack's data are, and the tool is told, if it listens."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from filelock import FileLock
from rich.console import Console

from benchmarks.display import Display
from benchmarks.places import STATE, ArmName
from benchmarks.stacks import registry
from benchmarks.stacks.arms import make_arm
from benchmarks.stacks.rest import Silent
from benchmarks.stacks.settings import StackSettings
from shared.config import RetrainConfig, parse_config

#: Long enough for a busy laptop: schedulers look every second or so, workers every ten.
PATIENCE_S = 120.0
_LOOK_S = 0.5


class Listens(Protocol):
    """What a tool's API has to offer for that (`AirflowApi`, `PrefectApi`)."""

    def announce(self, notice: dict[str, Any]) -> str: ...
    def started(self, month: str, after: float) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class Arrival:
    """A month that has arrived, and the run that it has started."""

    tool: str
    month: str
    data_rev: str
    event: str
    run: str | None
    page: str | None
    #: From the event to the start of the run, by the tool's own clock; None when no run has started.
    latency_s: float | None

    def json_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def check(month: str, settings: dict[str, Any]) -> RetrainConfig:
    """See that such a month can arrive.

    Raises:
        ConfigError: there is no such month, nothing comes before it, or a setting makes no sense.
    """
    return parse_config({"month": month, **settings})


def arrive(
    name: ArmName, stack: StackSettings, config: RetrainConfig, settings: dict[str, Any], console: Console
) -> Arrival:
    """Put the month and its version where the stack's data are, tell the tool, and wait until a run starts.

    Args:
        name: airflow or prefect.
        stack: where it listens.
        config: the month and the data set (`check`).
        settings: what the notice carries along for the retraining.

    Raises:
        DataError, StackError, Silent, Refused
    """
    api: Any = make_arm(STATE / "stacks", stack).api
    api.check()
    with Display(console, [name]) as display:
        display.begin(name, f"{config.month} lands")
        with FileLock(STATE / "stacks" / "registry.lock"):
            notice = registry.land(stack.compose, config.dataset, config.month, settings)
        asked = time.time() - 1  # the server's clock is this machine's, but for what a container's may be off
        display.begin(name, f"telling of {config.month}")
        event = _patiently(api, notice)
        display.begin(name, "waiting for a run to start by itself")
        found = _started(api, config.month, asked)
        if found is None:
            display.end(name, f"[yellow]no run within {PATIENCE_S:.0f} s[/yellow]: another may be going on")
            return Arrival(name, config.month, notice["data_rev"], event, None, None, None)
        latency = found["started"] - found["occurred"]
        display.end(name, f"[green]retraining[/green], {latency:.1f} s after the event")
    return Arrival(name, config.month, notice["data_rev"], event, found["run"], found["page"], round(latency, 3))


def _patiently(api: Listens, notice: dict[str, Any]) -> str:
    """A tool that has just started may not know yet what it listens to."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return api.announce(notice)
        except Silent:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)


def _started(api: Listens, month: str, after: float) -> dict[str, Any] | None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := api.started(month, after):
            return found
        time.sleep(_LOOK_S)
    return None
