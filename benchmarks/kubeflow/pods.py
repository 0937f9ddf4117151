"""What Kubernetes says of a run's pods, where a kubectl context is known; KFP calls them running, come what may.

Pods carry the label `pipeline/runid` (kubeflow/pipelines, backend/src/common/util/consts.go).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from benchmarks.kind import reasons as of_cluster
from benchmarks.kind.tools import Kubectl
from benchmarks.stacks.engine import StackError

_ASK_S = 15.0


def reasons(context: str, namespace: str, run: str) -> list[str]:
    """Why pods of a run cannot start; [] when none waits in vain, or nobody can tell."""
    kubectl = Kubectl(context, namespace=namespace)
    try:
        return waiting(kubectl.get("pods", "--selector", f"pipeline/runid={run}", f"--request-timeout={_ASK_S:.0f}s"))
    except (StackError, ValueError):
        return []


def waiting(pods: list[dict[str, Any]]) -> list[str]:
    """Read pods as kubectl gives them: what is only on its way, or has ended, is left out."""
    pending = (pod for pod in pods if (pod.get("status") or {}).get("phase") == "Pending")
    found = (of_cluster.of_pod(pod, [], datetime.now(UTC)) for pod in pending)
    return [str(reason) for reason in found if reason and reason.hopeless_after_s is not None]


def log(context: str, namespace: str, pod: str) -> str:
    """What the pod's main container has written; '' where that cannot be had."""
    try:
        return Kubectl(context, namespace=namespace).run(
            "logs", pod, "--container", "main", "--tail", "500", timeout_s=_ASK_S
        )
    except StackError:
        return ""
