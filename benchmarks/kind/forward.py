"""The ports on 127.0.0.1 at which this machine reaches the cluster's services."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable

import httpx
import psutil

from benchmarks import processes
from benchmarks.kind.settings import FORWARDS, NAMESPACE, Target
from benchmarks.kind.tools import Kubectl
from benchmarks.places import ROOT, child_env, python
from benchmarks.stacks.engine import StackError

READY_S = 60.0


def commands(target: Target) -> list[list[str]]:
    """The kubectl commands that forward, one for each service."""
    kubectl = Kubectl.of(target)
    return [
        kubectl.command(
            *("port-forward", "--address", "127.0.0.1", f"service/{each.service}"),
            f"{target.ports[each.variable]}:{each.service_port}",
        )
        for each in FORWARDS
    ]


def running(target: Target) -> psutil.Process | None:
    """The process that keeps the forwards, if it is still the one that was recorded."""
    try:
        noted = json.loads((target.folder / "forward.json").read_text())
        process = psutil.Process(noted["pid"])
        # A pid is used again some day: the time at which it began tells one process from another.
        if abs(process.create_time() - noted["created"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        pass
    return None


def start(target: Target, tell: Callable[[str], None], ready_s: float = READY_S) -> None:
    """Forward the ports, where that is not done already, and wait until each is answered.

    Raises:
        StackError: a port is not answered in time, with the end of what kubectl said.
    """
    if running(target) and all(answers(target.address(each)) for each in FORWARDS):
        return
    stop(target)
    log = target.folder / "forward.log"
    log.unlink(missing_ok=True)
    command = [str(python("core")), "-m", "benchmarks.kind.keeper", json.dumps(commands(target))]
    child = processes.start([*command], log, child_env(), ROOT)
    noted = {"pid": child.pid, "created": psutil.Process(child.pid).create_time()}
    (target.folder / "forward.json").write_text(json.dumps(noted))
    begin = time.monotonic()
    while lacking := [each for each in FORWARDS if not answers(target.address(each))]:
        if time.monotonic() - begin > ready_s or child.poll() is not None:
            names = ", ".join(f"{each.name} ({target.address(each)})" for each in lacking)
            said = processes.tail(log, 5)
            stop(target)
            raise StackError(
                f"no answer through the forwarded ports from {names}: {said}",
                where=str(log),
                fix=f"`./bakeoff status kubeflow{target.options}` shows whether the pods are ready; then run it again",
            )
        tell("waiting for the forwarded ports: " + ", ".join(each.name for each in lacking))
        time.sleep(0.5)


def stop(target: Target) -> bool:
    """End the forwards; only the process that was recorded, and its children.

    Returns:
        Did they run?
    """
    process = running(target)
    if process:
        with contextlib.suppress(psutil.Error):
            family = [process, *process.children(recursive=True)]
            process.terminate()
            _, alive = psutil.wait_procs(family, timeout=10)
            for each in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
    (target.folder / "forward.json").unlink(missing_ok=True)
    return process is not None


def answers(url: str) -> bool:
    """Does any HTTP server answer there, whatever it says?"""
    try:
        httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def by_hand(target: Target) -> list[str]:
    """The same, as a person would type it."""
    return [
        f"kubectl --context {target.context} -n {NAMESPACE} port-forward --address 127.0.0.1 service/{each.service}"
        f" {target.ports[each.variable]}:{each.service_port}"
        for each in FORWARDS
    ]
