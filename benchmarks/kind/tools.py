"""kind and kubectl: found, and called, so that every failure says what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.kind.settings import NAMESPACE, Target
from benchmarks.places import ROOT
from benchmarks.stacks.engine import StackError

#: What KFP 2.17 is tested with; an older kind cannot start this node image.
KIND_VERSION = (0, 32)
#: Its kustomize knows all that the manifests use; one minor version from the node's 1.36 is what Kubernetes supports.
KUBECTL_VERSION = (1, 29)
ANSWER_S = 30.0
INSTALL = {
    "kind": "install kind v0.32.0 or newer (https://kind.sigs.k8s.io/docs/user/quick-start/#installation)",
    "kubectl": "install kubectl 1.35 to 1.37 (https://kubernetes.io/docs/tasks/tools/)",
}


def find(tool: str) -> str:
    """The path of kind or kubectl.

    Raises:
        StackError: there is none, with how to install it.
    """
    found = shutil.which(tool)
    if found is None:
        raise StackError(f"there is no {tool}", where="PATH", fix=INSTALL[tool])
    return found


def version(tool: str) -> tuple[int, int]:
    """The version of kind or kubectl, such as (0, 32).

    Raises:
        StackError: there is none, it does not answer, or it is too old.
    """
    arguments = ("version", "--client", "--output", "json") if tool == "kubectl" else ("version",)
    said = call([find(tool), *arguments])
    numbers = re.search(r"v(\d+)\.(\d+)\.\d+", said)
    if numbers is None:
        raise StackError(f"{tool} does not tell its version: {said.strip()[:200]}", where=tool, fix=INSTALL[tool])
    has = (int(numbers[1]), int(numbers[2]))
    needs = KIND_VERSION if tool == "kind" else KUBECTL_VERSION
    if has < needs:
        what = f"{tool} {numbers[0]} is too old: {'.'.join(map(str, needs))} or newer is needed"
        raise StackError(what, where=f"{tool} version", fix=INSTALL[tool])
    return has


def kind(*arguments: str, timeout_s: float = ANSWER_S) -> str:
    """What a kind command prints.

    Raises:
        StackError: it fails, or does not end in time.
    """
    return call([find("kind"), *arguments], timeout_s=timeout_s)


@dataclass(frozen=True)
class Kubectl:
    """kubectl, bound to one cluster: the context is always said, whatever the user's present one is."""

    context: str
    kubeconfig: Path | None = None
    namespace: str = NAMESPACE

    @classmethod
    def of(cls, target: Target) -> Kubectl:
        """Bound to a target."""
        return cls(target.context, target.kubeconfig)

    def command(self, *arguments: str) -> list[str]:
        """The whole command line."""
        config = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return [find("kubectl"), *config, "--context", self.context, "--namespace", self.namespace, *arguments]

    def run(self, *arguments: str, stdin: str = "", timeout_s: float = ANSWER_S) -> str:
        """What a command prints.

        Raises:
            StackError: it fails, or does not end in time; a context that is not there has a remedy of its own.
        """
        return call(self.command(*arguments), stdin=stdin, timeout_s=timeout_s)

    def get(self, *arguments: str) -> list[dict[str, Any]]:
        """Objects of the cluster, such as `get("pods")`.

        Raises:
            StackError: as `run`.
        """
        told = json.loads(self.run("get", *arguments, "--ignore-not-found", "--output", "json") or '{"items": []}')
        items: list[dict[str, Any]] = told.get("items", [told])
        return items


def kustomize(folder: Path, timeout_s: float = ANSWER_S) -> str:
    """Render a kustomization; it needs no cluster.

    Raises:
        StackError: kubectl is missing, or cannot render it.
    """
    return call([find("kubectl"), "kustomize", str(folder)], timeout_s=timeout_s)


def call(command: list[str], *, stdin: str = "", timeout_s: float = ANSWER_S) -> str:
    """Run a command to its end.

    Raises:
        StackError: with the end of what it said.
    """
    tool = Path(command[0]).name
    short = shown(command)
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout_s, cwd=ROOT,
            env={**os.environ, "DOCKER_CLI_HINTS": "false"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        fix = "see that the cluster's machine is not overloaded, then run the same command again"
        raise StackError(f"{tool} gave no answer within {timeout_s:.0f} s", where=short, fix=fix) from error
    except OSError as error:
        raise StackError(f"{tool} cannot be started: {error.strerror}", where=command[0], fix=INSTALL[tool]) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1500:] or f"exit code {done.returncode}"
        raise StackError(said, where=short, fix=_remedy(said))
    return done.stdout


def shown(command: list[str]) -> str:
    """A command as a message shows it: its tool without the folder, and not all of a long one."""
    parts = [Path(command[0]).name, *command[1:]]
    return " ".join(parts if len(parts) < 12 else [*parts[:9], "..."])


def _remedy(said: str) -> str:
    low = said.lower()
    if "context" in low and ("does not exist" in low or "not found" in low):
        return "name a context that is there: `kubectl config get-contexts` lists them"
    if "connection refused" in low or "unable to connect to the server" in low or "no such host" in low:
        return "see that the cluster runs and can be reached: `./bakeoff doctor kubeflow`, `./bakeoff status kubeflow`"
    if "unauthorized" in low or "must be logged in" in low or "forbidden" in low:
        return "log in to the cluster, as a user who may do this"
    return "run it by hand to see more; `./bakeoff doctor kubeflow` checks what it needs"
