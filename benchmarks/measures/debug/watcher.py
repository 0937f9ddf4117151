"""One run of a tool that has an API: triggered, and watched as its user would watch it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from benchmarks.measures.debug.subject import Told
from benchmarks.measures.debug.walks import Alert
from benchmarks.stacks.follow import Attempt, Look
from benchmarks.stacks.rest import Refused, Silent
from shared.config import RetrainConfig

POLL_S = 0.5
#: A server that says nothing for so long is down, to who looks at its pages.
SILENT_S = 10.0


class Api(Protocol):
    """What Airflow's and Prefect's APIs have alike."""

    def trigger(self, config: RetrainConfig, request: dict[str, Any]) -> str:
        """Ask for a run; gives its id."""

    def look(self, run: str, config: RetrainConfig) -> Look:
        """A run at this moment."""


class Watcher(ABC):
    """Triggers runs and watches them.

    Args:
        api: of the tool.
        request: what of a config is sent.
    """

    def __init__(self, api: Api, request: Callable[[RetrainConfig], dict[str, Any]]) -> None:
        self._runs, self._request = api, request

    @abstractmethod
    def tried_again(self, attempt: Attempt, began: float) -> bool:
        """Does this attempt tell, since `began` (seconds since 1970), that something went wrong?"""

    @abstractmethod
    def ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """As walks call the API."""

    def run(self, config: RetrainConfig, patience_s: float) -> Told:
        """Trigger, and follow until it ends, nobody answers, or patience is over."""
        began = time.time()
        try:
            run = self._runs.trigger(config, self._request(config))
        except Silent:
            return Told("unreachable", "the API does not answer", began, time.time(), config)
        except Refused as refused:
            return Told("refused", refused.what, began, time.time(), config)
        return self.follow(run, config, began, patience_s)

    def follow(self, run: str, config: RetrainConfig, began: float, patience_s: float) -> Told:
        """Watch a run."""
        deadline, sign, silent = time.monotonic() + patience_s, None, None
        while time.monotonic() < deadline:
            try:
                look = self._runs.look(run, config)
                silent = None
                if sign is None and any(self.tried_again(each, began) for each in look.attempts):
                    sign = time.time()
                if look.state in ("finished", "failed"):
                    alert: Alert = "failed" if look.state == "failed" else "recovered" if sign else "succeeded"
                    return Told(alert, look.said, began, time.time(), config, run, sign)
            except Silent:
                silent = silent or time.monotonic()
                if time.monotonic() - silent > SILENT_S:
                    return Told("unreachable", "the API does not answer", began, time.time(), config, run, sign)
            time.sleep(POLL_S)
        return Told("running", "running", began, time.time(), config, run, sign)
