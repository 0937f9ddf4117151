"""Why a pod is not ready, in one line: pure functions over what `kubectl get pods,events --output json` tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: What cannot be mended by waiting, after so many seconds: an image that is missing is told within a minute.
IMAGE_S = 45.0
CONFIG_S = 45.0
UNSCHEDULABLE_S = 90.0
MEMORY_S = 120.0
#: KFP's parts crash a few times while their database starts.
CRASH_S = 420.0

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError")
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
#: Pods of pipeline runs: they come and go, and no install waits for them.
_RUNS = ("workflows.argoproj.io/workflow", "pipeline/runid")
_PULL_CAUSES = (
    (r"not present with pull policy of never", "node has no such image, and must not pull it"),
    (r"no match for platform|no matching manifest", "there is none for this processor"),
    (r"not found|manifest unknown|repository does not exist|pull access denied",
     "node has no such image, nor has the registry"),
    (r"unauthorized|authentication required|denied|forbidden", "the registry wants a login"),
    (r"toomanyrequests|rate limit", "the registry refuses more pulls for now"),
    (r"no such host|dial tcp|i/o timeout|timeout|connection refused|network is unreachable|deadline exceeded",
     "node has no such image, and cannot reach the registry"),
    (r"no space left", "the node's disk is full"),
)  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """What keeps one pod, or what makes pods, from being ready."""

    name: str
    what: str
    #: Seconds after which waiting has no hope; None: it may still come.
    hopeless_after_s: float | None = None
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


Log = Callable[[str, str], str]


def of_pods(
    pods: list[dict[str, Any]], events: list[dict[str, Any]], now: datetime, log: Log | None = None
) -> list[Reason]:
    """What each pod lacks, but for those that are ready, done, on their way out, or part of a pipeline run.

    Args:
        pods: as `kubectl get pods` tells them.
        events: of the same namespace.
        now: the present time.
        log: last line of the log of a pod's container, asked only of those that crash.
    """
    found = []
    replaced = {_owner(pod) for pod in pods if (pod.get("status") or {}).get("phase") != "Failed"}
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        if pod["metadata"].get("deletionTimestamp") or any(name in labels for name in _RUNS):
            continue
        if (pod.get("status") or {}).get("phase") == "Failed" and _owner(pod) in replaced:
            continue  # evicted, or a try of a job: what owns it has made another
        mine = [each for each in events if (each.get("involvedObject") or {}).get("name") == pod["metadata"]["name"]]
        reason = of_pod(pod, mine, now, log)
        if reason:
            found.append(reason)
    return found


def of_pod(pod: dict[str, Any], events: list[dict[str, Any]], now: datetime, log: Log | None = None) -> Reason | None:
    """What one pod lacks; None when it is ready or has done its work."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if status.get("phase") == "Succeeded" or _condition(status, "Ready").get("status") == "True":
        return None
    if status.get("reason") == "Evicted":
        fix = "give the engine more memory or disk: `./bakeoff doctor kubeflow` says what it has"
        return Reason(name, f"Evicted: {_short(status.get('message', ''))}", None, fix)
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return _unscheduled(name, scheduled)
    for container in _containers(status):
        reason = _of_container(name, container, log, events)
        if reason:
            return reason
    waited = _age(pod, now)
    told = _warning(events) or _pulling(events)
    begun = [each for each in _containers(status) if "running" in (each.get("state") or {})]
    if begun and not _is_starting(status):
        return Reason(name, f"runs, but is not ready for {waited:.0f} s" + (f": {told}" if told else ""))
    doing = _doing(status)
    return Reason(name, f"{doing} for {waited:.0f} s" + (f": {told}" if told else ""))


def of_workloads(workloads: list[dict[str, Any]], named: set[str]) -> list[Reason]:
    """What Deployments and StatefulSets lack for which no pod's reason speaks, such as pods that are refused.

    Args:
        workloads: as `kubectl get deployments,statefulsets` tells them.
        named: the names of pods that have a reason already.
    """
    found = []
    for each in workloads:
        name, spec, status = each["metadata"]["name"], each["spec"], each.get("status") or {}
        wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
        failure = _condition(status, "ReplicaFailure")
        if failure.get("status") == "True":
            found.append(Reason(name, f"no pod can be made: {_short(failure.get('message', ''))}", CONFIG_S))
        elif ready < wanted and not any(pod.startswith(f"{name}-") for pod in named):
            found.append(Reason(name, f"{ready} of {wanted} pods ready"))
    return found


def _of_container(pod: str, container: dict[str, Any], log: Log | None, events: list[dict[str, Any]]) -> Reason | None:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = (container.get("lastState") or {}).get("terminated") or {}
    why, message = waiting.get("reason", ""), waiting.get("message", "")
    image = container.get("image", "")
    if why in _IMAGE:
        told = [str(each.get("message", "")) for each in events if each.get("type") == "Warning"]
        return _image(pod, why, " ".join([message, *told]), image)
    if why in _CONFIG:
        return Reason(pod, f"{why}: {_short(message)}", CONFIG_S, "`./bakeoff up kubeflow` makes what it refers to")
    gone = ended or (last if why == "CrashLoopBackOff" else {})
    if gone.get("reason") == "OOMKilled":
        times = container.get("restartCount", 0)
        what = f"OOMKilled: container {container['name']} needed more memory than its limit ({times} restarts)"
        return Reason(pod, what, MEMORY_S, "give it a higher limit in its manifest, and the engine more memory")
    if gone and (why == "CrashLoopBackOff" or gone.get("exitCode")):
        line = (log(pod, container["name"]) if log else "") or _short(gone.get("message", ""))
        said = f"exit code {gone.get('exitCode')}, {container.get('restartCount', 0)} restarts"
        fix = f"`./bakeoff logs kubeflow {_service(pod)}` shows the rest"
        return Reason(pod, f"{why or 'Error'}: {said}" + (f": {line}" if line else ""), CRASH_S, fix)
    if why == "CrashLoopBackOff":
        return Reason(pod, f"{why}: {_short(message)}", CRASH_S)
    return None


def _image(pod: str, why: str, message: str, image: str) -> Reason:
    # While the kubelet backs off, only the event of the last pull tells what the registry has answered.
    cause = next((told for pattern, told in _PULL_CAUSES if re.search(pattern, message, re.I)), _short(message))
    what = f"{why}: image {image} cannot be pulled" + (f" ({cause})" if cause else "")
    fix = (
        f"see that this machine can pull it (`docker pull {image}`), or load it (`kind load docker-image {image}`),"
        " then run the same command again"
    )
    return Reason(pod, what, IMAGE_S, fix)


def _unscheduled(name: str, condition: dict[str, Any]) -> Reason:
    message = condition.get("message", "")
    lacks = re.findall(r"Insufficient [a-z./-]+[a-z]", message)
    told = ", ".join(dict.fromkeys(lacks)) or _short(message)
    fix = "give the engine more of it (Docker Desktop: Settings, Resources), or stop what else runs on the cluster"
    if "PersistentVolumeClaim" in message:
        fix = "see that the cluster has a default storage class: `kubectl get storageclass`"
    return Reason(name, f"Pending: {condition.get('reason', 'Unschedulable')}: {told}", UNSCHEDULABLE_S, fix)


def _containers(status: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _is_starting(status: dict[str, Any]) -> bool:
    """Are there containers that have not begun?"""
    return any("waiting" in (each.get("state") or {}) for each in status.get("containerStatuses") or [])


def _doing(status: dict[str, Any]) -> str:
    for each in status.get("initContainerStatuses") or []:
        if "running" in (each.get("state") or {}):
            return f"its step {each['name']} runs"
    for each in _containers(status):
        why = ((each.get("state") or {}).get("waiting") or {}).get("reason")
        if why:
            return str(why)
    return str(status.get("phase", "Pending"))


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((each for each in status.get("conditions") or [] if each.get("type") == kind), {})


def _warning(events: list[dict[str, Any]]) -> str:
    """The last warning about a pod, without the noise of scheduling, which its condition tells better."""
    told = [each for each in events if each.get("type") == "Warning" and each.get("reason") != "FailedScheduling"]
    if not told:
        return ""
    last = max(told, key=_when)
    return f"{last.get('reason')}: {_short(last.get('message', ''))}"


def _pulling(events: list[dict[str, Any]]) -> str:
    """What the node is downloading for a pod, which is no failure but may take minutes."""
    told = sorted((each for each in events if each.get("reason") in ("Pulling", "Pulled")), key=_when)
    return _short(told[-1].get("message", "")) if told and told[-1]["reason"] == "Pulling" else ""


def _when(event: dict[str, Any]) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or ""


def _age(pod: dict[str, Any], now: datetime) -> float:
    status = pod.get("status") or {}
    since = status.get("startTime") or pod["metadata"].get("creationTimestamp")
    if not since:
        return 0.0
    return max(0.0, (now - datetime.fromisoformat(since.replace("Z", "+00:00")).astimezone(UTC)).total_seconds())


def _owner(pod: dict[str, Any]) -> str:
    """What has made a pod; a pod that nobody has made is its own."""
    owners = pod["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid") or pod["metadata"]["name"])


def _service(pod: str) -> str:
    """What made a pod: its name without the random ends."""
    return re.sub(r"(-[a-z0-9]{8,10})?-[a-z0-9]{5}$|-\d+$", "", pod)


def _short(text: str, most: int = 200) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 3]}..."
