"""The pods that are ours on a cluster, as their manifests have them, in a real engine.

No cluster is needed: image, user, read-only file system, dropped capabilities, limits, variables, arguments and probes
are taken from the rendered manifests and given to `docker run`. What Kubernetes adds is names and volumes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.kind import images, manifests, tools
from benchmarks.kind.settings import FORWARDS, Target
from benchmarks.stacks import engine
from benchmarks.stacks.engine import StackError

NAME = f"bakeoff-test-{os.getpid()}"
PASSWORD = "of-this-test-only-0123456789"


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The pod of each workload of ours, by the workload's name; MLflow's image is built."""
    folder = tmp_path_factory.mktemp("kind")
    ports = {each.variable: each.port for each in FORWARDS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        try:
            engine.info()
            tools.find("kubectl")
        except StackError as error:
            pytest.skip(error.what)
        patch.setattr("benchmarks.kind.settings.STATE", folder)
        target = Target(NAME, ports, folder / ".env", "none", None, NAME)
        overlay = manifests.overlay(target, images.ensure_mlflow(print, NAME), ("key", "secret"), PASSWORD)
        ours = manifests.documents(tools.kustomize(overlay))
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in ours
        if each["kind"] in ("Deployment", "StatefulSet")
    }


@pytest.fixture(scope="module")
def run(pods: dict[str, dict[str, Any]]) -> Iterator[Callable[[str], str]]:
    """Start a pod's container; all that is started is removed afterwards."""
    started: list[str] = []
    engine.docker("network", "create", NAME)

    def start(workload: str) -> str:
        pod = pods[workload]
        [container] = pod["containers"]
        security, limits = container["securityContext"], container["resources"]["limits"]
        assert security["readOnlyRootFilesystem"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        name = f"{NAME}-{workload}"
        user = _user(container["image"], pod["securityContext"]["runAsUser"])
        options = [
            *("--name", name, "--network", NAME, "--network-alias", workload, "--user", f"{user}:{user}"),
            *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--memory", limits["memory"].removesuffix("i").lower(), "--cpus", limits["cpu"]),
        ]
        for variable in container["env"]:
            value = variable.get("value", PASSWORD).replace("$(POSTGRES_PASSWORD)", PASSWORD)
            options += ["--env", f"{variable['name']}={value}"]
        for mount in container["volumeMounts"]:
            volume = f"{name}-{mount['name']}"
            # A pod's empty folders, and a Kind cluster's volumes, are open to all and begin empty.
            opened = ("--volume", f"{volume}:/v", "--user", "0", "--entrypoint", "chmod", container["image"])
            engine.docker("run", "--rm", *opened, "0777", "/v")
            options += ["--mount", f"type=volume,source={volume},target={mount['mountPath']},volume-nocopy"]
        [port] = container["ports"]
        options += ["--publish", f"127.0.0.1::{port['containerPort']}"]
        started.append(name)
        engine.docker("run", "--detach", *options, container["image"], *container.get("args", []))
        return engine.docker("port", name, str(port["containerPort"])).split()[0]

    yield start
    for name in started:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True)
    volumes = engine.docker("volume", "ls", "--quiet", "--filter", f"name={NAME}-").split()
    engine.docker("volume", "rm", *volumes) if volumes else None
    engine.docker("network", "rm", NAME)
    engine.docker("image", "rm", images.mlflow_name(NAME))


def _user(image: str, wanted: int) -> int:
    """The manifest's user; but where the engine's postgres is not the official image, its own."""
    ask = f"getent passwd {wanted} || getent passwd postgres || true"
    known = engine.docker("run", "--rm", "--entrypoint", "sh", image, "-c", ask)
    return int(known.split(":")[2]) if known else wanted


def ask(pod: dict[str, Any], probe: str, address: str, host: str | None = None) -> int:
    """The status that a probe gets; 0 without an answer."""
    get = pod["containers"][0][probe]["httpGet"]
    headers = {each["name"]: host or each["value"] for each in get["httpHeaders"]}
    try:
        return httpx.get(f"http://{address}{get['path']}", headers=headers, timeout=5, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def until(true: Callable[[], bool], what: str, seconds: float = 120) -> None:
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds, what
        time.sleep(1)


def test_mlflow_and_its_database_run_as_the_manifests_say(
    pods: dict[str, dict[str, Any]], run: Callable[[str], str]
) -> None:
    run("bakeoff-postgres")
    probe = pods["bakeoff-postgres"]["containers"][0]["readinessProbe"]["exec"]["command"]

    def database_answers() -> bool:
        return (
            subprocess.run(["docker", "exec", f"{NAME}-bakeoff-postgres", *probe], capture_output=True).returncode == 0
        )

    until(database_answers, "Postgres was not ready in time", 60)
    mlflow = pods["bakeoff-mlflow"]
    address = run("bakeoff-mlflow")
    until(lambda: ask(mlflow, "readinessProbe", address) == 200, "MLflow was not ready in time")
    assert ask(mlflow, "livenessProbe", address) == 200
    assert ask(mlflow, "readinessProbe", address, host="10.244.0.7:5000") == 403  # so the probe has to name a host
    assert ask(mlflow, "readinessProbe", address, host="bakeoff-mlflow.kubeflow:5000") == 200

    artifact = f"http://{address}/api/2.0/mlflow-artifacts/artifacts/of-a-test.txt"
    assert httpx.put(artifact, content=b"kept", timeout=30, trust_env=False).status_code == 200
    assert httpx.get(artifact, timeout=30, trust_env=False).content == b"kept"

    engine.docker("stop", "--time", "1", f"{NAME}-bakeoff-postgres")
    until(lambda: ask(mlflow, "readinessProbe", address) != 200, "ready, although the database is gone", 30)
    assert ask(mlflow, "livenessProbe", address) == 200  # or the kubelet would restart it for nothing
    engine.docker("start", f"{NAME}-bakeoff-postgres")
    until(lambda: ask(mlflow, "readinessProbe", address) == 200, "not ready again after the database came back", 60)
