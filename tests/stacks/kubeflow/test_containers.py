"""Kubeflow's pipeline in containers of the image that pods run, by `kfp.local.DockerRunner`."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest
from rich.console import Console

from benchmarks import dataset, environments, processes
from benchmarks.display import Display
from benchmarks.kubeflow import docker_arm, image
from benchmarks.kubeflow.docker_arm import DockerArm
from benchmarks.places import ROOT, ArmName, child_env, python
from benchmarks.retraining import make_configs, run
from benchmarks.stacks import engine
from benchmarks.stacks import registry as data
from shared import events, registry
from shared.config import StoreConfig
from tests.stacks.conftest import PREFIX

MONTH = "2013-03"
#: What a first pull should not exceed.
MOST_MB = 700
REMOTE = "s3://bakeoff/dvc"
COMPONENTS = {"fetch", "ingest", "validate", "select", "evaluate", "register"}


@pytest.fixture(scope="module")
def name():
    """The image, built under the tests' own prefix."""
    return image.ensure(print, PREFIX)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """One arm's folder for all tests of this file, which are run in their order."""
    return tmp_path_factory.mktemp("kubeflow")


@pytest.fixture(scope="module")
def march(name, state, env_path):
    """The first retraining, as a user asks for it."""
    done = subprocess.run(command(MONTH, state, env_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def bucket():
    """An S3 server that holds the data, and what a client has to know of it."""
    environments.ensure("kubeflow", "test", "test-kubeflow")
    port = processes.free_port()
    places = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    fill = f"""
import boto3
from dvc.repo import Repo
boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bakeoff")
assert Repo(config={{"remote": {{"elsewhere": {{"url": "{REMOTE}"}}}}}}).push(remote="elsewhere")
"""
    server = [python("kubeflow").with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(places["AWS_ENDPOINT_URL"])
                    break
                time.sleep(0.2)
            env = child_env(DVC_NO_ANALYTICS="1", **places)
            image.publish()
            subprocess.run([python("kubeflow"), "-c", fill], cwd=data.FOLDER / "registry", env=env, check=True)
            yield places
        finally:
            process.terminate()


@pytest.fixture
def attempt(march, state):
    """Run one month by the harness, with an arm that differs."""

    def run_once(month, change=lambda arm: None, code=None, **settings):
        [config] = make_configs([month], state / "kubeflow", {**docker_arm.places(), **settings})
        arm = DockerArm(config.events.parent, PREFIX, code=code)
        change(arm)
        done = run(ArmName.KUBEFLOW, [config], Display(Console(file=io.StringIO()), ["kubeflow"]), arm=arm)
        return done, arm.log.read_text(), left(config.request_id)

    return run_once


def command(month, state, env_path):
    asked = [ROOT / "bakeoff", "retrain", "--on", "kubeflow", "--runner", "docker", "--month", month, "--json"]
    return [*asked, "--state", state, "--env-file", env_path]


def store(state):
    folder = state / "kubeflow"
    return StoreConfig(state=folder, tracking_uri=f"sqlite:///{folder}/mlflow.db")


def left(request_id):
    """Containers of a run, ended ones too."""
    return engine.docker("container", "ls", "--all", "--quiet", "--filter", f"label=bakeoff={request_id}").split()


def in_image(name, *options_and_command):
    return engine.docker("run", "--rm", "--network", "none", *options_and_command)


def test_the_image_is_small_and_holds_neither_data_nor_secrets_nor_root(name):
    [told] = json.loads(engine.docker("image", "inspect", name))
    assert told["Size"] < MOST_MB * 1e6
    assert told["Config"]["User"] == "bakeoff"
    assert in_image(name, name, "id", "-u").strip() == "1000"
    seen = in_image(name, name, "find", "/opt/bakeoff", "-type", "f").split()
    assert "/opt/bakeoff/registry/data/flights.dvc" in seen
    assert not [path for path in seen if path.endswith((".parquet", "config.local")) or "/remote/" in path]
    environment = dict(each.split("=", 1) for each in told["Config"]["Env"])
    assert environment["BAKEOFF_REVISION"] == told["Config"]["Labels"]["org.opencontainers.image.revision"] != "unknown"


def test_any_user_may_run_it(name):
    # Git refuses a repository of another user, and a user without a name has no home.
    ask = "from dvc.api import DVCFileSystem as F; print(F('/opt/bakeoff/registry', rev='HEAD').info('data/flights'))"
    for options in ([], ["--user", "4242:4242"], ["--user", "0"]):
        assert "md5" in in_image(name, *options, name, "python", "-c", ask)


def test_a_pod_fetches_the_data_from_a_bucket_and_checks_them(name, bucket):
    # What a cluster's `fetch` does, with what the image has of AWS's client and descriptions; no folder is mounted.
    ask = "from shared import steps; print(steps.fetch({'month': '2013-03'}, out='/tmp/months').json_dict())"
    places = {**bucket, "BAKEOFF_DATA_REMOTE": REMOTE}
    options = [part for key, value in places.items() for part in ("--env", f"{key}={value}")]
    told = engine.docker("run", "--rm", "--network", "host", *options, name, "python", "-c", ask, timeout_s=60)
    for month in ("2013-01", "2013-02", "2013-03"):
        assert month in told
    assert dataset.check()["flights"] in told


def test_it_agrees_with_plain_bit_for_bit(march, name, plain_march):
    [retraining] = march["retrainings"]
    assert {key: retraining[key] for key in plain_march} == plain_march
    assert march["versions"]["image"] == name


def test_every_component_has_left_its_outputs(march, state):
    [folder] = (state / "kubeflow" / "work" / "kubeflow").glob("retrain-*")
    trained = sorted(folder.glob("for-loop-1-iteration-*/train*"))
    outputs = {path.name: path for path in folder.iterdir() if not path.name.startswith("for-loop")}
    assert set(outputs) == COMPONENTS
    assert len(trained) == 2
    for path in [*outputs.values(), *trained]:
        assert (path / "executor_output.json").stat().st_size > 2, path
    assert sorted(path.name for path in (outputs["validate"] / "validated").glob("*.parquet")) == [
        *("2013-01.parquet", "2013-02.parquet", "2013-03.parquet")
    ]
    assert "AUC gain" in (outputs["evaluate"] / "verdict").read_text()
    [log] = (state / "kubeflow" / "runs").glob("*/kubeflow.log")
    assert log.read_text().count("Found image ") == len(COMPONENTS) + 2  # nothing was pulled
    assert registry.champion(store(state)) == 1
    assert [entry.event for entry in registry.promotion_log(store(state))] == ["promoted"]
    assert left(json.loads(log.with_name("request.json").read_text())[0]["request_id"]) == []


def test_a_changed_line_of_a_step_runs_without_a_build_and_the_same_month_is_rejected(attempt, state, tmp_path, name):
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "shared" / "data.py"
    changed = module.read_text().replace('log.info("ingested ', 'log.info("the changed line ingested ')
    assert changed != module.read_text()
    module.write_text(changed)
    done, log, containers = attempt(MONTH, code=tmp_path / "shared")
    assert done.status == "succeeded", done.error
    assert "the changed line ingested 3 months" in log
    assert done.versions["image"] == f"{name} with other code mounted over it"
    assert done.retrainings[0].promoted is False  # it meets itself
    assert registry.champion(store(state)) == 1
    assert containers == []


def test_bad_data_fail_it_with_their_cause_and_leave_the_champion(attempt, state):
    done, _, containers = attempt("2013-04", contract={"min_rows": 30_000})
    assert done.status == "failed"
    assert "rows" in done.error
    assert "30,000" in done.error or "30000" in done.error
    assert "What to do:" in done.error
    assert registry.champion(store(state)) == 1
    assert containers == []


def test_containers_that_vanish_before_they_have_worked_are_no_success(attempt, state):
    # KFP takes what is gone for what has ended well: here every process ends well at once, and has done nothing.
    def in_vain(arm):
        own = DockerArm.mounts
        nothing = {"source": str(Path("/bin/true").resolve()), "target": "/opt/venv/bin/python3", "read_only": True}
        arm.mounts = lambda: [*own(arm), nothing]

    done, log, containers = attempt("2013-04", in_vain)
    assert "SUCCESS" in log
    assert done.status == "failed"
    assert registry.champion(store(state)) == 1
    assert containers == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_harness_that_is_stopped_or_killed_leaves_no_container(number, march, state, env_path):
    before = set((state / "kubeflow" / "runs").iterdir())
    process = subprocess.Popen(command("2013-05", state, env_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    request = "none yet"
    try:
        family = wait_for_training(process, state, before)
        [folder] = set((state / "kubeflow" / "runs").iterdir()) - before
        request = json.loads((folder / "request.json").read_text())[0]["request_id"]
        working = left(request)
        engine.docker("container", "pause", working[0])  # or it might end by itself, and prove nothing
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert b"no container is left behind" in told
            assert left(request) == []
        deadline = time.monotonic() + 20
        while (left(request) or alive(family)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert left(request) == []
        assert alive(family) == []
    finally:
        process.kill()
        docker_arm.remove_containers(request)
    assert registry.champion(store(state)) == 1


def alive(processes):
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def wait_for_training(process, state, before):
    """Until a candidate is being trained; the processes that the harness has then."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for folder in set((state / "kubeflow" / "runs").iterdir()) - before:
            if any(each["step"] == "train" for each in events.read(folder / "events.jsonl")):
                return psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    pytest.fail(f"training never began: {process.stderr.read()}")
