"""What a tool says about a run, and the events (`shared.events`) that the harness reads out of it.

An embedded run writes its events itself. A run on a server is asked for its tasks' states again and again; here the
answers of one tool or the other, brought into one shape, become the same events, so that display and results do not
know the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

State = Literal["waiting", "running", "finished", "failed"]


@dataclass(frozen=True)
class Attempt:
    """One try at one task, as the tool tells it. Times in seconds since 1970."""

    id: str
    step: str
    label: str
    state: State
    started: float | None
    ended: float | None
    #: The tool's own id of the task, to ask for its log.
    task: dict[str, Any] = field(default_factory=dict, compare=False)
    #: Why it failed, where the tool says so beside the state.
    error: str = ""
    #: What else is worth knowing of how it ended, such as that its result comes from a cache.
    note: str = ""


@dataclass(frozen=True)
class Look:
    """A run at one moment."""

    state: State
    #: The tool's own word for it, such as `queued` or `Late`, and what it adds.
    said: str
    attempts: list[Attempt]
    message: str = ""

    @property
    def failed(self) -> list[Attempt]:
        """The tasks that have failed and are not tried again, the first to fail first."""
        last = {(one.step, one.label): one for one in self.attempts}
        ended = (one for one in last.values() if one.state == "failed")
        return sorted(ended, key=lambda one: one.ended or 0.0)


class Follower:
    """Turns what a run looks like, again and again, into events: each attempt starts once and ends once."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._ended: set[str] = set()

    def events(self, look: Look, now: float) -> list[dict[str, Any]]:
        """What has happened since the last look, in the order of its times."""
        found: list[dict[str, Any]] = []
        for one in look.attempts:
            who = {"step": one.step, "label": one.label}
            if one.state == "waiting":
                continue
            if one.id not in self._started:
                self._started[one.id] = one.started or one.ended or now
                found.append({"time": self._started[one.id], **who, "state": "started"})
            if one.state != "running" and one.id not in self._ended:
                self._ended.add(one.id)
                time = one.ended or now
                end = {"time": time, **who, "state": one.state, "seconds": time - self._started[one.id]}
                failed = {"error": one.error or "the tool says failed"} if one.state == "failed" else {}
                found.append(end | failed | ({"note": one.note} if one.note else {}))
        return sorted(found, key=lambda event: event["time"])


def seconds(moment: str | None) -> float | None:
    """A time as both tools write it (ISO 8601, UTC), in seconds since 1970."""
    return None if moment is None else datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
