"""The measurement: each tool alone, its workers one, two and four; and the same candidates with no tool at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import results, retraining, stores
from benchmarks.arms import PlainArm
from benchmarks.display import Display
from benchmarks.places import STATE, ArmName
from benchmarks.scaleout.records import Spread, What, since_the_first
from benchmarks.scaleout.tools import MONTH, OnAirflow, OnPrefect, Spreads, Times, request
from benchmarks.stack_cost import brief, check_env
from benchmarks.stacks import deployed, engine, env_file, lifecycle
from benchmarks.stacks.stack import STACKS, Stack, Tool
from shared.errors import BakeoffError

_ASK_IN = {Tool.AIRFLOW: "airflow-scheduler", Tool.PREFECT: "prefect-server"}


def measure(
    tools: list[Tool], workers: list[int], candidates: int, small: int, path: Path, console: Console
) -> Iterator[Spread]:
    """Measure the plain arm and then tool by tool, yielding each run when it has ended.

    A stack is taken down afterwards, unless it was up before.

    Args:
        tools: whose stacks.
        workers: how many, one after the other.
        candidates: width of the fan-out.
        small: tasks that do nothing.
        path: env file of the stacks.
        console: for progress.

    Raises:
        StackError: this machine cannot run the stacks.
    """
    check_env(path)
    env_file.make(path)
    yield _once(
        ArmName.PLAIN,
        "candidates",
        1,
        candidates,
        lambda _: _plain(candidates),
        console,
        results.versions(ArmName.PLAIN),
    )
    for tool in tools:
        was_up = bool(engine.containers(STACKS[tool].project(env_file.read(path).prefix)))
        try:
            for number in workers:
                yield from _with_workers(tool, number, candidates, small, path, console)
        finally:
            if not was_up:
                lifecycle.down(tool, path, console)


def _plain(candidates: int) -> Times:
    """One process trains one candidate after the other, into a store of its own."""
    configs = retraining.make_configs([MONTH], STATE / "scale-out", request(candidates))
    assert configs[0].events is not None
    arm = PlainArm(configs[0].events.parent)
    try:
        arm.prepare()
        stores.create(configs[0])
        told = [event for event in arm.retrain(configs) if event["step"] == "train"]
    finally:
        arm.stop()
    begun = {event["label"]: event["time"] for event in told if event["state"] == "started"}
    first = min(begun.values())
    return [(first, begun[event["label"]], event["time"]) for event in told if event["state"] == "finished"]


def _with_workers(
    tool: Tool, workers: int, candidates: int, small: int, path: Path, console: Console
) -> Iterator[Spread]:
    lifecycle.up(tool, path, console, celery=tool is Tool.AIRFLOW, workers=workers)
    env, stack = env_file.read(path), STACKS[tool]
    arm, versions = ArmName(tool), _versions(stack, tool, path)
    spreads: Spreads = (OnAirflow if tool is Tool.AIRFLOW else OnPrefect)(stack.url(env), stack.login(env))
    runs: dict[What, tuple[int, Callable[[Callable[[str], None]], Times]]] = {
        "candidates": (candidates, lambda tell: spreads.candidates(candidates, workers, tell)),
        "small tasks": (small, lambda tell: spreads.small(small, tell)),
    }
    if isinstance(spreads, OnPrefect) and workers == 1:
        runs["candidates in one run"] = (candidates, lambda tell: spreads.in_one_run(candidates, tell))
    for what, (asked, run) in runs.items():
        yield _once(arm, what, workers, asked, run, console, versions)


def _versions(stack: Stack, tool: Tool, path: Path) -> dict[str, str]:
    compose = stack.bind(env_file.read(path), celery=tool is Tool.AIRFLOW)
    return deployed.ask(compose, _ASK_IN[tool], results.packages(ArmName(tool))).versions


def _once(
    arm: ArmName,
    what: What,
    workers: int,
    asked: int,
    run: Callable[[Callable[[str], None]], Times],
    console: Console,
    versions: dict[str, str],
) -> Spread:
    name = f"{arm} x {workers}"
    done = Spread(
        tool=arm, what=what, workers=workers, asked=asked, environment=results.environment(), versions=versions
    )
    with Display(console, [name]) as display:
        display.begin(name, f"{asked} {what}")
        try:
            tasks = since_the_first(run(lifecycle.teller(display, name)))
        except BakeoffError as error:
            display.end(name, f"[red]failed[/red]: {error.what}")
            return done.model_copy(update={"error": brief(error)})
        done = done.model_copy(update={"tasks": tasks})
        display.end(name, f"{asked} {what}: {done.makespan_s or 0:.1f} s")
        return done
