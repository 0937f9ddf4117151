"""The arms whose tool runs on its real servers, up already: trigger by the public API, follow, tell the cause.

A run belongs to the server: it goes on when the harness is killed. Ctrl-C cancels it; a server that falls silent is
waited for.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from benchmarks import results
from benchmarks.arms import Arm, ArmFailed
from benchmarks.places import ArmName, Stack
from benchmarks.stacks import deployed
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.follow import Attempt, Follower, Look
from benchmarks.stacks.prefect_api import PrefectApi
from benchmarks.stacks.rest import Refused, Rest, Silent, is_this_machine
from benchmarks.stacks.settings import StackSettings
from shared.config import RetrainConfig
from shared.errors import BakeoffError

#: Between two looks at a run. Each costs the server two queries while it is busy with the work, and a step takes
#: seconds: once a second a person sees all that happens.
POLL_S = 1.0
#: So long a server may be silent (restarted, its database down) before the harness gives up on it.
SILENCE_S = 180.0
#: Ctrl-C waits for no slow server.
CANCEL_S = 4.0
#: What is the server's own affair, and not sent: its places.
_PLACES = ("state", "tracking_uri", "artifact_location", "events", "data_repo", "data_remote")

#: Stands for a run whose id is not known yet.
STARTING = "being started"

T = TypeVar("T")


class RunFailed(ArmFailed):
    """A run on a server has failed; the text has the step's own cause."""

    tells_cause = True


class ToolApi(Protocol):
    """What a stack arm needs of a tool: `AirflowApi`, `PrefectApi`."""

    address: str
    rest: Rest

    def check(self) -> None: ...
    def trigger(self, config: RetrainConfig, request: dict[str, Any]) -> str: ...
    def look(self, run: str, config: RetrainConfig) -> Look: ...
    def cause(self, run: str, attempt: Attempt) -> str: ...
    def cancel(self, run: str) -> None: ...
    def page(self, run: str) -> str: ...


class StackArm(Arm):
    """A tool on its real servers.

    Args:
        folder: receives logs of the harness's own.
        tracking_uri: of the stack's MLflow.
        api: the tool's own.
    """

    def __init__(self, folder: Path, tracking_uri: str, api: ToolApi) -> None:
        super().__init__(folder)
        self.tracking_uri, self.api = tracking_uri, api
        self._active = ""  # the run that Ctrl-C has to cancel

    def prepare(self) -> None:
        """See that the stack is up and healthy, and the DAG or flow deployed. Nothing is started.

        Raises:
            Silent, Refused: what is missing, and the command that brings it.
        """
        self.api.check()
        try:
            away = not is_this_machine(self.tracking_uri)
            httpx.get(f"{self.tracking_uri}/health", timeout=5, trust_env=away).raise_for_status()
        except httpx.HTTPError as error:
            raise Silent(
                f"the MLflow of the stack does not answer: {error}",
                where=self.tracking_uri,
                fix=f"run `./bakeoff up {self.name}`",
            ) from error

    def warning(self) -> str:
        """How what is deployed may differ from this checkout; '' when it does not."""
        return ""

    def retrain(self, configs: list[RetrainConfig]) -> Iterator[dict[str, Any]]:
        if warning := self.warning():
            yield {"time": time.time(), "step": "retrain", "label": "", "state": "warning", "text": warning}
        for config in configs:
            try:
                yield from self._run(config)
            except Refused as refused:
                raise ArmFailed(refused.what, where=refused.where, fix=refused.fix) from refused

    def _run(self, config: RetrainConfig) -> Iterator[dict[str, Any]]:
        label = {"step": "retrain", "label": config.month}
        start = time.time()
        yield {"time": start, **label, "state": "started"}
        sent = request(config)
        self._active = STARTING
        run = yield from self._patiently(lambda: self.api.trigger(config, sent), label)
        self._active = run
        follower = Follower()
        stands = ""
        while True:
            look = yield from self._patiently(lambda: self.api.look(run, config), label)
            events = follower.events(look, time.time())
            yield from events
            if look.state in ("finished", "failed"):
                break
            # A run that nobody takes says so; what it says changes only sometimes, and its next event replaces it.
            now = f"{look.said} {look.message}".strip() if look.state == "waiting" else ""
            if now != stands and not events:
                yield {"time": time.time(), **label, "state": "waiting", "text": now}
            stands = now
            time.sleep(POLL_S)
        self._active = ""
        end = time.time()
        if look.state == "failed":
            raise self._failure(run, config, look)
        yield {"time": end, **label, "state": "finished", "seconds": end - start}

    def _patiently(self, ask: Callable[[], T], label: dict[str, Any]) -> Generator[dict[str, Any], None, T]:
        """Ask until there is an answer: the server may be restarting, or its database be down for a while."""
        silent_since: float | None = None
        while True:
            try:
                answer = ask()
            except Silent as silent:
                now = time.monotonic()
                if silent_since is None:
                    silent_since = now
                    text = f"{silent.what}: waiting up to {SILENCE_S:.0f} s"
                    yield {"time": time.time(), **label, "state": "waiting", "text": text}
                if now - silent_since > SILENCE_S:
                    raise self._given_up(silent) from silent
                time.sleep(POLL_S)
                continue
            if silent_since is not None:
                yield {"time": time.time(), **label, "state": "waiting", "text": ""}
            return answer

    def _given_up(self, silent: Silent) -> ArmFailed:
        run, self._active = self._active, ""  # it cannot be cancelled either
        page = self.api.page(run) if run != STARTING else self.api.address
        return ArmFailed(
            f"{silent.what}, for {SILENCE_S:.0f} s",
            where=page,
            fix=f"`./bakeoff logs {self.name}` says why, `./bakeoff up {self.name}` starts what is down; the run "
            "goes on when the server is back: see that page",
        )

    def _failure(self, run: str, config: RetrainConfig, look: Look) -> RunFailed:
        """Cause, place and next step: as MLflow has them from the step itself, else as the tool does."""
        from shared import registry  # imports MLflow: seconds that no other command of the harness has to wait

        failed = look.failed[0] if look.failed else None
        step, cause = failed.step if failed else "", ""
        try:
            known = registry.failure(config)
        except BakeoffError:
            known = None
        if known and (not step or known[0] == step):  # else of a try that a retry has cured
            step, cause = known
        if not cause and failed:
            with contextlib.suppress(BakeoffError):
                cause = self.api.cause(run, failed)
        what, fix = split(cause or look.message or f"{self.name} says {look.said}, and no cause")
        who = f"{step} failed" if step else f"the run ended as {look.said}"
        return RunFailed(
            f"{who}: {what}", where=self.api.page(run), fix=fix or "open that page: its logs have the story"
        )

    def stop(self) -> None:
        """Cancel the run that is being followed, if any; the stack stays up."""
        if self._active:
            self.api.rest.client.timeout = httpx.Timeout(CANCEL_S)
            self.stopped = self._cancel(self._active)
            self._active = ""
        self.api.rest.close()

    def _cancel(self, run: str) -> str:
        if run == STARTING:
            return f"stopped; whether a run was started is seen at {self.api.address}; the stack is still up"
        try:
            self.api.cancel(run)
        except BakeoffError as error:
            return f"stopped; the run could not be cancelled and may go on: {self.api.page(run)} ({error.what})"
        return f"stopped; the run is cancelled, the stack is still up: {self.api.page(run)}"

    def installed(self) -> bool:
        return True

    def install_s(self) -> float | None:
        return None  # the images were built before


class ComposeArm(StackArm):
    """One tool's compose stack.

    Args:
        folder: receives logs of the harness's own.
        settings: where the stack listens.
        api: the tool's own.
    """

    stack = Stack.COMPOSE
    #: The server is where the retrainings run, and whose versions count.
    service: str

    def __init__(self, folder: Path, settings: StackSettings, api: ToolApi) -> None:
        super().__init__(folder, settings.tracking_uri, api)
        self.settings = settings
        self._image: deployed.Deployed | None = None

    def prepare(self) -> None:
        super().prepare()
        self._image = deployed.ask(self.settings.compose, self.service, results.packages(self.name))

    def warning(self) -> str:
        assert self._image is not None
        return deployed.difference(self._image, self.name)

    def versions(self) -> dict[str, str]:
        return self._image.versions if self._image else {}


class AirflowStack(ComposeArm):
    """Airflow's services in containers."""

    name = ArmName.AIRFLOW
    service = "airflow-scheduler"

    def __init__(self, folder: Path, settings: StackSettings) -> None:
        super().__init__(folder, settings, AirflowApi(settings.address, settings.login))


class PrefectStack(ComposeArm):
    """Prefect's server and worker in containers."""

    name = ArmName.PREFECT
    service = "prefect-worker"

    def __init__(self, folder: Path, settings: StackSettings) -> None:
        super().__init__(folder, settings, PrefectApi(settings.address, settings.login))


def make_arm(folder: Path, settings: StackSettings) -> ComposeArm:
    """The arm of a stack; `folder` receives the harness's own files."""
    return AirflowStack(folder, settings) if settings.name is ArmName.AIRFLOW else PrefectStack(folder, settings)


def request(config: RetrainConfig) -> dict[str, Any]:
    """What is sent to a server: all but the places, which are the server's own affair."""
    return {name: value for name, value in config.json_dict().items() if name not in _PLACES}


def split(cause: str) -> tuple[str, str]:
    """A `BakeoffError`'s text as what is wrong (with its place) and what to do; any other text as the former alone."""
    if found := re.search(r"^(?:[\w.]+Error: )?(.*) \(where: (.*)\)\. What to do: (.*)$", cause, re.DOTALL):
        what, where, fix = found.groups()
        return f"{what} ({where})", fix
    return cause, ""
