"""Wait until all pods are ready; where there is no hope, say which and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks.kind import reasons
from benchmarks.kind.reasons import Reason
from benchmarks.kind.tools import Kubectl
from benchmarks.stacks.engine import StackError

READY_S = 1200.0  # a dozen images may have to be pulled
POLL_S = 2.0


class Patience:
    """Remembers since when a pod has been hopeless in the same way."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, float], float] = {}

    def exhausted(self, found: list[Reason], now: float) -> Reason | None:
        """The first reason that has held too long.

        Args:
            found: the present reasons; who is not among them starts anew.
            now: seconds on any clock.
        """
        held = {(each.name, each.hopeless_after_s): each for each in found if each.hopeless_after_s is not None}
        self._since = {key: self._since.get(key, now) for key in held}
        over = [key for key, since in self._since.items() if now - since >= key[1]]
        return held[over[0]] if over else None


def lacks(kubectl: Kubectl) -> list[Reason]:
    """What keeps the namespace from being ready, at present.

    Raises:
        StackError: the cluster does not answer.
    """
    pods = kubectl.get("pods")
    found = reasons.of_pods(pods, [], datetime.now(UTC))
    if found:
        found = reasons.of_pods(pods, kubectl.get("events"), datetime.now(UTC), lambda *of: last_line(kubectl, *of))
    workloads = kubectl.get("deployments") + kubectl.get("statefulsets")
    return found + reasons.of_workloads(workloads, {each.name for each in found})


def until_ready(kubectl: Kubectl, tell: Callable[[str], None], *, patience_s: float = READY_S) -> None:
    """Wait for all pods of the namespace.

    Args:
        kubectl: bound to the cluster.
        tell: is called with what is still missing.
        patience_s: when to give up.

    Raises:
        StackError: naming the pod, the reason and the remedy.
    """
    begin, patience = time.monotonic(), Patience()
    while True:
        found = lacks(kubectl)
        if not found:
            return
        tell(f"waiting for {len(found)}: " + "; ".join(map(str, found[:3])) + ("; ..." if len(found) > 3 else ""))
        now = time.monotonic()
        if over := patience.exhausted(found, now):
            raise error_of(over, kubectl)
        if now - begin > patience_s:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise error_of(found[0], kubectl, f" after {patience_s:.0f} s{more}")
        time.sleep(POLL_S)


def error_of(reason: Reason, kubectl: Kubectl, more: str = "") -> StackError:
    """The error that a reason ends in."""
    fix = reason.fix or "`./bakeoff status kubeflow` shows all pods; `./bakeoff up kubeflow` goes on from here"
    return StackError(f"{reason}{more}", where=f"namespace {kubectl.namespace} of {kubectl.context}", fix=fix)


def last_line(kubectl: Kubectl, pod: str, container: str) -> str:
    """The last line that a container has logged before it ended; empty when there is none."""
    for previous in (("--previous",), ()):
        try:
            lines = kubectl.run("logs", pod, "--container", container, "--tail", "3", *previous).split("\n")
        except StackError:
            continue
        said = [line.strip() for line in lines if line.strip()]
        if said:
            return said[-1][-300:]
    return ""
