"""What is said when kind or kubectl is missing, old, failing or silent."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from benchmarks.kind import doctor, settings, tools
from benchmarks.kind.settings import FORWARDS
from benchmarks.kind.tools import Kubectl
from benchmarks.places import ROOT
from benchmarks.stacks.engine import StackError

GIB = 2**30


@pytest.mark.parametrize("tool", ["kind", "kubectl"])
def test_a_missing_tool_comes_with_how_to_install_it(tool, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=rf"there is no {tool} .*What to do: install {tool} .*https://"):
        tools.version(tool)


def test_up_without_kind_ends_before_any_work(with_kubectl, fake, tmp_path):
    fake("kind", "exit 127")
    path = tmp_path / ".env"
    done = subprocess.run(
        [ROOT / "bakeoff", "up", "kubeflow", "--env-file", path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "there is no env file" in done.stderr  # an env file that was named has to be there
    path.write_text("STACK=bakeoff-test\n")
    done = subprocess.run(
        [ROOT / "bakeoff", "up", "kubeflow", "--env-file", path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "(where: kind)" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("tool", "said", "version"),
    [
        ("kind", "kind v0.32.0 go1.26.1 linux/amd64", (0, 32)),
        ("kind", "kind v1.0.0 go1.26.1 linux/amd64", (1, 0)),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.36.1"}}', (1, 36)),
    ],
)
def test_versions_are_read(fake, tool, said, version):
    fake(tool, f"echo '{said}'")
    assert tools.version(tool) == version


@pytest.mark.parametrize(("tool", "said"), [("kind", "kind v0.20.0 go1.20"), ("kubectl", '"gitVersion": "v1.20.15"')])
def test_an_old_tool_is_told(fake, tool, said):
    fake(tool, f"echo '{said}'")
    with pytest.raises(StackError, match=r"is too old: .* or newer is needed .*install"):
        tools.version(tool)


def test_a_tool_that_tells_no_version(fake):
    fake("kind", "echo hello")
    with pytest.raises(StackError, match="does not tell its version: hello"):
        tools.version("kind")


def test_a_failing_tool_is_quoted(fake):
    fake("kind", "echo 'ERROR: failed to create cluster: node(s) already exist' >&2; exit 1")
    with pytest.raises(StackError, match=r"node\(s\) already exist \(where: kind create cluster\)"):
        tools.kind("create", "cluster")


def test_a_hanging_tool_is_given_up(fake):
    fake("kubectl", "exec sleep 60")
    begin = time.monotonic()
    with pytest.raises(StackError, match="kubectl gave no answer within 0 s"):
        Kubectl("x").run("get", "pods", timeout_s=0.3)
    assert time.monotonic() - begin < 5


def test_a_context_that_is_not_there(kubectl, with_kubectl, tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text("apiVersion: v1\nkind: Config\n")
    with pytest.raises(StackError, match=r"context .*nowhere.* does not exist .*get-contexts"):
        Kubectl("nowhere", config).run("get", "pods")


def test_a_cluster_that_does_not_answer(kubectl, with_kubectl, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: ''}}]\n"
    )
    with pytest.raises(StackError, match=r"(?s)refused.*What to do: see that the cluster runs and can be reached"):
        Kubectl("a", config).run("get", "pods")


def test_every_call_names_the_context_and_the_namespace(fake, tmp_path):
    fake("kubectl", 'echo "$@"')
    said = Kubectl("kind-x", tmp_path / "config").run("get", "pods").split()
    assert said[:6] == ["--kubeconfig", str(tmp_path / "config"), "--context", "kind-x", "--namespace", "kubeflow"]


def test_the_cluster_is_named_by_the_env_file(tmp_path):
    path = tmp_path / ".env"
    path.write_text("STACK=mine\nKUBEFLOW_PORT=18085\n")
    target = settings.target(path)
    assert (target.kind, target.context, target.node) == (
        *("mine-kubeflow", "kind-mine-kubeflow", "mine-kubeflow-control-plane"),
    )
    assert target.address(FORWARDS[0]) == "http://127.0.0.1:18085"
    assert target.address(FORWARDS[1]) == "http://127.0.0.1:5085"
    assert target.options == f" --env-file {path}"
    theirs = settings.target(path, context="arn:aws:eks/x", kubeconfig=tmp_path / "config")
    assert theirs.kind is None
    assert theirs.folder.name == "arn-aws-eks-x"
    assert theirs.options == f" --kubeconfig {tmp_path / 'config'} --context arn:aws:eks/x"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("KUBEFLOW_PORT=http", "KUBEFLOW_PORT=http is not a port"),
        ("KUBEFLOW_PORT=80", "KUBEFLOW_PORT=80 is not a port"),
        ("KUBEFLOW_S3_PORT=8085", "port 8085 is given twice"),
    ],
)
def test_bad_ports_are_told(tmp_path, line, said):
    path = tmp_path / ".env"
    path.write_text(f"STACK=mine\n{line}\n")
    with pytest.raises(StackError, match=said):
        settings.target(path)


def test_a_kubeconfig_needs_a_context(tmp_path):
    with pytest.raises(StackError, match="add --context NAME"):
        settings.target(tmp_path / ".env", kubeconfig=tmp_path)


@pytest.mark.parametrize(("gib", "ok"), [(4, False), (5.5, False), (6, True), (7.7, True), (16, True)])
def test_too_little_memory_is_told(gib, ok):
    check = doctor.memory(int(gib * GIB))
    assert check.ok is ok
    assert f"{gib:.1f} GiB" in check.found
    assert "8 GiB" in check.fix


def test_too_few_processors_and_too_small_a_disk_are_told(tmp_path):
    assert [doctor.cpus(count).ok for count in (2, 3, 4)] == [False, True, True]
    assert not doctor.disk(tmp_path, 10 * GIB).ok
    assert doctor.disk(tmp_path, 50 * GIB).ok
    assert doctor.disk(tmp_path, None).ok
    assert "amd64 only" in doctor.architecture({"OSType": "linux", "Architecture": "aarch64"}).found
    assert not doctor.architecture({"OSType": "windows", "Architecture": "x86_64"}).ok
    (tmp_path / "few").write_text("128\n")
    assert "sysctl" in doctor.inotify(tmp_path / "few").found


@pytest.mark.parametrize(("minor", "far"), [(32, True), (35, False), (37, False), (38, True)])
def test_a_kubectl_of_other_versions_is_told_but_used(target, fake, minor, far):
    fake("kubectl", f"""echo '"gitVersion": "v1.{minor}.0"'""")
    check = next(doctor.checks(target))
    assert check.ok
    assert ("1.35 to 1.37 are meant for the node's 1.36" in check.found) is far


def test_doctor_goes_on_where_something_is_missing(target, fake, monkeypatch):
    fake("kind", "echo kind v0.32.0 go1.26")
    fake("docker", "echo no engine >&2; exit 1")
    checks = {each.name: each for each in doctor.checks(target)}
    assert checks["kind"].ok
    assert not checks["engine"].ok
    assert "memory" not in checks
    assert {f"port {each.port}" for each in FORWARDS} <= set(checks)
    monkeypatch.setenv("PATH", os.devnull)
    assert not {each.name: each for each in doctor.checks(target)}["kubectl"].ok
