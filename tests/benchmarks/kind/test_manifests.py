"""All that is ours, rendered by a real kubectl without a network, and held against Kubernetes' own schemas."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks.kind import doctor, forward, images, manifests, settings
from benchmarks.kind.settings import FORWARDS
from benchmarks.places import ROOT

KUBERNETES = "1.36"
MLFLOW = "registry.example:5000/bakeoff-mlflow:0123456789ab"
KEYS = ("the-key", "the-secret")
#: What KFP 2.17's own pods request, as Kubeflow's distribution tells it, and what Kubernetes' do on a Kind node.
UPSTREAM = (970, 3552)
SYSTEM = (950, 290)
#: A laptop's: what `doctor` advises.
LAPTOP = (4000, 8192)
#: Taken by the pipeline where they are there, and needed by no cluster of ours: MLflow has no passwords here.
NOT_OURS = {"bakeoff-mlflow"}


def render(kubectl: str, folder: Path) -> list[dict]:
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return manifests.documents(done.stdout)


@pytest.fixture
def ours(kubectl, target):
    return render(kubectl, manifests.overlay(target, MLFLOW, KEYS, "p" * 32))


def named(objects, kind, name):
    return next(each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name)


def pods(objects):
    return [each for each in objects if each["kind"] in ("Deployment", "StatefulSet")]


def milli(cpu: str) -> int:
    return int(cpu.removesuffix("m")) if cpu.endswith("m") else int(float(cpu) * 1000)


def mebi(memory: str) -> int:
    return int(memory[:-2]) * {"Mi": 1, "Gi": 1024}[memory[-2:]]


def test_ours_is_valid_by_kubernetes_own_schemas(kubectl, ours):
    validate = pytest.importorskip("kubernetes_validate")
    for each in [*ours, *render(kubectl, settings.OURS)]:
        validate.validate(each, KUBERNETES, strict=True)
    broken = {**named(ours, "Service", "bakeoff-mlflow"), "spec": {"portz": []}}
    with pytest.raises(validate.ValidationError):
        validate.validate(broken, KUBERNETES, strict=True)


def test_no_image_is_another_one_tomorrow(ours):
    found = manifests.images(ours)
    assert MLFLOW in found
    assert "postgres:15" in found
    for image in [*found, *images.listed()]:
        tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
        assert tag not in ("", "latest", "master"), image


def test_every_container_has_requests_and_limits_and_probes(ours):
    found = [container for each in ours for container in manifests.containers(each)]
    assert {container["name"] for container in found} == {"postgres", "mlflow"}
    for container in found:
        for part in ("requests", "limits"):
            assert set(container["resources"][part]) == {"cpu", "memory"}, container["name"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert mebi(requests["memory"]) <= mebi(limits["memory"])


def test_ours_runs_as_restricted_pods_do(ours):
    for each in pods(ours):
        pod = each["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_everything_fits_a_laptop_with_the_largest_task(ours):
    found = [container["resources"] for each in ours for container in manifests.containers(each)]
    cpu = sum(milli(each["requests"]["cpu"]) for each in found) + UPSTREAM[0] + SYSTEM[0]
    memory = sum(mebi(each["requests"]["memory"]) for each in found) + UPSTREAM[1] + SYSTEM[1]
    text = (ROOT / "kubeflow_impl" / "pipeline.py").read_text()
    task_cpu = milli(re.search(r'set_cpu_request\("(\w+)"\)', text)[1])
    task_memory = mebi(re.search(r'set_memory_request\("(\w+)"\)', text)[1])
    assert cpu + 3 * task_cpu <= LAPTOP[0]  # two candidates, and the driver of the next task
    assert memory + 3 * task_memory <= LAPTOP[1]
    told = (ROOT / "docs" / "kubeflow.md").read_text()
    assert f"**{cpu:,}m** | **{memory:,} MiB**" in told
    assert f"| one task of the pipeline | {task_cpu}m | {task_memory} MiB |" in told


def test_the_pipeline_finds_the_secrets_and_config_it_names(ours):
    text = (ROOT / "kubeflow_impl" / "pipeline.py").read_text()
    secrets = set(re.findall(r'"(bakeoff-[a-z]+)"', text))
    assert {"bakeoff-data", "bakeoff-mlflow"} <= secrets
    made = {each["metadata"]["name"]: each for each in ours if each["kind"] == "Secret"}
    assert secrets - NOT_OURS <= set(made)
    keys = set(re.search(r"OBJECT_STORE = \((.*)\)", text)[1].replace('"', "").split(", "))
    assert set(made["bakeoff-data"]["data"]) == keys
    places = set(re.search(r"PLACES = \((.*)\)", text)[1].replace('"', "").split(", "))
    assert set(named(ours, "ConfigMap", "bakeoff")["data"]) == places


def test_secrets_of_the_database_and_mlflow_are_the_same_and_nowhere_in_a_command(ours):
    for each in pods(ours):
        for container in each["spec"]["template"]["spec"]["containers"]:
            [variable] = [one for one in container["env"] if one["name"] == "POSTGRES_PASSWORD"]
            assert variable["valueFrom"]["secretKeyRef"] == {"name": "bakeoff-postgres", "key": "POSTGRES_PASSWORD"}
            assert not any("PASSWORD" in word for word in container.get("args", []))
    assert set(named(ours, "Secret", "bakeoff-postgres")["data"]) == {"POSTGRES_PASSWORD"}


def test_all_that_is_ours_can_be_found_again_for_removal(ours):
    key, _, value = settings.PART_OF.partition("=")
    for each in ours:
        assert each["metadata"]["labels"][key] == value, each["metadata"]["name"]
        assert each["metadata"]["namespace"] == settings.NAMESPACE
    [claim] = named(ours, "StatefulSet", "bakeoff-postgres")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["labels"][key] == value


def test_the_files_with_secrets_are_their_owners_only(target, kubectl):
    folder = manifests.overlay(target, MLFLOW, KEYS, "p" * 32)
    for path in (folder / "data.env", folder / "postgres.env"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    text = (folder / "kustomization.yaml").read_text()
    assert "the-secret" not in text
    assert "pppp" not in text
    ignored = subprocess.run(["git", "check-ignore", ".bakeoff/kind/x/data.env"], cwd=ROOT, capture_output=True)
    assert ignored.returncode == 0


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("bakeoff-mlflow:abc", "bakeoff-mlflow:abc"),
        ("host:5000/a/mlflow:1", "host:5000/a/mlflow:1"),
        ("host:5000/a/mlflow@sha256:" + "0" * 64, "host:5000/a/mlflow@sha256:" + "0" * 64),
    ],
)
def test_mlflows_image_is_the_one_that_was_asked_for(kubectl, target, reference, image):
    ours = render(kubectl, manifests.overlay(target, reference, KEYS, "p" * 32))
    assert image in manifests.images([named(ours, "Deployment", "bakeoff-mlflow")])


def test_the_forwarded_ports_are_those_of_services(ours, target):
    service = named(ours, "Service", "bakeoff-mlflow")
    [mlflow] = [each for each in FORWARDS if each.service == "bakeoff-mlflow"]
    assert mlflow.service_port in [port["port"] for port in service["spec"]["ports"]]
    data = named(ours, "ConfigMap", "bakeoff")["data"]
    assert data["BAKEOFF_MLFLOW_UI"] == target.address(mlflow)
    assert data["BAKEOFF_KFP_UI"] == target.address(FORWARDS[0])
    assert data["BAKEOFF_TRACKING_URI"] == settings.MLFLOW_IN_PODS
    assert data["BAKEOFF_DATA_REMOTE"] == settings.DATA_REMOTE
    # By hand and by us the same ports: what docs/kubeflow.md shows.
    by_default = named(manifests.documents(settings.OURS / "config.yaml"), "ConfigMap", "bakeoff")["data"]
    assert by_default == data
    told = (ROOT / "docs" / "kubeflow.md").read_text()
    example = (ROOT / "compose" / ".env.example").read_text()
    for each in FORWARDS:
        assert re.search(rf"\| {each.port} \| .* \| `{each.variable}` \|", told)
        assert f"# {each.variable}={each.port}\n" in example
    assert forward.by_hand(target)[0].endswith("port-forward --address 127.0.0.1 service/ml-pipeline-ui 8085:80")


def test_a_probe_asks_by_a_host_name_that_mlflow_allows(ours):
    [container] = named(ours, "Deployment", "bakeoff-mlflow")["spec"]["template"]["spec"]["containers"]
    [allowed] = [word.partition("=")[2].split(",") for word in container["args"] if word.startswith("--allowed-hosts")]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        [header] = container[probe]["httpGet"]["httpHeaders"]
        assert header["name"] == "Host"
        assert f"{header['value'].partition(':')[0]}:*" in allowed
    host = settings.MLFLOW_IN_PODS.partition("://")[2].partition(":")[0]
    assert f"{host}:*" in allowed
    assert "127.0.0.1:*" in allowed  # through the forwarded port
    assert not any(" " in each for each in allowed)


def test_only_kfps_two_kustomizations_fetch_and_only_its_one_version():
    remote = {}
    for path in sorted(settings.MANIFESTS.rglob("kustomization.yaml")):
        resources = yaml.safe_load(path.read_text())["resources"]
        found = [each for each in resources if "://" in each or each.startswith("github.com")]
        if found:
            remote[path.parent] = found
    assert set(remote) == {settings.CLUSTER_SCOPED, settings.KFP}
    for [address] in remote.values():
        assert f"?ref={settings.KFP_VERSION}&" in address
        assert "env/dev" not in address
    assert remote[settings.KFP][0].partition("?")[0].endswith("/env/platform-agnostic")


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """A git repository on this machine in the place of KFP's, which cannot be fetched by a test."""

    def make(path: str, *objects: dict) -> None:
        folder = tmp_path / "pipelines" / path
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text("resources: [all.yaml]")
        (folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
        git = ["git", "-C", str(tmp_path / "pipelines"), "-c", "user.name=x", "-c", "user.email=x@localhost"]
        for command in (
            ["init", "--quiet"],
            ["add", "--all"],
            ["commit", "--quiet", "--message", "x"],
            ["tag", "2.17.0"],
        ):
            subprocess.run([*git, *command], check=True)
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path / 'pipelines'}.insteadOf")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/kubeflow/pipelines")

    return make


@pytest.mark.parametrize("policy", [{"imagePullPolicy": "Always"}, {"imagePullPolicy": "IfNotPresent"}, {}])
def test_kfp_is_fetched_by_its_tag_and_takes_the_images_that_were_loaded(kubectl, upstream, policy):
    pod = {"containers": [{"name": "main", "image": "x/y:1", **policy}]}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    path = "manifests/kustomize/env/platform-agnostic"
    upstream(path, {**deployment, "spec": {"template": {"spec": pod}}}, service)
    found = render(kubectl, settings.KFP)
    assert [each["imagePullPolicy"] for each in manifests.containers(named(found, "Deployment", "a"))] == [
        "IfNotPresent"
    ]
    assert named(found, "Service", "a") == service


def test_what_is_of_the_whole_cluster_is_fetched_by_the_same_tag(kubectl, upstream):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubeflow"}}
    upstream("manifests/kustomize/cluster-scoped-resources", namespace)
    assert render(kubectl, settings.CLUSTER_SCOPED) == [namespace]


def test_images_are_found_in_variables_and_arguments_too():
    pod = {
        "initContainers": [{"name": "wait", "image": "alpine:3.23"}],
        "containers": [
            {
                "name": "api",
                "image": "ghcr.io/kubeflow/kfp-api-server:2.17.0",
                "env": [
                    {"name": "V2_LAUNCHER_IMAGE", "value": "ghcr.io/kubeflow/kfp-launcher:2.17.0"},
                    {"name": "V2_DRIVER_IMAGE", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
                    {"name": "NOT_AN_IMAGE", "value": "x:1"},
                ],
            },
            {"name": "argo", "image": "b:2", "args": ["--executor-image", "quay.io/argoproj/argoexec:v4.0.5"]},
        ],
    }
    deployment = {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": {"spec": pod}}}
    assert manifests.images([deployment, {"kind": "ConfigMap", "data": {}}]) == [
        "alpine:3.23",
        "b:2",
        "ghcr.io/kubeflow/kfp-api-server:2.17.0",
        "ghcr.io/kubeflow/kfp-launcher:2.17.0",
        "quay.io/argoproj/argoexec:v4.0.5",
    ]


def test_the_list_for_prefetch_has_kfps_release_the_node_and_ours():
    listed = images.listed()
    assert len(listed) == len(set(listed))
    assert listed[0] == images.node_image()
    assert re.fullmatch(rf"kindest/node:v1\.{doctor.NODE_MINOR}\.1@sha256:[0-9a-f]{{64}}", images.node_image())
    assert "postgres:15" in listed
    made = images.anew(images.LIST.read_text(), ["a:1", "b:2"])
    assert made.startswith("# Every image of others")
    assert made.endswith("images.txt\na:1\nb:2\n")
    own = [each for each in listed if each.startswith("ghcr.io/kubeflow/")]
    assert len(own) >= 12
    assert all(each.endswith(f":{settings.KFP_VERSION}") for each in own)


def test_the_cluster_is_on_this_machine_only_and_marked_as_ours():
    config = yaml.safe_load(settings.CLUSTER_CONFIG.read_text())
    assert config["networking"]["apiServerAddress"] == "127.0.0.1"
    [node] = config["nodes"]
    key, _, value = settings.NODE_LABEL.partition("=")
    assert node["labels"] == {key: value}
    assert "extraPortMappings" not in node
