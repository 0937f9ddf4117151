"""Measure the changes: start a tool's stack from a clean checkout, then type, time and watch each change."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks import results
from benchmarks.changes import trial
from benchmarks.changes.records import Command, Measured
from benchmarks.changes.scenarios import Scenario, Way
from benchmarks.changes.scratch import LOOK, Scratch
from benchmarks.changes.servers import Expected
from benchmarks.changes.trial import Trial
from benchmarks.changes.watch import Watch
from benchmarks.ci.local import Asked
from benchmarks.ci.pipelines import Part
from benchmarks.display import Display
from benchmarks.stacks import doctor, engine
from benchmarks.stacks.stack import Tool
from shared.errors import BakeoffError

START = "start"


def check(tool: Part) -> None:
    """See that the engine can hold the tool's stack, before anything is started.

    Raises:
        StackError: with what is missing.
    """
    info = engine.info()
    engine.compose_version()
    root = Path(info["DockerRootDir"])
    found = [doctor.architecture(info), doctor.cpus(info), doctor.disk(root, doctor.free_bytes(info))]
    doctor.require(iter(found if tool is Part.KUBEFLOW else [*found, doctor.memory(info, [Tool(tool)])]))


class NotStarted(BakeoffError):
    """The stack could not be started, so that no change can be measured."""


def measure(
    asked: Asked, chosen: Iterable[tuple[Way, list[Scenario]]], console: Console, *, keep: bool
) -> Generator[Measured]:
    """Measure each way, yielding it when it has ended. What was started is removed in any case.

    Args:
        asked: the tool and, for Kubeflow, its server.
        chosen: ways, and the scenarios of each in their order.
        console: for progress.
        keep: leave the checkout and the logs.

    Raises:
        NotStarted: the stack could not be started.
        StackError: the engine does not answer.
        StorageError: this is no git checkout with a commit, or the scratch folder cannot be removed.
    """

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    for way, wanted in chosen:
        yield in_scratch(lambda way=way: Scratch(asked, way, say), wanted, console, keep=keep)  # type: ignore[misc]


def in_scratch(make: Callable[[], Scratch], wanted: list[Scenario], console: Console, *, keep: bool) -> Measured:
    """One way, in a checkout that is made by a function."""
    scratch = make()
    try:
        base = scratch.prepare()
        beside = scratch.beside()
        environment = results.environment().model_copy(update={"commit": scratch.head})
        with Display(console, [START, *wanted]) as display:
            start = _start(scratch, display)
            home = scratch.commit
            changes = [Trial(scratch, home, scenario, display).run() for scenario in wanted]
        return Measured(
            tool=scratch.tool,
            way=scratch.way,
            environment=environment,
            beside=beside,
            base=base,
            start=start,
            changes=tuple(changes),
        )
    finally:
        scratch.close(keep=keep)
        if keep:
            console.print(f"kept: {scratch.scratch}", highlight=False, markup=False, soft_wrap=True)


def _start(scratch: Scratch, display: Display) -> tuple[Command, ...]:
    """The stack with what is in HEAD, and a first run of it.

    Raises:
        NotStarted: a command has failed, or the server does not take it.
    """
    done: list[Command] = []

    def type_all(*lines: str) -> None:
        for line in scratch.lines(lines):
            display.begin(START, escape(line))
            done.append(scratch.type(line, START, len(done)))
            if done[-1].status == "failed":
                what = f"`{line}` has failed: {done[-1].note}"
                raise NotStarted(what, where="the start of the stack", fix=LOOK)

    signs = scratch.feed.plans[Scenario.LINE].signs if scratch.has_server else ()
    with Watch(scratch.server, signs, Expected(scratch.commit), frozenset()) as watch:
        type_all(*scratch.feed.start)
        if signs and not watch.wait(lambda: watch.deployed_s is not None, trial.DEPLOY_S):
            raise NotStarted("the server does not take what is in HEAD", where=scratch.tool, fix=watch.silent or LOOK)
    type_all(scratch.feed.warm_up)
    display.end(START, f"[green]up[/green] with {scratch.commit[:12]}")
    return tuple(done)
