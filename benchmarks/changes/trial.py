"""One change: apply it, type what a developer would, watch the server, look for what shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.markup import escape

from benchmarks.changes import evidence, scenarios
from benchmarks.changes.records import NO_SERVER, Change, Command
from benchmarks.changes.scenarios import TRIGGER, Scenario
from benchmarks.changes.scratch import LOOK, Scratch
from benchmarks.changes.servers import Expected, Missing, Server
from benchmarks.changes.watch import Watch
from benchmarks.display import Display
from shared.errors import BakeoffError

#: For the server to take what it was given; for a run that nobody waits for.
DEPLOY_S, RUN_S = 300.0, 900.0


class Failed(Exception):
    """A change could not be measured to its end."""


class NotRun(Exception):
    """Nothing of a change can be run here, for the reason given."""


class Trial:
    """One scenario, on top of what the stack was started with.

    Args:
        scratch: the checkout, and the stack that it is fed to.
        home: the commit that the stack was started with.
        scenario: which.
        display: is told of each command.
    """

    def __init__(self, scratch: Scratch, home: str, scenario: Scenario, display: Display) -> None:
        self._scratch, self._home, self._scenario, self._display = scratch, home, scenario, display
        self._plan = scratch.feed.plans[scenario]
        self._wanted = scenarios.evidence(scratch.tool, scenario, scratch.name)
        self._signs = self._plan.signs if scratch.has_server else ()
        self._done: list[Command] = []
        #: Fields of the change, as they are found.
        self._found: dict[str, Any] = {}

    def run(self) -> Change:
        """Whatever goes wrong is in what is returned."""
        self._display.begin(self._scenario, "applying")
        try:
            self._apply()
            with contextlib.closing(self._scratch.server()) as server:
                self._measure(server)
            status, cause = "passed", ""
        except NotRun as reason:
            status, cause = "not run", str(reason)
        except (BakeoffError, Failed) as error:
            status, cause = "failed", self._scratch.clean(str(error))
        colour = {"passed": "green", "failed": "red"}.get(status, "dim")
        told = escape(cause or self._found["evidence"])
        self._display.end(self._scenario, f"[{colour}]{status}[/{colour}] {told}")
        about = {"scenario": self._scenario, "status": status, "cause": cause, "commands": self._done}
        return Change.model_validate({**about, **self._found})

    def _apply(self) -> None:
        """Make the change, and nothing of it counts; for a rollback, check out what was there before."""
        before = self._scratch.commit
        self._scratch.go_to(self._home)
        if patch := scenarios.patch_of(self._scratch.tool, self._scenario):
            before = self._home
            self._scratch.change(patch)
        self._found["touched"] = self._scratch.touched(before)

    def _measure(self, server: Server) -> None:
        before = frozenset(server.runs())
        expected = Expected(self._scratch.commit, self._wanted.cron)
        with self._compared(), Watch(self._scratch.server, self._signs, expected, before) as watch:
            try:
                self._type(watch)
            finally:
                self._found["deployed_s"] = watch.deployed_s
        if all(each.status == "not run" for each in self._done):
            raise NotRun(NO_SERVER)
        if not self._wanted.cron:
            if watch.run.state != "finished":
                raise Failed(f"the run {watch.run_id} has ended as {watch.run.message or watch.run.state}")
            self._found |= {"ran_s": watch.ended_s, "ran_on": server.place}
        self._found["evidence"] = self._scratch.clean(evidence.find(server, watch.run_id, self._wanted))

    @contextlib.contextmanager
    def _compared(self) -> Iterator[None]:
        """See which image and which services are others afterwards."""
        stood = self._scratch.standing()
        try:
            yield
        finally:
            stands = self._scratch.standing()
            self._found["image_built"] = stood.built_until(stands)
            self._found["restarted"] = stood.restarted_until(stands)

    def _type(self, watch: Watch) -> None:
        """Type all commands, and wait for what they have brought about."""
        for line in self._scratch.lines(self._plan.commands):
            if line == TRIGGER:  # of the new version, and not of what is still there
                _until_deployed(watch)
            self._display.begin(self._scenario, escape(line))
            self._done.append(self._scratch.type(line, self._scenario, len(self._done)))
            if self._done[-1].status == "failed":
                raise Failed(f"`{line}` has failed: {self._done[-1].note}")
        self._display.begin(self._scenario, "waiting for the server")
        if not self._wanted.cron and any(each.status == "passed" for each in self._done):
            _until_ended(watch)
        if self._signs:
            _until_deployed(watch)


def _until_ended(watch: Watch) -> None:
    if not watch.wait(lambda: watch.ended_s is not None, RUN_S):
        told = f"the run {watch.run_id} is {watch.run.state}" if watch.run_id else "there is no run"
        raise Failed(f"{told} after {RUN_S:.0f} s. {watch.silent}".strip())


def _until_deployed(watch: Watch) -> None:
    if not watch.wait(lambda: watch.deployed_s is not None, DEPLOY_S):
        raise Missing("the server does not have the new version", where="its API", fix=watch.silent or LOOK)
