"""What becomes of a cluster that is somebody else's, stopped, half made, or without an image.

The executables are stand-ins that misbehave on purpose: these are the harness's own errors. No cluster is imitated.
"""

from __future__ import annotations

import io
import json
import time
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from rich.console import Console

from benchmarks.kind import cluster, lifecycle, manifests, reasons, report, settings, waiting
from benchmarks.kind.settings import Target
from benchmarks.kind.tools import Kubectl
from benchmarks.stacks.engine import StackError
from shared.errors import ConfigError

NODES = json.dumps({"items": [{"metadata": {"name": "node"}}]})
NONE = json.dumps({"items": []})


@pytest.fixture
def calls(tmp_path):
    """What the stand-ins were called with."""
    path = tmp_path / "calls"
    path.touch()
    return lambda: path.read_text().splitlines()


@pytest.fixture
def stand_ins(fake, tmp_path):
    """Put kind, docker and kubectl on PATH that answer as told, and note how they were called."""
    note = f'echo "$(basename "$0") $*" >> {tmp_path / "calls"}'

    def make(clusters="test-kubeflow", running="true", nodes=NODES, images="{}", ready="echo ok", **more):
        fake("kind", f'{note}; case "$*" in "get clusters") echo "{clusters}";; esac')
        fake(
            "docker",
            f"""{note}; case "$*" in *inspect*) echo {running};; *crictl*) cat <<'END'\n{images}\nEND\n;; esac""",
        )
        other = "".join(f"{pattern}) {script};; " for pattern, script in more.get("kubectl", {}).items())
        fake(
            "kubectl",
            f"""{note}; case "$*" in *get-contexts*) echo kind-test-kubeflow;; *readyz*) {ready};; {other}
            *"get nodes"*) cat <<'END'\n{nodes}\nEND\n;; esac""",
        )

    return make


def silent(line: str) -> None:
    pass


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_a_cluster_of_ours_is_used_as_it_is(stand_ins, calls, target):
    stand_ins()
    cluster.ensure(target, silent)
    assert not [call for call in calls() if "create" in call or "start" in call or "delete" in call]


def test_somebody_elses_cluster_is_neither_used_nor_deleted(stand_ins, calls, target):
    stand_ins(nodes=NONE)
    with pytest.raises(StackError, match=r"test-kubeflow is there, but it is not one .*STACK= .*--context"):
        cluster.ensure(target, silent)
    with pytest.raises(StackError, match="it is left alone"):
        lifecycle.down(target, console())
    assert not [call for call in calls() if "delete" in call]


def test_a_stopped_cluster_is_started(stand_ins, calls, target):
    stand_ins(running="false")
    cluster.ensure(target, silent)
    assert "docker container start test-kubeflow-control-plane" in calls()
    assert not report.status(target).healthy
    assert "the cluster is stopped" in report.status(target).reasons[0]


def test_a_cluster_that_does_not_answer_is_told(stand_ins, target, monkeypatch):
    monkeypatch.setattr(cluster, "API_S", 0.0)
    stand_ins(ready="echo 'The connection to the server was refused' >&2; exit 1")
    with pytest.raises(StackError, match=r"does not answer: .*refused.*docker restart test-kubeflow-control-plane"):
        cluster.ensure(target, silent)


def test_a_cluster_whose_making_was_interrupted_is_made_anew(stand_ins, calls, target):
    stand_ins()
    target.folder.mkdir(parents=True)
    (target.folder / "creating").touch()
    cluster.ensure(target, silent)
    made = [call for call in calls() if call.startswith("kind") and "get" not in call]
    assert made[0] == "kind delete cluster --name test-kubeflow"
    assert made[1].startswith("kind create cluster --name test-kubeflow --config ")
    assert not (target.folder / "creating").exists()


def test_a_cluster_that_cannot_be_made_says_why_and_is_made_anew_next_time(fake, target):
    fake("kind", 'case "$*" in "get clusters") ;; *) echo "too many open files" >&2; exit 1;; esac')
    with pytest.raises(StackError, match=r"kind could not make the cluster: too many open files.*sysctl"):
        cluster.ensure(target, silent)
    assert (target.folder / "creating").exists()


def test_an_image_that_the_node_has_not_is_told_at_once(stand_ins, target):
    there = {"images": [{"repoTags": ["docker.io/library/test-kubeflow:0123"]}, {"repoTags": []}]}
    stand_ins(images=json.dumps(there))
    cluster.require_image(target, "test-kubeflow:0123")
    with pytest.raises(StackError, match=r"the node has no image test-kubeflow:4567.*kind load docker-image"):
        cluster.require_image(target, "test-kubeflow:4567")


@pytest.mark.parametrize(
    ("image", "canonical"),
    [
        ("mysql:8.4", "docker.io/library/mysql:8.4"),
        ("chrislusf/seaweedfs:4.30", "docker.io/chrislusf/seaweedfs:4.30"),
        ("ghcr.io/kubeflow/kfp-driver:2.17.0", "ghcr.io/kubeflow/kfp-driver:2.17.0"),
        ("localhost/x:1", "localhost/x:1"),
        ("registry:5000/x:1", "registry:5000/x:1"),
    ],
)
def test_images_are_compared_by_their_whole_names(image, canonical):
    assert cluster.canonical(image) == canonical


def test_waiting_for_an_image_that_cannot_be_pulled_ends_with_the_reason(stand_ins, target, monkeypatch):
    monkeypatch.setattr(reasons, "IMAGE_S", 0.5)
    monkeypatch.setattr(waiting, "POLL_S", 0.1)
    state = {"waiting": {"reason": "ErrImagePull", "message": "pull access denied"}}
    container = {"name": "mlflow", "image": "test-mlflow:0123", "restartCount": 0, "state": state}
    pod = {
        "metadata": {"name": "bakeoff-mlflow-7c9f6d8b5c-x2x4z", "creationTimestamp": datetime.now(UTC).isoformat()},
        "status": {"phase": "Pending", "containerStatuses": [container]},
    }
    pods = f"cat <<'END'\n{json.dumps({'items': [pod]})}\nEND\n"
    stand_ins(kubectl={'*"get pods"*': pods})
    told = []
    begin = time.monotonic()
    with pytest.raises(StackError) as raised:
        waiting.until_ready(Kubectl.of(target), told.append)
    assert time.monotonic() - begin < 10
    assert raised.value.what == (
        "bakeoff-mlflow-7c9f6d8b5c-x2x4z: ErrImagePull: image test-mlflow:0123 cannot be pulled"
        " (node has no such image, nor has the registry)"
    )
    assert raised.value.where == "namespace kubeflow of kind-test-kubeflow"
    assert told[0].startswith("waiting for 1: bakeoff-mlflow-7c9f6d8b5c-x2x4z: ErrImagePull")


def test_waiting_gives_up_on_what_never_comes(stand_ins, target, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_S", 0.05)
    pod = {"metadata": {"name": "a-1"}, "status": {"phase": "Pending"}}
    stand_ins(kubectl={'*"get pods"*': f"cat <<'END'\n{json.dumps({'items': [pod, pod]})}\nEND\n"})
    with pytest.raises(StackError, match=r"a-1: Pending for 0 s after 0 s \(and 1 more\)"):
        waiting.until_ready(Kubectl.of(target), silent, patience_s=0.3)


def test_kfps_manifests_are_fetched_once_and_a_failure_leaves_nothing(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(manifests, "STATE", tmp_path)
    fake("kubectl", "echo 'fatal: unable to access github.com: Could not resolve host' >&2; exit 1")
    with pytest.raises(StackError, match=r"KFP's manifests could not be fetched: .*Could not resolve host.*git is"):
        manifests.kfp(settings.KFP, silent)
    assert not list(tmp_path.glob("kind/**/*.yaml"))
    fake("kubectl", "echo 'kind: Namespace'")
    kept = manifests.kfp(settings.KFP, silent)
    assert kept.read_text() == "kind: Namespace\n"
    fake("kubectl", "exit 1")
    assert manifests.kfp(settings.KFP, silent) == kept
    with pytest.raises(StackError):
        manifests.kfp(settings.CLUSTER_SCOPED, silent)


def test_kfp_is_installed_in_order_and_can_be_installed_again(tmp_path):
    steps = lifecycle.steps(tmp_path / "scoped.yaml", ["a.kubeflow.org", "b.argoproj.io"], tmp_path / "kfp.yaml")
    verbs = [(arguments[0], arguments[-1]) for _, arguments, _ in steps]
    assert verbs == [
        ("apply", str(tmp_path / "scoped.yaml")),
        ("wait", "crd/b.argoproj.io"),
        ("apply", str(tmp_path / "kfp.yaml")),
    ]
    for _, arguments, _ in (steps[0], steps[2]):
        assert {"--server-side", "--force-conflicts"} <= set(arguments)
    assert "crd/a.kubeflow.org" in steps[1][1]


def test_the_definitions_that_are_waited_for_are_those_of_the_manifests():
    objects = [
        {"kind": "Namespace", "metadata": {"name": "kubeflow"}},
        {"kind": "CustomResourceDefinition", "metadata": {"name": "workflows.argoproj.io"}},
    ]
    assert manifests.definitions(objects) == ["workflows.argoproj.io"]


def test_the_database_keeps_its_password(stand_ins, target):
    held = {"data": {"POSTGRES_PASSWORD": b64encode(b"of-the-first-start").decode()}}
    stand_ins(kubectl={'*"get secret"*': f"echo '{json.dumps(held)}'"})
    assert manifests.postgres_password(Kubectl.of(target)) == "of-the-first-start"
    stand_ins()
    new = {manifests.postgres_password(Kubectl.of(target)) for _ in range(2)}
    assert len(new) == 2
    assert all(len(each) >= 24 for each in new)


def test_without_kfps_own_secret_the_reason_is_told(stand_ins, target):
    stand_ins()
    with pytest.raises(StackError, match=r"keys of its object store is missing.*mlpipeline-minio-artifact"):
        manifests.object_store(Kubectl.of(target))


def test_down_of_our_cluster_deletes_it_and_what_up_has_left(stand_ins, calls, target):
    stand_ins()
    manifests.overlay(target, "a:1", ("key", "secret"), "p" * 32)
    said = lifecycle.down(target, console())
    assert "deleted the Kind cluster" in said
    assert "kind delete cluster --name test-kubeflow" in calls()
    assert not list(target.folder.glob("*.env"))
    stand_ins(clusters="")
    assert lifecycle.down(target, console()) == "test-kubeflow is not up; nothing is kept"


def test_down_of_somebody_elses_cluster_removes_only_what_has_our_label(stand_ins, calls, target):
    stand_ins(kubectl={"*delete*": "echo 'deployment.apps \"bakeoff-mlflow\" deleted'"})
    theirs = Target("test", target.ports, target.env_file, "theirs")
    said = lifecycle.down(theirs, console())
    assert "removed 1 objects of ours; kept: Kubeflow Pipelines, and the volumes" in said
    [deleted] = [call for call in calls() if "delete" in call]
    assert "--context theirs --namespace kubeflow delete" in deleted
    assert f"--selector {settings.PART_OF}" in deleted
    assert "persistentvolumeclaims" not in deleted
    assert "namespaces" not in deleted
    lifecycle.down(theirs, console(), volumes=True)
    assert "persistentvolumeclaims" in [call for call in calls() if "delete" in call][1]


def test_images_are_named_for_somebody_elses_cluster_only(target):
    with pytest.raises(ConfigError, match="for a cluster that is there already"):
        lifecycle.up(target, console(), step_image="a:1")
    theirs = Target("test", target.ports, target.env_file, "theirs")
    with pytest.raises(ConfigError, match=r"cannot get images of this machine \(where: --image\)"):
        lifecycle.up(theirs, console())
    with pytest.raises(ConfigError, match="another image every day"):
        lifecycle.up(theirs, console(), step_image="r/a:latest", mlflow_image="r/b:1")
    with pytest.raises(ConfigError, match="another image every day"):
        lifecycle.up(theirs, console(), step_image="registry:5000/a", mlflow_image="r/b:1")


def test_status_without_a_cluster_and_logs_of_what_is_not_there(stand_ins, target):
    stand_ins(clusters="")
    assert not report.status(target).up
    with pytest.raises(StackError, match="test-kubeflow is not up"):
        report.logs(target, None)
    workload = {
        "metadata": {"name": "ml-pipeline"},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "a:1"}]}}},
        "status": {"readyReplicas": 1},
    }
    stand_ins(kubectl={'*"get deployments"*': f"echo '{json.dumps({'items': [workload]})}'"})
    with pytest.raises(StackError, match=r"there is no service mlpipeline .*choose from ml-pipeline"):
        report.logs(target, "mlpipeline")
    told = report.status(target)
    assert told.up
    assert not told.healthy
    assert [each.name for each in told.services] == ["ml-pipeline"]
    assert "MLflow is not installed" in told.reasons[0]
    assert "no ports are forwarded" in told.reasons[1]


def test_ctrl_c_says_what_stays_and_how_to_go_on(target, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle.stack_doctor, "require", lambda found: None)
    monkeypatch.setattr(lifecycle.environments, "is_ready", lambda name: True)
    monkeypatch.setattr(lifecycle.image, "ensure", stopped)
    to = console()
    with pytest.raises(KeyboardInterrupt):
        lifecycle.up(target, to)
    assert isinstance(to.file, io.StringIO)
    told = to.file.getvalue()
    assert "what is made and installed stays: the same command goes on" in told
    assert f"`./bakeoff down kubeflow --env-file {target.env_file}` removes it" in told


def test_kfp_that_somebody_else_has_installed_is_left_as_it_is(stand_ins, target):
    def deployed_by(manager):
        metadata = {"name": "ml-pipeline", "managedFields": [{"manager": manager}]}
        stand_ins(kubectl={'*"get deployment"*': f"echo '{json.dumps({'metadata': metadata})}'"})
        return lifecycle._has_foreign_kfp(Kubectl.of(target))

    assert deployed_by("kubectl-client-side-apply")
    assert not deployed_by("bakeoff")
    stand_ins()
    assert not lifecycle._has_foreign_kfp(Kubectl.of(target))
