"""Keeps port-forwards alive after `up` has ended: a process of its own that starts kubectl again when it ends.

kubectl forwards to one pod, and ends when that pod does. Only the standard library: the process lives for days.

    python -m benchmarks.kind.keeper '[["kubectl", "port-forward", ...], ...]'
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

#: Without any forward that lasts for so long, the cluster is taken to be gone.
GIVE_UP_S = 600.0
LASTING_S = 5.0
PAUSE_S = 1.0
MOST_PAUSE_S = 15.0


class Kept:
    """One command, started again when it ends, with growing pauses while it fails at once."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._started = self._next = 0.0
        self._pause = PAUSE_S

    def look(self, now: float) -> bool:
        """Start it where it does not run and its pause is over; tells whether it has lasted."""
        if self._child and self._child.poll() is None:
            lasts = now - self._started > LASTING_S
            self._pause = PAUSE_S if lasts else self._pause
            return lasts
        if self._child:
            self._child = None
            self._next = now + self._pause
            self._pause = min(self._pause * 2, MOST_PAUSE_S)
        if now >= self._next:
            self._child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
            self._started = now
        return False

    def stop(self) -> None:
        """End it."""
        if self._child and self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._child.kill()


def keep(commands: list[list[str]], give_up_s: float = GIVE_UP_S) -> int:
    """Keep all commands running until a signal comes, or none has lasted for too long.

    Returns:
        The exit code: 0 after a signal, 1 after giving up.
    """
    kept = [Kept(command) for command in commands]
    good = time.monotonic()
    try:
        while True:
            now = time.monotonic()
            lasting = [each.look(now) for each in kept]  # all are looked at
            if any(lasting):
                good = now
            if now - good > give_up_s:
                print(f"no forward has lasted for {give_up_s:.0f} s: giving up", flush=True)
                return 1
            time.sleep(0.2)
    except (KeyboardInterrupt, SystemExit):
        return 0
    finally:
        for each in kept:
            each.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit(keep(json.loads(sys.argv[1])))
