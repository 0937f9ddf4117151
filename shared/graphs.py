"""Graphs of tasks that do next to nothing: what a tool itself costs. Each adapter writes them its own way.

`python -m shared.graphs 10-linear` runs one with no tool at all: the baseline of the others.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.errors import ConfigError

SHAPES = ("linear", "fan-out")
T = TypeVar("T")
_NAME = re.compile(rf"(\d+)-({'|'.join(SHAPES)})(?:-fib-(\d+))?")


@dataclass(frozen=True)
class Graph:
    """One graph.

    Args:
        tasks: how many.
        shape: linear: each takes what the one before gave. fan-out: all may start at once.
        fib: which Fibonacci number each task computes, naively; 0: it does nothing.
    """

    tasks: int
    shape: str
    fib: int = 0

    @property
    def name(self) -> str:
        """As part of an id or a command: `10-linear-fib-33`."""
        return f"{self.tasks}-{self.shape}" + f"-fib-{self.fib}" * bool(self.fib)

    @property
    def title(self) -> str:
        """For people: `10 linear fib(33)`."""
        return f"{self.tasks} {self.shape}" + f" fib({self.fib})" * bool(self.fib)


def parse(name: str) -> Graph:
    """The graph of that name.

    Raises:
        ConfigError: there is none.
    """
    found = _NAME.fullmatch(name)
    if not found or int(found[1]) < 1:
        raise ConfigError(f"{name} is no graph", where="the name of a graph", fix="name one such as 10-linear")
    return Graph(int(found[1]), found[2], int(found[3] or 0))


def work(fib: int) -> int:
    """What every task does: nothing for 0, else the naive Fibonacci number."""
    return fibonacci(fib) if fib else 0


def fibonacci(number: int) -> int:
    """The naive way, which takes exponential time."""
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


def run(graph: Graph) -> list[list[float]]:
    """Call the tasks one after the other.

    Returns:
        Of each task when it could begin, began and ended, in seconds since 1970.
    """
    times = []
    for _ in range(graph.tasks):
        start = time.time()
        work(graph.fib)
        times.append([start, start, time.time()])
    return times


def tell(call: Callable[[], T], times: Callable[[T], list[list[float]]]) -> None:
    """Run a graph in this process and print, as the last line, one JSON object: when it was called, ended, its tasks.

    Args:
        call: runs the graph to its end.
        times: gives, out of what that has given, the times of the tasks.
    """
    called = time.time()
    given = call()
    ended = time.time()
    print(json.dumps({"called": called, "ended": ended, "tasks": times(given)}))


if __name__ == "__main__":
    asked = parse(sys.argv[1])
    tell(lambda: run(asked), list)
