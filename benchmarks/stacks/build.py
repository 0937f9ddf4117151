"""Build a stack's images: the step that runs now is shown, the whole log is kept, a failure is told by its cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from benchmarks import processes
from benchmarks.stacks.engine import Compose, StackError

_STEP = re.compile(r"^#(\d+) \[(?!(?:\S+ )?internal\])([^\]]+)\] (.+)$")
_OUTPUT = re.compile(r"^#(\d+) \d+\.\d+ ")
#: What pip, uv, apt and the engine itself say when there is no way to what they want to download.
_NO_NETWORK = re.compile(
    r"temporary failure (in name resolution|resolving)|could not resolve|name or service not known|no such host"
    r"|dns error|failed to lookup address|network is unreachable|no route to host|connection (refused|timed out)"
    r"|failed to fetch|could not connect to|NewConnectionError|ConnectTimeoutError|error sending request for url"
    r"|tls handshake timeout|i/o timeout|dial tcp|failed to resolve source metadata",
    re.I,
)
_WHO = (
    ("apt", re.compile(r"temporary failure resolving|\b(deb|apt)\b|^(E|W): |failed to fetch", re.I)),
    ("uv or pip", re.compile(r"error sending request|\bpip\b|\buv\b|simple/|NewConnectionError|\.whl", re.I)),
    ("the engine, for a base image,", re.compile(r"source metadata|registry|docker\.io|dial tcp", re.I)),
)
_DISK_FULL = re.compile(r"no space left on device", re.I)


class Progress:
    """Reads BuildKit's plain progress, and tells each step when its work begins: what is cached has none."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._titles: dict[str, str] = {}
        self._told: set[str] = set()

    def line(self, line: str) -> None:
        """Take one line of output."""
        if step := _STEP.match(line):
            self._titles[step[1]] = f"{step[2]}: {' '.join(step[3].split())[:60]}"
        elif (output := _OUTPUT.match(line)) and output[1] in self._titles and output[1] not in self._told:
            self._told.add(output[1])
            self._tell(self._titles[output[1]])


def build(compose: Compose, tell: Callable[[str], None], *, cached: bool = True) -> None:
    """Build the images of the bound files; what is unchanged comes from the cache.

    Args:
        compose: the stack.
        tell: is called with each step that does work.
        cached: without, every step is run anew.

    Raises:
        StackError: a build failed, with its cause.
    """
    log = compose.folder / "build.log"
    if compose.follow(log, ["build", *(["--no-cache"] if not cached else [])], Progress(tell).line):
        raise failure(log)


def failure(log: Path) -> StackError:
    """The error that a failed build's log tells of."""
    lines = log.read_text(errors="replace").splitlines()
    unreachable = [line for line in lines if _NO_NETWORK.search(line)]
    if unreachable:
        said = unreachable[-1]
        who = next((name for name, pattern in _WHO if any(map(pattern.search, unreachable))), "a step")
        return StackError(
            f"the image could not be built: {who} could not reach the network: {_plain(said)}",
            where=str(log),
            fix="see that this machine has a network (and, behind a proxy, that the engine knows it), then run it"
            " again: what was built so far is kept",
        )
    if any(map(_DISK_FULL.search, lines)):
        fix = "free some: `docker system df` shows what the engine keeps"
        return StackError("the image could not be built: the engine's disk is full", where=str(log), fix=fix)
    return StackError(
        f"the image could not be built:\n{processes.tail(log)}\n", where=str(log), fix="read the whole of that log"
    )


def _plain(line: str) -> str:
    return re.sub(r"^(#\d+ )?[\d.]+ ", "", line).strip()[:300]
