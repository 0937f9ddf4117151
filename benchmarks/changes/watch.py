"""Ask a tool's API beside the commands: from when on is the new version there, when has a run of it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from benchmarks.changes.scenarios import Sign
from benchmarks.changes.servers import Expected, Run, Server
from shared.errors import BakeoffError

POLL_S = 1.0


class Watch:
    """Looks again and again, from `with` on, and keeps when it has first seen what it looks for.

    Args:
        make: the server's API, in a connection of its own.
        signs: all of them say that the new version would be started; none: there is no server to say so.
        expected: the new version.
        before: runs that were there before.
    """

    def __init__(
        self, make: Callable[[], Server], signs: tuple[Sign, ...], expected: Expected, before: frozenset[str]
    ) -> None:
        self._server, self._signs, self._expected, self._before = make(), signs, expected, before
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._begin = 0.0
        #: Seconds from the beginning; None: not seen yet.
        self.deployed_s: float | None = None
        self.ended_s: float | None = None
        self.run_id = ""
        self.run = Run("waiting")
        #: What the last answer was that was none.
        self.silent = ""

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=30)
        self._server.close()

    def wait(self, done: Callable[[], bool], patience_s: float) -> bool:
        """Wait until something has been seen, which is asked here and not of the server."""
        deadline = time.monotonic() + patience_s
        while not done() and time.monotonic() < deadline:
            time.sleep(POLL_S / 4)
        return done()

    def _go(self) -> None:
        while not self._stopped.is_set():
            try:
                self._look()
            except BakeoffError as error:  # it is being started again, or does not know the thing yet
                self.silent = str(error)
            except Exception as error:  # a thread has nobody else to tell
                self.silent = repr(error)
            self._stopped.wait(POLL_S)

    def _look(self) -> None:
        if self.deployed_s is None and self._signs and all(map(self._shows, self._signs)):
            self.deployed_s = self._now()
        if self.ended_s is None:
            if not self.run_id:
                new = [each for each in self._server.runs() if each not in self._before]
                self.run_id = new[-1] if new else ""
            if self.run_id:
                self.run = self._server.look(self.run_id)
                if self.run.state in ("finished", "failed"):
                    self.ended_s = self._now()

    def _shows(self, sign: Sign) -> bool:
        return self._server.shows(sign, self._expected)

    def _now(self) -> float:
        return round(time.monotonic() - self._begin, 2)
