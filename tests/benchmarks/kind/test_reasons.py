"""From what kubectl tells of a pod to one line that says why it is not ready."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchmarks.kind import reasons
from benchmarks.kind.reasons import Reason
from benchmarks.kind.waiting import Patience

NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
STARTED = "2026-11-22T12:04:00Z"


def pod(name="ml-pipeline-7c9f6d8b5c-x2x4z", phase="Pending", labels=None, **status):
    return {
        "metadata": {"name": name, "labels": labels or {}, "creationTimestamp": STARTED},
        "status": {"phase": phase, "startTime": STARTED, **status},
    }


def container(state, name="main", image="bakeoff-mlflow:0123456789ab", restarts=0, last=None):
    return {
        "name": name, "image": image, "restartCount": restarts, "ready": False, "state": state,
        "lastState": {"terminated": last} if last else {},
    }  # fmt: skip


def waiting(reason, message="", **more):
    return pod(containerStatuses=[container({"waiting": {"reason": reason, "message": message}}, **more)])


def ready(value="True"):
    return [{"type": "Ready", "status": value}]


def reason(thing, events=(), log=None) -> Reason | None:
    return reasons.of_pod(thing, list(events), NOW, log)


def test_ready_and_finished_pods_lack_nothing():
    assert reason(pod(phase="Running", conditions=ready())) is None
    assert reason(pod(phase="Succeeded", conditions=ready("False"))) is None


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            'Back-off pulling image "x": failed to pull and unpack image: failed to resolve reference "docker.io/'
            'library/bakeoff-mlflow:0123456789ab": pull access denied, repository does not exist'
            " or may require authorization",
            "node has no such image, nor has the registry",
        ),
        (
            'failed to do request: Head "https://registry/v2/x": dial tcp: lookup registry: no such host',
            "node has no such image, and cannot reach the registry",
        ),
        ("no match for platform in manifest: not found", "there is none for this processor"),
        ("429 Too Many Requests - toomanyrequests: You have reached your pull rate limit", "refuses more pulls"),
        ("failed to authorize: 401 Unauthorized", "the registry wants a login"),
        ("something that nobody has seen before", "something that nobody has seen before"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_named_with_its_cause(message, cause):
    found = reason(waiting("ImagePullBackOff", message))
    assert str(found).startswith(
        "ml-pipeline-7c9f6d8b5c-x2x4z: ImagePullBackOff: image bakeoff-mlflow:0123456789ab cannot be pulled ("
    )
    assert cause in found.what
    assert found.hopeless_after_s < 60
    assert "kind load docker-image bakeoff-mlflow:0123456789ab" in found.fix


def test_an_image_that_must_not_be_pulled_is_missing():
    found = reason(waiting("ErrImageNeverPull", 'Container image "a:1" is not present with pull policy of Never'))
    assert "node has no such image, and must not pull it" in found.what
    assert found.hopeless_after_s < 60


def test_too_little_memory_on_the_node():
    condition = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod.",
    }  # fmt: skip
    found = reason(pod(conditions=[condition]))
    assert found.what == "Pending: Unschedulable: Insufficient memory"
    assert found.hopeless_after_s
    both = {**condition, "message": "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."}
    assert reason(pod(conditions=[both])).what.endswith("Insufficient cpu, Insufficient memory")
    volume = {**condition, "message": "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."}
    assert "storageclass" in reason(pod(conditions=[volume])).fix


def test_a_container_that_ran_out_of_memory():
    killed = {"reason": "OOMKilled", "exitCode": 137}
    crashing = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
    found = reason(pod(phase="Running", containerStatuses=[container(crashing, restarts=3, last=killed)]))
    assert found.what == "OOMKilled: container main needed more memory than its limit (3 restarts)"
    just = reason(pod(phase="Running", containerStatuses=[container({"terminated": killed})]))
    assert just.what.startswith("OOMKilled")


def test_a_crash_tells_the_last_line_of_its_log():
    last = {"reason": "Error", "exitCode": 1}
    thing = pod(
        phase="Running",
        containerStatuses=[container({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=4, last=last)],
    )
    asked = []

    def log(*of):
        asked.append(of)
        return "mysql: connection refused"

    found = reason(thing, log=log)
    assert found.what == "CrashLoopBackOff: exit code 1, 4 restarts: mysql: connection refused"
    assert asked == [("ml-pipeline-7c9f6d8b5c-x2x4z", "main")]
    assert "logs kubeflow ml-pipeline`" in found.fix
    assert reason(thing).what == "CrashLoopBackOff: exit code 1, 4 restarts"


def test_an_init_container_speaks_before_the_others():
    thing = pod(
        initContainerStatuses=[container({"terminated": {"exitCode": 1, "reason": "Error"}}, "wait-for-mysql")],
        containerStatuses=[container({"waiting": {"reason": "PodInitializing"}})],
    )
    assert reason(thing).what.startswith("Error: exit code 1")
    done = container({"terminated": {"exitCode": 0, "reason": "Completed"}}, "wait-for-mysql")
    thing["status"]["initContainerStatuses"] = [done]
    assert reason(thing).what == "PodInitializing for 60 s"
    thing["status"]["initContainerStatuses"] = [container({"running": {}}, "wait-for-mysql")]
    assert reason(thing).what == "its step wait-for-mysql runs for 60 s"


def test_a_secret_that_is_missing():
    found = reason(waiting("CreateContainerConfigError", 'secret "bakeoff-postgres" not found'))
    assert found.what == 'CreateContainerConfigError: secret "bakeoff-postgres" not found'
    assert found.hopeless_after_s


def test_waiting_that_may_end_says_for_how_long_and_what_the_last_warning_was():
    creating = waiting("ContainerCreating")
    assert reason(creating) == Reason(creating["metadata"]["name"], "ContainerCreating for 60 s")
    events = [
        {"type": "Warning", "reason": "FailedMount", "message": "old", "lastTimestamp": "2026-11-22T12:03:01Z"},
        {"type": "Warning", "reason": "FailedMount", "message": "configmap\n not found", "lastTimestamp": STARTED},
        {"type": "Normal", "reason": "Pulling", "message": "image", "lastTimestamp": "2026-11-22T12:04:40Z"},
    ]  # fmt: skip
    assert reason(creating, events).what == "ContainerCreating for 60 s: FailedMount: configmap not found"
    pulling = [{"type": "Normal", "reason": "Pulling", "message": 'Pulling image "mysql:8.4"', "lastTimestamp": "1"}]
    assert reason(creating, pulling).what == 'ContainerCreating for 60 s: Pulling image "mysql:8.4"'
    pulled = {"type": "Normal", "reason": "Pulled", "message": "done", "lastTimestamp": "2"}
    assert reason(creating, [*pulling, pulled]).what == "ContainerCreating for 60 s"
    unhealthy = [{"type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed", "lastTimestamp": "1"}]
    runs = pod(phase="Running", conditions=ready("False"), containerStatuses=[container({"running": {}})])
    found = reason(runs, unhealthy)
    assert found.what == "runs, but is not ready for 60 s: Unhealthy: Readiness probe failed"
    assert found.hopeless_after_s is None
    assert reason(pod()).what == "Pending for 60 s"
    assert (
        "low on resource"
        in reason(pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory")).what
    )


def test_pods_that_go_or_belong_to_a_run_are_left_out_and_events_are_each_pods_own():
    going = pod("a-1")
    going["metadata"]["deletionTimestamp"] = STARTED
    run = pod("retrain-x-system-dag-driver-1", labels={"workflows.argoproj.io/workflow": "retrain-x"})
    creating = {"containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})]}
    kept = [pod("b-1", **creating), pod("c-1", **creating)]
    event = {"type": "Warning", "reason": "FailedMount", "message": "no", "involvedObject": {"name": "c-1"}}
    found = reasons.of_pods([going, run, *kept], [event], NOW)
    assert [str(each) for each in found] == [
        "b-1: ContainerCreating for 60 s",
        "c-1: ContainerCreating for 60 s: FailedMount: no",
    ]


def test_a_pod_that_has_been_replaced_is_the_past():
    evicted = pod("ml-pipeline-7c-a", phase="Failed", reason="Evicted", message="low on resource: memory")
    after = pod("ml-pipeline-7c-b", phase="Running", conditions=ready())
    for each in (evicted, after):
        each["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "uid": "1"}]
    assert [each.name for each in reasons.of_pods([evicted], [], NOW)] == ["ml-pipeline-7c-a"]
    assert reasons.of_pods([evicted, after], [], NOW) == []
    after["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "uid": "2"}]
    assert [each.name for each in reasons.of_pods([evicted, after], [], NOW)] == ["ml-pipeline-7c-a"]


def test_what_makes_no_pods_is_told_too():
    def workload(name, ready=0, **status):
        return {"metadata": {"name": name}, "spec": {"replicas": 1}, "status": {"readyReplicas": ready, **status}}

    refused = {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: violates PodSecurity'}
    found = reasons.of_workloads(
        [workload("a", 1), workload("b"), workload("c"), workload("d", conditions=[refused])], {"b-5b7-xyz"}
    )
    assert [str(each) for each in found] == [
        "c: 0 of 1 pods ready",
        'd: no pod can be made: pods "x" is forbidden: violates PodSecurity',
    ]
    scaled = {"metadata": {"name": "metadata-writer"}, "spec": {"replicas": 0}, "status": {}}
    assert reasons.of_workloads([scaled], set()) == []


def test_patience_ends_within_a_minute_for_an_image_and_begins_anew_when_it_came():
    missing = reason(waiting("ErrImagePull", "not found"))
    again = reason(waiting("ImagePullBackOff", "Back-off pulling image"))  # the two take turns
    patience = Patience()
    assert patience.exhausted([missing], 0) is None
    assert patience.exhausted([again], 30) is None
    over = patience.exhausted([missing], 59)
    assert over == missing
    patience = Patience()
    assert patience.exhausted([missing], 0) is None
    assert patience.exhausted([], 30) is None
    assert patience.exhausted([missing], 59) is None  # it had come in between


def test_what_may_come_never_exhausts_patience():
    patience = Patience()
    creating = reason(waiting("ContainerCreating"))
    assert all(patience.exhausted([creating], now) is None for now in (0, 100, 10_000))


def test_while_the_kubelet_backs_off_the_event_has_the_cause():
    backing_off = waiting("ImagePullBackOff", 'Back-off pulling image "bakeoff-mlflow:0123456789ab"')
    event = {"type": "Warning", "reason": "Failed", "message": "Failed to pull image: dial tcp: i/o timeout"}
    assert "cannot reach the registry" in reason(backing_off, [event]).what
