"""Measure the changes: start a tool's stack from a clean checkout, then type, time and watch each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks import results
from benchmarks.changes import evidence, scenarios
from benchmarks.changes.records import NO_SERVER, Change, Command, Measured, Touched
from benchmarks.changes.scenarios import HERE, OF_A_SERVER, TRIGGER, Plan, Scenario, Way
from benchmarks.changes.scratch import Scratch
from benchmarks.changes.servers import Expected, Missing
from benchmarks.changes.watch import Watch
from benchmarks.ci import shell
from benchmarks.ci.local import Asked
from benchmarks.ci.pipelines import Part
from benchmarks.ci.workflow import SHELLS
from benchmarks.display import Display
from benchmarks.stacks import doctor, engine
from benchmarks.stacks.stack import Tool
from shared.errors import BakeoffError

#: For one command; for the server to take what it was given; for a run that nobody waits for.
COMMAND_S, DEPLOY_S, RUN_S = 1800.0, 300.0, 900.0
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
            changes = [_change(scratch, home, scenario, display) for scenario in wanted]
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
    expected = Expected(scratch.commit)
    plan = scratch.feed.plans[Scenario.LINE]
    with Watch(scratch.server, plan.signs if scratch.has_server else (), expected, frozenset()) as watch:
        for line in scratch.feed.start:
            done.append(_type(scratch, START, len(done), line, display))
            _went_well(done[-1])
        if scratch.has_server and not watch.wait(lambda: watch.deployed_s is not None, DEPLOY_S):
            raise NotStarted("the server does not take what is in HEAD", where=scratch.tool, fix=watch.silent or _LOOK)
    if scratch.feed.warm_up != HERE or not scratch.has_server:
        done.append(_type(scratch, START, len(done), scratch.feed.warm_up, display))
        _went_well(done[-1])
    display.end(START, f"[green]up[/green] with {scratch.commit[:12]}")
    return tuple(done)


_LOOK = "run it again with --keep, and read the logs in the folder that is kept"


def _went_well(command: Command) -> None:
    if command.status == "failed":
        raise NotStarted(f"`{command.line}` has failed: {command.note}", where="the start of the stack", fix=_LOOK)


def _change(scratch: Scratch, home: str, scenario: Scenario, display: Display) -> Change:
    """One scenario, on top of what the stack was started with; whatever goes wrong is in what is returned."""
    display.begin(scenario, "applying")
    before = scratch.commit
    done: list[Command] = []
    found: dict[str, object] = {}
    touched = Touched()
    try:
        patch = scenarios.patch_of(scratch.tool, scenario)
        scratch.go_to(home)
        if patch:
            before = home
            scratch.change(patch)
        touched = scratch.touched(before)
        _deploy(scratch, scenario, display, done, found)
        status, cause = "passed", ""
    except _NotRun as reason:
        status, cause = "not run", str(reason)
    except (BakeoffError, _Failed) as error:
        status, cause = "failed", scratch.clean(str(error))
    colour = {"passed": "green", "failed": "red"}.get(status, "dim")
    display.end(scenario, f"[{colour}]{status}[/{colour}] {escape(cause or str(found['evidence']))}")
    return Change.model_validate(
        {"scenario": scenario, "status": status, "cause": cause, "commands": done, "touched": touched, **found}
    )


def _deploy(
    scratch: Scratch, scenario: Scenario, display: Display, done: list[Command], found: dict[str, object]
) -> None:
    """Type the commands, watch, look for the evidence; what is seen goes into `found` as it comes."""
    plan: Plan = scratch.feed.plans[scenario]
    wanted = scenarios.evidence(scratch.tool, scenario)
    server = scratch.server()
    try:
        runs = frozenset(server.runs())
        stood = scratch.standing()
        signs = plan.signs if scratch.has_server else ()
        try:
            with Watch(scratch.server, signs, Expected(scratch.commit, wanted.cron), runs) as watch:
                try:
                    for line in plan.commands:
                        if line == HERE and scratch.has_server:
                            continue
                        if line == TRIGGER:  # of the new version, and not of what is still there
                            _wait_until_deployed(watch)
                        done.append(_type(scratch, scenario, len(done), line, display))
                        if done[-1].status == "failed":
                            raise _Failed(f"`{line}` has failed: {done[-1].note}")
                    display.begin(scenario, "waiting for the server")
                    _wait(watch, signs, not wanted.cron and any(each.status == "passed" for each in done))
                finally:
                    found["deployed_s"] = watch.deployed_s
        finally:
            stands = scratch.standing()
            found |= {"image_built": stood.built_until(stands), "restarted": stood.restarted_until(stands)}
        if all(each.status == "not run" for each in done):
            raise _NotRun(NO_SERVER)
        if not wanted.cron:
            if watch.run.state != "finished":
                raise _Failed(f"the run {watch.run_id} has ended as {watch.run.message or watch.run.state}")
            found |= {"ran_s": watch.ended_s, "ran_on": server.place}
        found["evidence"] = scratch.clean(evidence.find(server, watch.run_id, wanted))
    finally:
        server.close()


def _wait(watch: Watch, signs: tuple[object, ...], runs: bool) -> None:
    """Wait until the server has the new version and, where there is a run, that has ended."""
    if runs and not watch.wait(lambda: watch.ended_s is not None, RUN_S):
        told = f"the run {watch.run_id} is {watch.run.state}" if watch.run_id else "there is no run"
        raise _Failed(f"{told} after {RUN_S:.0f} s {watch.silent}".strip())
    if signs:
        _wait_until_deployed(watch)


def _wait_until_deployed(watch: Watch) -> None:
    if not watch.wait(lambda: watch.deployed_s is not None, DEPLOY_S):
        raise Missing("the server does not have the new version", where="its API", fix=watch.silent or _LOOK)


class _Failed(Exception):
    """A change could not be measured to its end."""


class _NotRun(Exception):
    """Nothing of a change can be run here, for the reason given."""


def _type(scratch: Scratch, name: str, number: int, line: str, display: Display) -> Command:
    """Run one command as a developer's shell would."""
    if not scratch.has_server and any(each in line for each in OF_A_SERVER):
        return Command(line=line, status="not run", note=NO_SERVER)
    display.begin(name, escape(line))
    log = scratch.scratch / "logs" / name / f"{number}.log"
    begin = time.monotonic()
    words: list[str | Path] = [*SHELLS["bash"], "-c", line]
    code = shell.run(words, log=log, env=scratch.variables(name), folder=scratch.folder, limit_s=COMMAND_S)
    seconds = round(time.monotonic() - begin, 2)
    if code == 0:
        return Command(line=line, status="passed", seconds=seconds)
    what = f"exit code {code}" if code is not None else f"{COMMAND_S:.0f} s were up"
    return Command(line=line, status="failed", seconds=seconds, note=f"{what}; the end of it:\n{scratch.brief(log)}")
