"""Can this machine, or this cluster, run Kubeflow Pipelines? Each check says what was found, and the remedy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.kind import forward, tools
from benchmarks.kind.settings import FORWARDS, Target
from benchmarks.kind.tools import Kubectl
from benchmarks.stacks import doctor, engine
from benchmarks.stacks.doctor import GIB, Check
from benchmarks.stacks.engine import StackError

#: What all requests add up to, with Kubernetes' own, is 2.1 CPUs and 4.4 GiB (docs/kubeflow.md); the tasks come on top.
MIN_CPUS, GOOD_CPUS = 3, 4
MIN_GIB, GOOD_GIB = 6, 8
MIN_DISK_GIB = 25
#: Kubernetes on the node (kind/cluster.yaml); kubectl is meant to be at most one minor version away.
NODE_MINOR = 36
#: A dozen pods watch files; many kernels allow 128 instances to a user.
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
MIN_INOTIFY = 256
_DESKTOP = " (Docker Desktop: Settings, Resources)"


def checks(target: Target) -> Iterator[Check]:
    """Check one thing after the other; what needs something that is missing is left out."""
    kubectl = _tool("kubectl")
    yield kubectl
    if target.kind:
        yield _tool("kind")
        yield from _engine()
    elif kubectl.ok:
        yield _reachable(target)
    yield _git()
    yield from _ports(target)


def cpus(count: int) -> Check:
    """Are there enough processors for all requests, and a task?"""
    found = f"the engine has {count} CPUs; {MIN_CPUS} are needed, {GOOD_CPUS} are better"
    return Check("cpus", count >= MIN_CPUS, found, f"give the engine {GOOD_CPUS} CPUs{_DESKTOP}")


def memory(size: int) -> Check:
    """Is there enough memory for all requests, and a task?"""
    found = f"the engine has {size / GIB:.1f} GiB of memory; {MIN_GIB} are needed, {GOOD_GIB} are better"
    # A machine that was sold with 8 GB shows less: its kernel keeps some.
    return Check("memory", size >= MIN_GIB * GIB * 0.93, found, f"give the engine {GOOD_GIB} GiB{_DESKTOP}")


def disk(root: Path, free: int | None) -> Check:
    """Is there room for a dozen images, twice, and the volumes?"""
    if free is None:
        return Check("disk", True, f"not known: the engine's disk is not this machine's; {MIN_DISK_GIB} GiB are needed")
    found = f"{free / GIB:.0f} GiB are free in {root}; {MIN_DISK_GIB} are needed"
    return Check("disk", free >= MIN_DISK_GIB * GIB, found, "free some: `docker system df` shows what the engine keeps")


def architecture(info: dict[str, Any]) -> Check:
    """Are there images for this processor? Two of KFP's are for amd64 only."""
    check = doctor.architecture(info)
    if check.ok and info["Architecture"] in ("aarch64", "arm64"):
        found = f"{check.found}: two of KFP's images are for amd64 only, which the engine has to emulate"
        return Check(check.name, True, found)
    return check


def _tool(name: str) -> Check:
    try:
        major, minor = tools.version(name)
    except StackError as error:
        return Check(name, False, error.what, error.fix)
    far = name == "kubectl" and abs(minor - NODE_MINOR) > 1
    more = f"; 1.{NODE_MINOR - 1} to 1.{NODE_MINOR + 1} are meant for the node's 1.{NODE_MINOR}" * far
    return Check(name, True, f"{name} {major}.{minor}{more}")


def _engine() -> Iterator[Check]:
    try:
        info = engine.info()
    except StackError as error:
        yield Check("engine", False, error.what, error.fix)
        return
    yield Check("engine", True, f"Docker {info['ServerVersion']} on {info['OperatingSystem']}")
    yield architecture(info)
    yield cpus(info["NCPU"])
    yield memory(info["MemTotal"])
    free = doctor.free_bytes(info)
    yield disk(Path(info["DockerRootDir"]), free)
    if free is not None:  # the engine's kernel is this machine's
        yield inotify(INOTIFY)


def inotify(path: Path) -> Check:
    """May enough processes watch files? Not a failure: it depends on what else runs on this kernel."""
    try:
        allowed = int(path.read_text())
    except (OSError, ValueError):
        return Check("inotify", True, "not known")
    few = "; if pods end with `too many open files`: `sudo sysctl fs.inotify.max_user_instances=512`"
    return Check("inotify", True, f"{allowed} instances a user" + few * (allowed < MIN_INOTIFY))


def _git() -> Check:
    there = shutil.which("git") is not None
    found = "git is there" if there else "there is no git, by which kubectl fetches KFP's manifests"
    return Check("git", there, found, "install git")


def _reachable(target: Target) -> Check:
    try:
        Kubectl.of(target).run("get", "--raw", "/readyz")
    except StackError as error:
        return Check("cluster", False, f"{target.context} does not answer: {error.what}", error.fix)
    return Check("cluster", True, f"{target.context} answers")


def _ports(target: Target) -> Iterator[Check]:
    keeper = forward.running(target)
    for each in FORWARDS:
        port = target.ports[each.variable]
        if keeper:
            yield Check(f"port {port}", True, f"held by {target.name} itself, for {each.name}")
            continue
        holders = {} if target.kind is None and shutil.which("docker") is None else doctor.published()
        yield doctor.port(port, each.variable, each.name, target.name, holders, target.env_file)
