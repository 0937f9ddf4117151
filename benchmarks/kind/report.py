"""What Kubeflow Pipelines on a cluster looks like from outside: its parts, its health, its logs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from benchmarks.kind import cluster, forward, waiting
from benchmarks.kind.settings import FORWARDS, Target
from benchmarks.kind.tools import Kubectl
from benchmarks.stacks.engine import StackError


@dataclass(frozen=True)
class Service:
    """One Deployment or StatefulSet."""

    name: str
    ready: int
    wanted: int
    image: str


@dataclass(frozen=True)
class Status:
    """The cluster as it is now."""

    cluster: str
    context: str
    up: bool
    services: list[Service] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    #: What keeps it from being healthy.
    reasons: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Is it up, with nothing amiss?"""
        return self.up and not self.reasons

    def json_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"tool": "kubeflow", **asdict(self), "healthy": self.healthy}


def status(target: Target) -> Status:
    """Ask the cluster.

    Raises:
        StackError: kind or kubectl is missing, or somebody else's cluster does not answer.
    """
    if target.kind:
        if not cluster.exists(target):
            return Status(target.name, target.context, up=False)
        if not cluster.is_running(target):
            stopped = f"the cluster is stopped: `./bakeoff up kubeflow{target.options}` starts it"
            return Status(target.name, target.context, up=True, reasons=[stopped])
    kubectl = Kubectl.of(target)
    try:
        workloads = kubectl.get("deployments") + kubectl.get("statefulsets")
        found = [str(each) for each in waiting.lacks(kubectl)]
    except StackError as error:
        if target.kind is None:
            raise
        return Status(target.name, target.context, up=True, reasons=[f"the cluster does not answer: {error.what}"])
    services = [_service(each) for each in workloads]
    names = {each.name for each in services}
    if "ml-pipeline" not in names:
        found.append(f"Kubeflow Pipelines is not installed: `./bakeoff up kubeflow{target.options}` goes on")
    elif "bakeoff-mlflow" not in names:
        found.append(f"MLflow is not installed: `./bakeoff up kubeflow{target.options}` goes on")
    addresses = {each.name: target.address(each) for each in FORWARDS}
    if services and not forward.running(target):
        found.append(f"no ports are forwarded: `./bakeoff up kubeflow{target.options}` does it again")
    else:
        silent = [name for name, address in addresses.items() if not forward.answers(address)]
        found += [f"{name} does not answer at {addresses[name]}" for name in silent if services]
    return Status(target.name, target.context, True, services, addresses, found)


def table(told: Status) -> Table:
    """The parts of one cluster."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("service", "ready", "image"):
        made.add_column(name, no_wrap=True)
    for each in sorted(told.services, key=lambda each: each.name):
        made.add_row(each.name, f"{each.ready}/{each.wanted}", each.image)
    return made


def logs(target: Target, service: str | None, *, follow: bool = False, tail: int | None = None) -> int:
    """Print what one or all parts have logged, by kubectl itself.

    Returns:
        The exit code of kubectl.

    Raises:
        StackError: nothing is up, or it has no such part.
    """
    if target.kind and not cluster.exists(target):
        fix = f"`./bakeoff up kubeflow{target.options}` starts it"
        raise StackError(f"{target.name} is not up", where=target.context, fix=fix)
    kubectl = Kubectl.of(target)
    workloads = {
        _service(each).name: kind for kind in ("deployment", "statefulset") for each in kubectl.get(f"{kind}s")
    }
    if not workloads:
        fix = f"`./bakeoff up kubeflow{target.options}` goes on"
        raise StackError("nothing is installed on this cluster", where=target.context, fix=fix)
    if service is not None and service not in workloads:
        raise StackError(
            f"there is no service {service}", where=target.context, fix=f"choose from {', '.join(sorted(workloads))}"
        )
    options = [
        "--all-containers",
        "--prefix",
        *["--follow"] * follow,
        *([f"--tail={tail}"] if tail is not None else []),
    ]
    chosen = [service] if service else sorted(workloads)
    commands = [kubectl.command("logs", f"{workloads[name]}/{name}", *options) for name in chosen]
    try:
        if follow:
            return _together(commands)
        return max(subprocess.run(command, env=os.environ).returncode for command in commands)
    except KeyboardInterrupt:
        if follow:
            return 0  # the only way to end it
        raise


def _together(commands: list[list[str]]) -> int:
    """Run all at once, until each has ended."""
    children = [subprocess.Popen(command) for command in commands]
    try:
        return max(child.wait() for child in children)
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
                child.wait()


def _service(workload: dict[str, Any]) -> Service:
    status = workload.get("status") or {}
    image = workload["spec"]["template"]["spec"]["containers"][0]["image"]
    ready, wanted = status.get("readyReplicas", 0), workload["spec"].get("replicas", 1)
    return Service(workload["metadata"]["name"], ready, wanted, image)
