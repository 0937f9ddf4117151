"""What Kubernetes says of a run's pods, where a kubectl context is known: KFP calls them running, whatever holds them up.

Pods carry the label `pipeline/runid` (kubeflow/pipelines, backend/src/common/util/consts.go).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

_ASK_S = 15.0
#: What passes by itself within seconds.
_NORMAL = ("ContainerCreating", "PodInitializing")


def reasons(context: str, namespace: str, run: str) -> list[str]:
    """Why pods of a run have not started; [] when none waits, or nobody can tell."""
    text = _kubectl(context, namespace, "get", "pods", "--selector", f"pipeline/runid={run}", "--output", "json")
    try:
        return waiting(json.loads(text)["items"]) if text else []
    except (ValueError, KeyError, TypeError):
        return []


def log(context: str, namespace: str, pod: str) -> str:
    """What the pod's main container has written; '' where that cannot be had."""
    return _kubectl(context, namespace, "logs", pod, "--container", "main", "--tail", "500")


def waiting(pods: list[dict[str, Any]]) -> list[str]:
    """Read pods as kubectl gives them."""
    found = []
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        for condition in status.get("conditions") or []:
            if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
                found.append(f"{name}: {condition.get('reason')}: {condition.get('message', '')}".rstrip(": "))
        for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
            waits = (container.get("state") or {}).get("waiting") or {}
            if waits.get("reason") and waits["reason"] not in _NORMAL:
                image = f" ({container['image']})" if "Image" in waits["reason"] else ""
                found.append(f"{name}: {waits['reason']}{image}: {waits.get('message', '')}".rstrip(": "))
    return found


def _kubectl(context: str, namespace: str, *command: str) -> str:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return ""
    words = [kubectl, "--context", context, "--namespace", namespace, "--request-timeout", "10s", *command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_ASK_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
