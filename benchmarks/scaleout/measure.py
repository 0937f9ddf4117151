"""The measurement: each tool alone, its workers one, two and four."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import results
from benchmarks.display import Display
from benchmarks.places import ArmName
from benchmarks.scaleout.records import ScaleOut, Spread, What, since_the_first
from benchmarks.scaleout.tools import OnAirflow, OnPrefect, Spreads, Times
from benchmarks.stack_cost import check_env
from benchmarks.stacks import deployed, engine, env_file, lifecycle
from benchmarks.stacks.stack import STACKS, Tool
from shared.errors import BakeoffError

_ASK_IN = {Tool.AIRFLOW: "airflow-scheduler", Tool.PREFECT: "prefect-server"}


def measure(
    tools: list[Tool], workers: list[int], candidates: int, small: int, path: Path, console: Console
) -> ScaleOut:
    """Measure tool by tool; each is taken down afterwards, unless it was up before.

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
    spreads: list[Spread] = []
    versions = {}
    for tool in tools:
        was_up = bool(engine.containers(STACKS[tool].project(env_file.read(path).prefix)))
        try:
            for number in workers:
                spreads += _with_workers(tool, number, candidates, small, path, console)
            compose = STACKS[tool].bind(env_file.read(path), celery=tool is Tool.AIRFLOW)
            versions[tool.value] = deployed.ask(compose, _ASK_IN[tool], results.packages(ArmName(tool))).versions
        finally:
            if not was_up:
                lifecycle.down(tool, path, console)
    return ScaleOut(environment=results.environment(), versions=versions, spreads=tuple(spreads))


def _with_workers(
    tool: Tool, workers: int, candidates: int, small: int, path: Path, console: Console
) -> Iterator[Spread]:
    lifecycle.up(tool, path, console, celery=tool is Tool.AIRFLOW, workers=workers)
    env, stack = env_file.read(path), STACKS[tool]
    spreads: Spreads = (OnAirflow if tool is Tool.AIRFLOW else OnPrefect)(stack.url(env), stack.login(env))
    yield _once(
        tool, "candidates", workers, candidates, lambda tell: spreads.candidates(candidates, workers, tell), console
    )
    yield _once(tool, "small tasks", workers, small, lambda tell: spreads.small(small, tell), console)


def _once(
    tool: Tool, what: What, workers: int, asked: int, run: Callable[[Callable[[str], None]], Times], console: Console
) -> Spread:
    name = f"{tool} x {workers}"
    with Display(console, [name]) as display:
        display.begin(name, f"{asked} {what}")
        try:
            tasks = since_the_first(run(lifecycle.teller(display, name)))
        except BakeoffError as error:
            display.end(name, "[red]failed[/red]")
            return Spread(tool=tool, what=what, workers=workers, asked=asked, error=str(error))
        done = Spread(tool=tool, what=what, workers=workers, asked=asked, tasks=tasks)
        display.end(name, f"{asked} {what}: {done.makespan_s or 0:.1f} s")
        return done
