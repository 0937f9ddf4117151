"""The arm against a fake server (`fake_kfp.py`): waiting, telling, giving up. Nothing here shows how KFP behaves."""

from __future__ import annotations

import threading

import pytest

from benchmarks import stores
from benchmarks.arms import ArmFailed
from benchmarks.kubeflow import deploy, pods, stack_arm
from benchmarks.kubeflow.stack_arm import KubeflowStack, error_of, parameters
from benchmarks.retraining import make_configs
from benchmarks.stacks import arms
from benchmarks.stacks.arms import request
from tests.benchmarks.kubeflow import argo

CAUSE = "shared.errors.DataError: bad flights (where: a file). What to do: mend it"
LOG = (
    f"I1122 launcher.go:1] starting\nTraceback (most recent call last):\n  File x\n{CAUSE}\nI1122 launcher.go:2] exit\n"
)


@pytest.fixture
def make(fake, make_server, tmp_path, monkeypatch):
    """An arm of the fake, its pipeline deployed, and the config of one retraining."""
    monkeypatch.setattr(arms, "POLL_S", 0.01)

    def make(**more):
        arm = KubeflowStack(tmp_path, make_server(fake.address, **more.pop("server", {})), **more)
        arm.tool.version = deploy.upload(arm.tool.kfp, deploy.Ir(b"a: 1", "0123456789ab"), "c0ffee")
        arm.tool.health_version = fake.version
        [config] = make_configs(["2013-03"], tmp_path, {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"})
        stores.create(config)
        return arm, config

    return make


def test_a_run_is_followed_to_its_end(make, fake):
    arm, config = make()
    events = list(arm.retrain([config]))
    assert (events[-1]["step"], events[-1]["state"]) == ("retrain", "finished")
    assert {event["label"] for event in events if event["step"] == "train"} == set(argo.CANDIDATES)
    [run] = fake.runs.values()
    assert run["display_name"] == f"retrain {config.request_id}"
    assert fake.experiments[run["experiment_id"]]["display_name"] == "bakeoff"


def test_a_cached_task_is_told(make, fake):
    fake.start = lambda run: (
        fake.workflows.update({run["run_id"]: argo.whole(cached=True)}),
        run.update(state="SUCCEEDED"),
    )
    arm, config = make()
    notes = [event for event in arm.retrain([config]) if event.get("note")]
    assert [(event["step"], event["state"]) for event in notes] == [("fetch", "finished")]


def test_asked_twice_one_run_is_started(make, fake):
    arm, config = make()
    assert arm.tool.trigger(config, request(config)) == arm.tool.trigger(config, request(config))
    assert len(fake.runs) == 1


def test_what_is_sent_is_no_place_of_this_machine(make, make_server, fake):
    _, config = make()
    server = make_server(fake.address, mlflow="http://mlflow.example", data_remote="s3://bucket/dvc")
    sent = parameters(config, request(config), server)
    assert {name: value for name, value in sent.items() if name != "settings"} == {
        "month": "2013-03",
        "dataset": "flights",
        "data_remote": "s3://bucket/dvc",
    }
    assert sent["settings"]["tracking_uri"] == "http://mlflow.example"
    assert not {"month", "state", "events", "data_repo", "artifact_location"} & set(sent["settings"])
    assert str(config.state) not in str(sent)
    own = parameters(config, request(config), make_server(fake.address))
    assert "tracking_uri" not in own["settings"], "the ConfigMap knows better than an address of this machine"


def test_the_cause_is_the_last_line_of_the_pods_traceback(make, fake):
    flow = argo.whole(fails="validate")
    pod = next(node for node in flow.nodes.values() if node["phase"] == "Failed" and node["type"] == "Pod")
    fake.logs[f"{flow.name}-system-container-impl-{pod['id'].rpartition('-')[2]}"] = LOG
    fake.start = lambda run: (fake.workflows.update({run["run_id"]: flow}), run.update(state="FAILED"))
    arm, config = make()
    with pytest.raises(arms.RunFailed) as failed:
        list(arm.retrain([config]))
    assert failed.value.what == "validate failed: bad flights (a file)"
    assert failed.value.fix == "mend it"
    assert failed.value.where.startswith(f"{fake.address}/#/runs/details/")


def test_without_a_log_the_workflows_word_is_the_cause(make, fake):
    flow = argo.whole(fails="validate")
    fake.start = lambda run: (fake.workflows.update({run["run_id"]: flow}), run.update(state="FAILED"))
    arm, config = make()
    with pytest.raises(arms.RunFailed, match=r"validate failed: main: Error \(exit code 1\)"):
        list(arm.retrain([config]))


def test_ctrl_c_terminates_the_run(make, fake):
    fake.start = lambda run: run.update(state="RUNNING")
    arm, config = make()
    events = arm.retrain([config])
    while arm._active in ("", arms.STARTING):
        next(events)
    arm.stop()
    assert [run["state"] for run in fake.runs.values()] == ["CANCELED"]
    assert "the run is cancelled" in arm.stopped


def test_an_image_that_cannot_be_pulled_is_told_at_once(make, fake):
    def start(run):
        flow = argo.Workflow()
        flow.task("fetch", [flow.add("root", [], "Running")], "Pending")
        fake.workflows[run["run_id"]] = flow
        run["state"] = "RUNNING"

    fake.start = start
    arm, config = make()
    texts = _texts_until(arm.retrain([config]), "ErrImagePull")
    assert texts[-1] == "running executor waits: ErrImagePull: x:1 not found"
    arm.stop()


def test_kubernetes_is_asked_where_the_workflow_does_not_tell(make, fake, monkeypatch):
    fake.start = lambda run: run.update(state="RUNNING")
    monkeypatch.setattr(pods, "reasons", lambda *_: ["a-pod: Unschedulable: 0/1 nodes: Insufficient memory"])
    arm, config = make(server={"context": "kind-bakeoff-kubeflow"})
    assert _texts_until(arm.retrain([config]), "Unschedulable")
    arm.stop()


def test_a_run_that_does_not_start_says_where_to_look(make, fake, monkeypatch):
    fake.start = lambda run: run.update(state="RUNNING")
    monkeypatch.setattr(stack_arm, "START_S", 0.0)
    arm, config = make()
    assert "pipeline/runid=" in _texts_until(arm.retrain([config]), "no pod has started within")[-1]
    arm.stop()


def test_a_run_that_takes_too_long_is_ended(make, fake):
    fake.start = lambda run: run.update(state="RUNNING")
    arm, config = make(limit_s=0.05)
    with pytest.raises(ArmFailed, match="has not ended within 0 s and is running") as failed:
        list(arm.retrain([config]))
    assert "--timeout" in failed.value.fix
    arm.stop()
    assert [run["state"] for run in fake.runs.values()] == ["CANCELED"]


def test_a_server_that_falls_silent_is_waited_for(make, fake):
    started = []

    def start(run):
        run["state"] = "RUNNING"
        fake.breaks = [("GET /apis/v2beta1/runs/", 503, "upstream connect error")]
        started.append(run)

    fake.start = start
    arm, config = make()
    events = arm.retrain([config])
    assert "does not answer: HTTP 503" in _texts_until(events, "does not answer")[-1]
    started[0]["state"] = "SUCCEEDED"
    threading.Timer(0.05, fake.breaks.clear).start()
    assert [event["state"] for event in events][-1] == "finished"


@pytest.mark.parametrize(
    ("version", "warns"), [("2.17.0", False), ("v2.17.4", False), ("2.16.1", True), ("2.170.0", True)]
)
def test_a_server_of_another_version_is_warned_of(make, fake, version, warns):
    fake.version = version
    arm, _ = make()
    assert (f"this server is KFP {version}" in arm.warning()) is warns


def _texts_until(events, words):
    texts = []
    for event in events:
        if event["state"] == "waiting":
            texts.append(event["text"])
            if words in event["text"]:
                break
    assert texts, "it said nothing"
    assert words in texts[-1]
    return texts


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (LOG, CAUSE),
        ("KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("ValueError: first\nmore\nRuntimeError: last\n", "RuntimeError: last"),
        ("an Error: in a sentence\nE1122 main.go:5] Error: x\n", ""),
        ("", ""),
    ],
)
def test_the_error_in_a_log(log, error):
    assert error_of(log) == error


def test_why_pods_wait_as_kubectl_tells_it():
    """Shaped as `kubectl get pods -o json` gives them (Kubernetes' API reference, PodStatus)."""
    conditions = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no memory"}
    ]
    pull = {"image": "x:1", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}}
    normal = {"image": "x:1", "state": {"waiting": {"reason": "PodInitializing"}}}
    failed = {"name": "main", "image": "x:1", "state": {"terminated": {"exitCode": 1}}}

    def pod(name, phase="Pending", **status):
        return {"metadata": {"name": name}, "status": {"phase": phase, **status}}

    found = pods.waiting(
        [
            pod("a", conditions=conditions),
            pod("b", containerStatuses=[pull], initContainerStatuses=[normal]),
            pod("c", "Running", containerStatuses=[{"state": {"running": {}}}]),
            pod("d", containerStatuses=[normal]),
            pod("e", "Failed", containerStatuses=[failed]),  # a step that failed does not wait
        ]
    )
    assert found == [
        "a: Pending: Unschedulable: 0/1 nodes: no memory",
        "b: ImagePullBackOff: image x:1 cannot be pulled (Back-off)",
    ]
