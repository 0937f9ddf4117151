"""What a person sees while the arms run: one live line an arm in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_DOING = {
    "fetch": "fetching",
    "ingest": "ingesting",
    "validate": "validating",
    "train": "training",
    "evaluate": "evaluating",
    "register": "registering",
}


class Display:
    """Follows arms through their events. In a terminal it redraws one line an arm; elsewhere it prints what changes."""

    def __init__(self, console: Console, arms: list[str]) -> None:
        self.console = console
        self._lines: dict[str, str] = dict.fromkeys(arms, "[dim]waiting")
        self._since: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._running: dict[tuple[str, str], None] = {}
        self._month = ""
        self._live = (
            Live(console=console, get_renderable=self._draw, refresh_per_second=4) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def reset(self) -> None:
        """All wait again."""
        self._lines = dict.fromkeys(self._lines, "[dim]waiting")
        self._since.clear()
        self._took.clear()

    def begin(self, arm: str, what: str) -> None:
        """An arm has begun something, such as installing."""
        self._since.setdefault(arm, time.monotonic())
        self._running.clear()
        self._say(arm, what)

    def restart_clock(self, arm: str) -> None:
        """From here on the arm's clock shows its run, without what had to be set up."""
        self._since[arm] = time.monotonic()

    def event(self, arm: str, event: dict[str, Any]) -> None:
        """A step or a retraining of an arm has started, finished or failed."""
        step, label, state = event["step"], event["label"], event["state"]
        if state == "warning":
            self.console.print(f"{arm:9} [yellow]warning[/yellow]: {escape(event['text'])}", soft_wrap=True)
            return
        if state == "waiting":  # the run stands still, and the text says why; '' when it goes on
            doing = (event["text"] and escape(event["text"])) or self._doing() or "running"
            self._say(arm, f"{label}: {doing}")
            return
        if step == "retrain":
            self._month = label
            self._running.clear()
            if state == "started":
                self._say(arm, f"{label}: starting")
            return
        if state == "started":
            self._running[(step, label)] = None
            self._say(arm, f"{self._month}: {self._doing()}")
        else:
            self._running.pop((step, label), None)
            if note := event.get("note"):
                self.console.print(f"{arm:9} {step}: {escape(note)}", soft_wrap=True, highlight=False)
            if self._running:
                self._lines[arm] = f"{self._month}: {self._doing()}"

    def end(self, arm: str, what: str) -> None:
        """An arm is done, or has failed."""
        self._say(arm, what)
        self._took[arm] = time.monotonic() - self._since.get(arm, time.monotonic())

    def _doing(self) -> str:
        words: dict[str, list[str]] = {}
        for step, label in self._running:
            words.setdefault(step, []).append(label)
        return "; ".join(
            f"{_DOING.get(step, step)} {', '.join(filter(None, labels))}".strip() for step, labels in words.items()
        )

    def _say(self, arm: str, what: str) -> None:
        self._lines[arm] = what
        if not self._live:
            elapsed = time.monotonic() - self._since.get(arm, time.monotonic())
            self.console.print(f"{arm:9} {elapsed:6.1f} s  {what}", soft_wrap=True, highlight=False)

    def _draw(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for arm, line in self._lines.items():
            active = arm in self._since and arm not in self._took
            elapsed = self._took.get(arm, time.monotonic() - self._since[arm]) if arm in self._since else 0.0
            table.add_row(
                Spinner("dots") if active else Text(" "), arm, Text(f"{elapsed:6.1f} s"), Text.from_markup(line)
            )
        return table
