"""A change from end to end: a pull request with its checks, the merge, the new version on the server, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import results
from benchmarks.ci import live, pipelines, workflow
from benchmarks.ci.checkout import BRANCH, Checkout
from benchmarks.ci.local import Asked, LocalCheckout
from benchmarks.ci.pipelines import Part, System
from benchmarks.ci.records import Event, Name, PullRequest, Seen, StepRun
from benchmarks.ci.runner import Runner
from benchmarks.ci.workflow import Values
from benchmarks.display import Display
from shared.errors import BakeoffError, ConfigError

PATCHES = Path(__file__).with_name("patches") / "pull-request"
STAGING = "staging"
#: The first job, which is left out where the commit before the change is deployed: nothing is compared with it.
CHECKS = "test"
MERGED, PULL = f"refs/heads/{BRANCH}", "refs/pull/1/merge"

Ask = Callable[[Part, Values], Seen]


def measure(asked: Asked, console: Console, *, keep: bool) -> PullRequest:
    """Play it all on this machine, and take away what was started.

    Args:
        asked: whose workflow, and where Kubeflow's server is.
        console: for progress.
        keep: leave the checkout.

    Raises:
        ConfigError: Kubeflow without a server, or a workflow with something that is not understood here.
        StorageError: the patch does not fit, or this is no git checkout with a commit.
    """
    if asked.tool is Part.KUBEFLOW and not asked.host:
        fix = "give its address with --host, and --registry"
        raise ConfigError("nothing can be deployed without a server", where="--pull-request", fix=fix)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    checkout = LocalCheckout(asked, say)
    say("about 15 minutes on two cores; Ctrl-C ends it and removes what it has started")
    try:
        return play(checkout, asked.tool, PATCHES / f"{asked.tool}.patch", console)
    finally:
        checkout.close(keep=keep)
        if keep:
            say(f"kept: {checkout.scratch}")


def play(checkout: Checkout, tool: Part, patch: Path, console: Console, ask: Ask = live.seen) -> PullRequest:
    """As `measure`, in a checkout that is there; what comes after something that is not as it should be is left out."""
    story = _Story(checkout, tool, ask)
    events = []
    with Display(console, [job.id for job in story.workflow.jobs]) as display:
        for name, event in story.events(patch).items():
            console.print(f"[bold]{name}[/bold]")
            display.reset()
            events.append(event(display))
            if events[-1].problem:
                break
    about = results.environment().model_copy(update={"commit": story.first})
    return PullRequest(tool=tool, environment=about, patch=patch.read_text(), events=tuple(events))


class _Story:
    """The events, in their order."""

    def __init__(self, checkout: Checkout, tool: Part, ask: Ask) -> None:
        self._checkout, self._tool, self._ask = checkout, tool, ask
        [path] = pipelines.files(tool, System.GITHUB)
        self.workflow = workflow.load(path, checkout.at_head(path))
        workflow.check(self.workflow, checkout.values)
        [self._environment] = [job.environment for job in self.workflow.jobs if job.id == STAGING]
        self.first = checkout.commit

    def events(self, patch: Path) -> dict[Name, Callable[[Display], Event]]:
        """What happens, by its name."""
        return {
            "before": self._before,
            "pull request": lambda display: self._opened(patch, display),
            "merge": self._merged,
            "roll back": self._rolled_back,
        }

    def _before(self, display: Display) -> Event:
        """Deploy the commit that is to be changed, so that there is something to go back to."""
        self._first = Runner(self.workflow, self._checkout, display, "before", {CHECKS: "success"})
        steps = self._first.run(only={job.id for job in self.workflow.jobs} - {CHECKS})
        return self._event("before", steps, changed=False)

    def _opened(self, patch: Path, display: Display) -> Event:
        """The change is on a branch: it is checked, and not deployed."""
        self._checkout.change(patch)
        self._checkout.push("change")
        self._checkout.ref = PULL
        steps = Runner(self.workflow, self._checkout, display, "pull-request").run()
        return self._event("pull request", steps, changed=False, deployed=False)

    def _merged(self, display: Display) -> Event:
        """The branch becomes the main one: checked again, and deployed."""
        self._checkout.push(BRANCH)
        self._checkout.ref = MERGED
        return self._event("merge", Runner(self.workflow, self._checkout, display, "merge").run(), changed=True)

    def _rolled_back(self, display: Display) -> Event:
        """The earlier commit's deploying job is run again, as by its button on GitHub."""
        self._checkout.go_to(self.first)
        return self._event("roll back", self._first.run(only={STAGING}), changed=False)

    def _event(self, name: Name, steps: tuple[StepRun, ...], *, changed: bool, deployed: bool = True) -> Event:
        seen, problem = None, _failed(steps) or _left(steps, deployed)
        try:
            seen = self._ask(self._tool, self._checkout.values(self._environment))
        except BakeoffError as error:
            problem = problem or self._checkout.clean(error.what)
        wanted = self._checkout.commit if deployed else self.first
        problem = problem or self._wrong(seen, wanted, changed)
        seconds = round(sum(each.seconds or 0 for each in steps), 2)
        commit, ref = self._checkout.commit, self._checkout.ref
        return Event(name=name, commit=commit, ref=ref, seconds=seconds, steps=steps, seen=seen, problem=problem)

    def _wrong(self, seen: Seen | None, wanted: str, changed: bool) -> str:
        if seen is None:
            return "the server has not answered"
        if not seen.succeeded:
            return f"the newest run, {seen.run or 'none'}, has not succeeded"
        if self._tool is not Part.KUBEFLOW and not (seen.version == seen.run_version == wanted):
            return f"wanted {wanted}, but {seen.version} is deployed, and the newest run is of {seen.run_version}"
        if seen.changed is not changed:
            return f"the newest run, {seen.run}, {'shows' if seen.changed else 'does not show'} the change"
        return ""


def _failed(steps: tuple[StepRun, ...]) -> str:
    return "; ".join(f"{each.job}, {each.name}: {each.note}" for each in steps if each.status == "failed")


def _left(steps: tuple[StepRun, ...], deployed: bool) -> str:
    """Has the deploying job run where it should, and only there?"""
    ran = any(each.job == STAGING and each.status == "passed" for each in steps)
    return "" if ran is deployed else f"the job {STAGING} has {'not run' if deployed else 'run'}"
