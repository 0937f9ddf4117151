"""The Kind cluster: made, found again, started, deleted; and the images that its node has."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable

from benchmarks.kind import settings, tools
from benchmarks.kind.settings import Target
from benchmarks.kind.tools import Kubectl
from benchmarks.stacks import engine
from benchmarks.stacks.engine import StackError

CREATE_S = 900.0  # the node image is 0.4 GB to download
LOAD_S = 900.0
API_S = 90.0


def exists(target: Target) -> bool:
    """Is there a Kind cluster of this name, whoever made it, running or not?

    Raises:
        StackError: there is no kind, or no engine that answers.
    """
    return target.kind in tools.kind("get", "clusters").split()


def is_there(target: Target) -> bool:
    """The same, but without kind there is none."""
    return shutil.which("kind") is not None and exists(target)


def is_running(target: Target) -> bool:
    """Does the container run that is the cluster's node?"""
    try:
        return engine.docker("container", "inspect", "--format", "{{.State.Running}}", target.node).strip() == "true"
    except StackError:
        return False


def ensure(target: Target, tell: Callable[[str], None]) -> None:
    """Have the target's Kind cluster running, and be sure that it is ours.

    A cluster whose making was interrupted is made anew: it holds nothing yet. One that was stopped is started.

    Raises:
        StackError: it cannot be made or started, or somebody else has made it.
    """
    assert target.kind is not None
    unfinished = target.folder / "creating"
    there = exists(target)
    if there and unfinished.exists():
        tell("removing the cluster whose making was interrupted")
        delete(target)
        there = False
    if not there:
        target.folder.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        tell("making the Kind cluster")
        _create(target)
        unfinished.unlink()
    elif not is_running(target):
        tell("starting the Kind cluster, which was stopped")
        engine.docker("container", "start", target.node, timeout_s=120)
    _answers(target, tell)
    if not is_ours(target):
        raise StackError(
            f"the Kind cluster {target.kind} is there, but it is not one that `./bakeoff up kubeflow` has made",
            where=f"context {target.context}",
            fix=f"give this stack another name (STACK= in a file for --env-file), use that cluster as it is (--context"
            f" {target.context}), or delete it: `kind delete cluster --name {target.kind}`",
        )


def is_ours(target: Target) -> bool:
    """Has a node of the cluster our label? It has it from the first moment on."""
    return bool(Kubectl.of(target).get("nodes", "--selector", settings.NODE_LABEL))


def delete(target: Target) -> None:
    """Delete the Kind cluster, with all that it holds.

    Raises:
        StackError: kind cannot.
    """
    assert target.kind is not None
    tools.kind("delete", "cluster", "--name", target.kind, timeout_s=180)


def node_images(target: Target) -> set[str]:
    """The names of all images that the node has."""
    told = json.loads(engine.docker("exec", target.node, "crictl", "images", "--output", "json"))
    return {tag for image in told.get("images") or [] for tag in image.get("repoTags") or []}


def canonical(image: str) -> str:
    """An image's name as a node knows it: mysql:8.4 is docker.io/library/mysql:8.4."""
    first, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    return image if "." in first or ":" in first or first == "localhost" else f"docker.io/{image}"


def load(target: Target, image: str) -> None:
    """Copy an image from the engine to the node.

    Raises:
        StackError: the engine has no such image, or kind cannot copy it.
    """
    assert target.kind is not None
    tools.kind("load", "docker-image", "--name", target.kind, image, timeout_s=LOAD_S)


def require_image(target: Target, image: str) -> None:
    """See that the node has an image that no registry has: else its pods would wait for ever.

    Raises:
        StackError: it has not.
    """
    if canonical(image) not in node_images(target):
        raise StackError(
            f"the node has no image {image}, and no registry has it either",
            where=f"node {target.node}",
            fix=f"`kind load docker-image --name {target.kind} {image}`, or `./bakeoff up kubeflow{target.options}`",
        )


def _create(target: Target) -> None:
    assert target.kind is not None
    more = ("--config", str(settings.CLUSTER_CONFIG), "--wait", "180s")
    try:
        tools.kind("create", "cluster", "--name", target.kind, *more, timeout_s=CREATE_S)
    except StackError as error:
        fix = "see that the engine can pull the node image (network, disk), then run the same command again"
        if "too many open files" in error.what:
            fix = "raise the kernel's limit: `sudo sysctl fs.inotify.max_user_instances=512`, then run it again"
        raise StackError(f"kind could not make the cluster: {error.what}", where=error.where, fix=fix) from error


def _answers(target: Target, tell: Callable[[str], None]) -> None:
    """Wait until the API server answers; put the context back where it was lost."""
    assert target.kind is not None
    contexts = tools.call([tools.find("kubectl"), "config", "get-contexts", "--output", "name"]).split()
    if target.context not in contexts:
        tools.kind("export", "kubeconfig", "--name", target.kind)
    begin = time.monotonic()
    while True:
        try:
            Kubectl.of(target).run("get", "--raw", "/readyz", timeout_s=15)
            return
        except StackError as error:
            if time.monotonic() - begin > API_S:
                raise StackError(
                    f"the Kind cluster {target.kind} does not answer: {error.what}",
                    where=f"context {target.context}",
                    fix=f"`docker restart {target.node}`, or begin anew: `./bakeoff down kubeflow{target.options}`",
                ) from error
            tell("waiting for the cluster's API server")
            time.sleep(2)
