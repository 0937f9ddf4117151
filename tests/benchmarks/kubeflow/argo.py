"""The Argo workflow of a run, as KFP's compiler lays it out.

No recorded run of a 2.17 server was to be had. This is built after kubeflow/pipelines,
backend/src/v2/compiler/argocompiler/{dag,container}.go, and Argo's naming of a sequence's items (`name(INDEX:ITEM)`)
and of tries (`name(TRY)`). In Argo a node's children are what runs next: the first tasks of a DAG, tries, and whatever
depends on its end.
"""

from __future__ import annotations

from typing import Any

WORKFLOW = "retrain-x7k2p"
CANDIDATES = ("logistic_regression", "hist_gradient_boosting")
_NEVER = "0001-01-01T00:00:00Z"


class Workflow:
    """Nodes, added in the order in which they run; one second passes with each."""

    def __init__(self, name: str = WORKFLOW) -> None:
        self.name = name
        self.nodes: dict[str, dict[str, Any]] = {}
        self._clock = 0

    def add(self, display: str, after: list[str], phase: str = "Succeeded", kind: str = "DAG", **more: Any) -> str:
        """A node; `after` are the nodes whose child it is."""
        self._clock += 1
        node = f"{self.name}-{1000000 + len(self.nodes)}"
        ended = (
            _NEVER
            if phase in ("Running", "Pending")
            else f"2026-11-22T10:{self._clock // 60:02}:{self._clock % 60:02}Z"
        )
        self.nodes[node] = {
            "id": node,
            "name": f"{self.name}.{display}",
            "displayName": display,
            "type": kind,
            "templateName": "system-container-impl" if kind == "Pod" else "some-dag",
            "phase": phase,
            "startedAt": f"2026-11-22T10:{self._clock // 60:02}:{self._clock % 60:02}Z",
            "finishedAt": None if ended == _NEVER else ended,
            "children": [],
            **more,
        }
        for parent in after:
            self.nodes[parent]["children"].append(node)
        return node

    def task(
        self,
        name: str,
        after: list[str],
        phase: str = "Succeeded",
        *,
        cached: bool = False,
        tries: tuple[str, ...] = (),
    ) -> str:
        """A task: driver, its DAG, and in that the executor; what comes after it hangs on the last of these."""
        driver = self.add(f"{name}-driver", after, kind="Pod", templateName="system-container-driver")
        dag = self.add(name, [driver], "Running" if phase == "Pending" else phase)
        if cached:
            return self.add("executor", [dag], "Skipped", "Skipped", message="when 'true != true' evaluated false")
        if not tries:
            told = {"Failed": "main: Error (exit code 1)", "Pending": "ErrImagePull: x:1 not found"}.get(phase, "")
            return self.add("executor", [dag], phase, "Pod", message=told)
        retry = self.add("executor", [dag], tries[-1], "Retry")
        last = retry
        for number, each in enumerate(tries):
            told = "main: Error (exit code 1)" if each == "Failed" else ""
            last = self.add(f"executor({number})", [retry], each, "Pod", message=told)
        return last

    def pass_time(self, seconds: int) -> None:
        """Nothing happens for so long."""
        self._clock += seconds

    def inner(self, name: str, after: list[str]) -> str:
        """A DAG in the DAG, behind its driver."""
        driver = self.add(f"{name}-driver", after, kind="Pod", templateName="system-dag-driver")
        return self.add(name, [driver])

    def json(self) -> dict[str, Any]:
        """As the v1beta1 API has it."""
        return {"metadata": {"name": self.name}, "status": {"nodes": self.nodes}}

    def details(self, *, with_pods: bool = False) -> list[dict[str, Any]]:
        """As the v2beta1 API has it: 2.17.0 leaves `pod_name` empty (kubeflow/pipelines#14007)."""
        states = {"Succeeded": "SUCCEEDED", "Failed": "FAILED", "Running": "RUNNING", "Pending": "PENDING"}
        states |= {"Skipped": "SKIPPED", "Omitted": "RUNTIME_STATE_UNSPECIFIED"}
        return [
            {
                "run_id": "r",
                "task_id": f"uuid-{number}",
                "display_name": node["displayName"],
                "create_time": "2026-11-22T10:00:00Z",
                "start_time": node["startedAt"],
                "end_time": node["finishedAt"] or _NEVER,
                "state": states[node["phase"]],
                "child_tasks": [{"pod_name": child} for child in node["children"]],
                **({"pod_name": f"{self.name}-impl-{node['id'].rpartition('-')[2]}"} if with_pods else {}),
            }
            for number, node in enumerate(self.nodes.values())
        ]


def whole(
    *,
    cached: bool = False,
    promoted: bool = True,
    fails: str = "",
    candidates: tuple[str, ...] = CANDIDATES,
    again: int = 0,
) -> Workflow:
    """A run of our pipeline to its end, or to the step that fails; `again`: so often it was tried again there."""
    flow = Workflow()
    top = flow.add(flow.name, [], "Failed" if fails else "Succeeded")
    root_driver = flow.add("root-driver", [top], kind="Pod", templateName="system-dag-driver")
    root = flow.add("root", [root_driver], "Failed" if fails else "Succeeded")
    last = flow.task("fetch", [root], cached=cached)
    last = flow.task("ingest", [last])
    flow.pass_time(60 * again)  # what had ended well is kept, with its times
    last = flow.task("validate", [last], "Failed" if fails == "validate" else "Succeeded")
    if fails == "validate":
        flow.add("condition-branches-1", [last], "Omitted", "Skipped", message="omitted: depends condition not met")
        return flow
    # The branch that the data ask for; what follows them is a pipeline in the pipeline.
    branches = flow.inner("condition-branches-1", [last])
    incomplete = flow.add("condition-3-driver", [branches], kind="Pod", templateName="system-dag-driver")
    flow.add("condition-3", [incomplete], "Skipped", "Skipped", message="when 'false != false' evaluated false")
    challenge = flow.inner("challenge", [flow.inner("condition-2", [branches])])
    loop = flow.add("for-loop-1", [challenge])
    counted = flow.add("iteration-driver", [loop], kind="Pod", templateName="system-dag-driver")
    turns = flow.add("iteration-iterations", [counted], kind="TaskGroup")
    ends = []
    for number, _ in enumerate(candidates):
        turn = flow.add(f"iteration-iterations({number}:{number})", [turns])
        item_driver = flow.add("iteration-item-driver", [turn], kind="Pod", templateName="system-dag-driver")
        item = flow.add("iteration-item", [item_driver])
        ends.append(flow.task("train", [item], "Failed" if fails == "train" else "Succeeded"))
    last = flow.task("select", ends)
    last = flow.task("evaluate", [last])
    for number, runs in ((2, promoted), (3, False)):
        gate = flow.add(f"condition-{number}-driver", [last], kind="Pod", templateName="system-dag-driver")
        if runs:
            flow.task("register", [flow.add(f"condition-{number}", [gate])])
        else:
            told = "when 'false != false' evaluated false"
            flow.add(f"condition-{number}", [gate], "Skipped", "Skipped", message=told)
    return flow
