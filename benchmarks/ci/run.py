"""Run a tool's workflow on this machine, cold and warm, and keep what each step took."""

from __future__ import annotations

from collections.abc import Callable, Generator

from rich.console import Console

from benchmarks import results
from benchmarks.ci import pipelines, workflow
from benchmarks.ci.checkout import Checkout
from benchmarks.ci.local import Asked, LocalCheckout
from benchmarks.ci.pipelines import Part, System
from benchmarks.ci.records import CiRun, CiRuns, Kind
from benchmarks.ci.runner import Runner
from benchmarks.display import Display

#: Where nothing has been kept to go by: minutes on two cores, a guess.
GUESS_MIN: dict[Kind, float] = {"cold": 30, "warm": 15}


def estimate(tool: Part, kinds: tuple[Kind, ...], kept: CiRuns | None) -> str:
    """How long it will take, from the runs that were kept."""
    took = {each.kind: each.seconds / 60 for each in (kept.runs if kept else ()) if each.tool is tool}
    minutes = sum(took.get(kind, GUESS_MIN[kind]) for kind in kinds)
    by = "by the runs that were kept" if {*kinds} <= {*took} else "a guess: no such run has been kept yet"
    return f"about {minutes:.0f} minutes ({by}); Ctrl-C ends it and removes what it has started"


def measure(asked: Asked, kinds: tuple[Kind, ...], console: Console, *, keep: bool) -> Generator[CiRun]:
    """Run the workflow, yielding each run when it has ended; a warm one only after a cold one that has passed.

    The stacks that it has started are removed in any case, and so is the checkout, unless it is to be kept.

    Args:
        asked: whose workflow, and how much of it.
        kinds: the runs.
        console: for progress.
        keep: leave the checkout.

    Raises:
        ConfigError: the workflow has something that is not understood here; nothing has been started then.
        StorageError: this is no git checkout with a commit, or the scratch folder cannot be removed.
    """

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    yield from in_checkout(lambda: LocalCheckout(asked, say), asked.tool, kinds, console, keep=keep)


def in_checkout(
    make: Callable[[], Checkout],
    tool: Part,
    kinds: tuple[Kind, ...],
    console: Console,
    *,
    keep: bool,
) -> Generator[CiRun]:
    """As `measure`, in a checkout that is made by a function."""
    checkout = make()
    try:
        [path] = pipelines.files(tool, System.GITHUB)
        found = workflow.load(path, checkout.at_head(path))
        workflow.check(found, checkout.values)
        for kind in kinds:
            with Display(console, [job.id for job in found.jobs]) as display:
                steps = Runner(found, checkout, display, kind).run()
            about = results.environment().model_copy(update={"commit": checkout.commit})
            seconds = round(sum(each.seconds or 0 for each in steps), 2)
            done = CiRun(tool=tool, kind=kind, environment=about, seconds=seconds, steps=steps)
            yield done
            if not done.passed:
                return
    finally:
        checkout.close(keep=keep)
        if keep:
            console.print(f"kept: {checkout.scratch}", highlight=False, markup=False, soft_wrap=True)
