"""What KFP says of a run's tasks, brought into attempts at our steps (`benchmarks.stacks.follow`).

Read in kubeflow/pipelines, around 2.17 (not confirmed against a running server from here):
backend/src/common/util/workflow.go, NodeStatuses: a task detail is one node of the Argo workflow, drivers included.
backend/src/apiserver/server/api_converter.go, toApiPipelineTaskDetail: children are named by Argo's node id; the
    detail's own `pod_name`, `error` and `executor_detail` stay empty (kubeflow/pipelines#14007), so that details alone
    cannot be linked. The same run in the v1beta1 API has the whole workflow: that is what is read first.
backend/src/v2/compiler/argocompiler/dag.go: a task T is the nodes `T-driver` and `T`; a ParallelFor is
    `iteration-driver`, `iteration-iterations(0:0)`, ..., `iteration-item`; the root is `root-driver`, `root`.
backend/src/v2/compiler/argocompiler/container.go: the node `T` holds `executor`, which a cache hit leaves out (Skipped;
    T itself succeeds); with retries `executor` holds `executor(0)`, `executor(1)`, ...
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.stacks.follow import Attempt, Look, State, seconds

#: Of every retraining whose gate passes.
STEPS = ("fetch", "ingest", "validate", "train", "select", "evaluate", "register")
#: Run only where the data or the user ask for them.
OPTIONAL = ("impute", "approve")
CACHED = "from the cache: it was not run again"
#: Of a run (backend/api/v2beta1/run.proto, RuntimeState); the rest is waiting for something.
_RUN: dict[str, State] = {
    "RUNNING": "running",
    "CANCELING": "running",
    "SUCCEEDED": "finished",
    "FAILED": "failed",
    "CANCELED": "failed",
    "SKIPPED": "failed",
}
#: Argo's phases, as the model's RuntimeState.ToV2 translates them; Omitted and Daemoned have no word there.
_PHASE = {
    "Pending": "PENDING",
    "Running": "RUNNING",
    "Succeeded": "SUCCEEDED",
    "Skipped": "SKIPPED",
    "Failed": "FAILED",
    "Error": "FAILED",
}
_STATE: dict[str, State] = {
    "RUNNING": "running",
    "CANCELING": "running",
    "SUCCEEDED": "finished",
    "FAILED": "failed",
    "CANCELED": "failed",
}
_ITERATION = re.compile(r"\((\d+):")
_TRY = re.compile(r"^executor\((\d+)\)$")


@dataclass(frozen=True)
class Node:
    """One node of the workflow behind a run."""

    #: '' where the API does not tell it.
    id: str
    name: str
    #: KFP's word, such as SUCCEEDED; '' for what never began.
    state: str
    started: float | None = None
    ended: float | None = None
    message: str = ""
    children: tuple[str, ...] = ()
    pod: str = ""


def of_workflow(workflow: dict[str, Any]) -> list[Node]:
    """Read an Argo workflow, as the v1beta1 API has it."""
    name = str((workflow.get("metadata") or {}).get("name", ""))
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    return [_of_argo(node, name) for node in nodes.values()]


def _of_argo(node: dict[str, Any], workflow: str) -> Node:
    # As RetrievePodName does (workflow.go): the id is WORKFLOW-HASH, the pod WORKFLOW-TEMPLATE-HASH.
    pod = f"{workflow}-{node.get('templateName')}-{_hash(node['id'])}" if node.get("type") == "Pod" else ""
    return Node(
        id=_hash(node["id"]),
        name=str(node.get("displayName") or node.get("name") or ""),
        state=_PHASE.get(node.get("phase") or "", ""),
        started=_moment(node.get("startedAt")),
        ended=_moment(node.get("finishedAt")),
        message=str(node.get("message") or ""),
        children=tuple(_hash(child) for child in node.get("children") or ()),
        pod=pod,
    )


def of_details(details: list[dict[str, Any]]) -> list[Node]:
    """Read `run_details.task_details` of the v2beta1 API."""
    return [
        Node(
            id=_hash(detail.get("pod_name") or ""),
            name=str(detail.get("display_name") or ""),
            state=detail.get("state") or "",
            started=_moment(detail.get("start_time")),
            ended=_moment(detail.get("end_time")),
            message=str((detail.get("error") or {}).get("message") or ""),
            children=tuple(_hash(child.get("pod_name") or "") for child in detail.get("child_tasks") or ()),
            pod=str(detail.get("pod_name") or ""),
        )
        for detail in details
    ]


def _hash(name: str) -> str:
    """What a node's id and the name of its pod have in common."""
    return name.rpartition("-")[2]


def _moment(text: str | None) -> float | None:
    """A time; what has not ended yet ends in the year 1, or in 1970."""
    if not text or datetime.fromisoformat(text.replace("Z", "+00:00")).year < 1971:
        return None
    return seconds(text)


def look_of(run: dict[str, Any], nodes: list[Node], candidates: list[str]) -> Look:
    """A run at one moment.

    Args:
        run: of GET /apis/v2beta1/runs/{id}.
        nodes: of it.
        candidates: names by iteration: KFP only counts them.
    """
    said = run.get("state") or "PENDING"
    state = _RUN.get(said, "waiting")
    tried = attempts(nodes, candidates)
    message = str((run.get("error") or {}).get("message") or "")
    if state == "running" and not any(one.state == "running" for one in tried):
        # Between two steps a driver works; a pod that cannot start says so, and KFP calls all of that running.
        state, message = "waiting", message or stuck(nodes)
    elif state == "failed" and not any(one.state == "failed" for one in tried):
        message = message or failure(nodes)
    return Look(state, said.lower(), tried, message)


def attempts(nodes: list[Node], candidates: list[str]) -> list[Attempt]:
    """Every try at a step that has begun, or waits for its pod; drivers and what only holds others are left out."""
    by_id = {node.id: node for node in nodes if node.id}
    parents: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        for child in node.children:
            parents[child].append(node)
    found: list[Attempt] = []
    unknown = 0
    for node in sorted(nodes, key=lambda node: (node.started or float("inf"), node.name)):
        step = _step_of(node.name.removesuffix("-driver"))
        if step not in (*STEPS, *OPTIONAL) or not node.state:
            continue
        label = ""
        if step == "train":
            index = _iteration(node, parents)
            if index is None and not node.name.endswith("-driver"):
                index, unknown = unknown, unknown + 1
                label = f"#{index + 1}"
            elif index is not None:
                label = candidates[index] if index < len(candidates) else f"#{index + 1}"
        if node.name.endswith("-driver"):
            if node.state == "FAILED":  # the step itself never begins
                found.append(_attempt(node, step, label, f"its driver failed: {node.message}".rstrip(": ")))
            continue
        found.extend(_tries(node, label, by_id))
    return found


def _step_of(name: str) -> str:
    """A step, whose component KFP numbers where it is used twice in one DAG, as `register-2` is."""
    return re.sub(r"(-\d+)+$", "", name)


def _tries(node: Node, label: str, by_id: dict[str, Node]) -> Iterator[Attempt]:
    step = _step_of(node.name)
    executors = [by_id[child] for child in node.children if child in by_id and by_id[child].name == "executor"]
    if not executors:
        # Either nothing is below it yet, or this API does not tell what is.
        waits = node.state == "SKIPPED" or (node.id and node.state == "RUNNING")
        if not waits:
            yield _attempt(node, step, label)
        return
    [executor] = executors
    if executor.state == "SKIPPED" and node.state == "SUCCEEDED":
        yield _attempt(node, step, label, note=CACHED)
        return
    tries = [by_id[child] for child in executor.children if child in by_id and _TRY.match(by_id[child].name)]
    for one in sorted(tries, key=lambda one: int(one.name[9:-1])) or [executor]:
        yield _attempt(one, step, label)


def _attempt(node: Node, step: str, label: str, error: str = "", note: str = "") -> Attempt:
    return Attempt(
        id=f"{step} {label} {node.id or ''} {node.name}",
        step=step,
        label=label,
        state=_STATE.get(node.state, "waiting"),
        started=node.started,
        ended=node.ended,
        task={"pod": node.pod, "message": node.message},
        error=error or node.message,
        note=note,
    )


def _iteration(node: Node, parents: dict[str, list[Node]]) -> int | None:
    """Which turn of a loop a node is in: told by the nearest node above it that counts them."""
    above, seen = [node], set[str]()
    while above:
        one = above.pop(0)
        if counted := _ITERATION.search(one.name):
            return int(counted[1])
        if one.id and one.id not in seen:
            seen.add(one.id)
            above.extend(parents.get(one.id, []))
    return None


def stuck(nodes: list[Node]) -> str:
    """Why a pod has not started, as Argo has it from Kubernetes; '' when nothing is amiss."""
    waiting = [node for node in nodes if node.state == "PENDING" and node.message]
    return f"{waiting[0].name} waits: {waiting[0].message}" if waiting else ""


def failure(nodes: list[Node]) -> str:
    """What was the first to fail, where that is no step: a driver, or the workflow itself."""
    failed = [node for node in nodes if node.state == "FAILED" and node.message]
    failed.sort(key=lambda node: node.ended or float("inf"))
    innermost = [node for node in failed if node.pod] or failed
    return f"{innermost[0].name} failed: {innermost[0].message}" if innermost else ""


def has_begun(nodes: list[Node]) -> bool:
    """Has any pod of the run started?"""
    pods = [node for node in nodes if node.pod or node.name.startswith("executor") or node.name.endswith("-driver")]
    return any(node.state in ("RUNNING", "SUCCEEDED", "FAILED") for node in pods)
