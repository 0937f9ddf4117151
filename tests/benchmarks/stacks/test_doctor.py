from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from benchmarks.places import ROOT
from benchmarks.stacks import doctor, env_file
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.stack import Tool

INFO = {"OSType": "linux", "Architecture": "x86_64", "NCPU": 2, "MemTotal": 8 * 2**30}


@pytest.fixture
def busy():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def run(path: Path, *arguments, **env):
    command = [ROOT / "bakeoff", *arguments, "--env-file", str(path)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, timeout=60)


def test_a_port_in_use_is_told_with_its_owner(busy, tmp_path):
    check = doctor.port(busy, "AIRFLOW_PORT", "Airflow", "x-airflow", {}, tmp_path / ".env")
    assert not check.ok
    assert f"port {busy}, for Airflow, is in use by " in check.found
    assert f"pid {os.getpid()}" in check.found
    assert f"AIRFLOW_PORT= in {tmp_path / '.env'}" in check.fix


def test_a_port_of_the_stack_itself_is_fine_and_of_another_is_not(busy, tmp_path):
    assert doctor.port(busy, "AIRFLOW_PORT", "Airflow", "x-airflow", {busy: "x-airflow"}, tmp_path).ok
    other = doctor.port(busy, "AIRFLOW_PORT", "Airflow", "x-airflow", {busy: "y-airflow"}, tmp_path)
    assert "is in use by the containers of y-airflow" in other.found


@pytest.mark.parametrize(
    ("told", "tools", "ok"),
    [
        (INFO, [Tool.AIRFLOW, Tool.PREFECT], True),
        ({**INFO, "MemTotal": 3.8 * 2**30}, [Tool.AIRFLOW], True),  # sold as 4 GB
        ({**INFO, "MemTotal": 3 * 2**30}, [Tool.AIRFLOW], False),
        ({**INFO, "MemTotal": 3 * 2**30}, [Tool.PREFECT], True),
        ({**INFO, "MemTotal": 2**30}, [Tool.PREFECT], False),
    ],
)
def test_too_little_memory_is_told(told, tools, ok):
    check = doctor.memory(told, tools)
    assert check.ok is ok
    assert f"{told['MemTotal'] / 2**30:.1f} GiB" in check.found
    assert not doctor.memory({**INFO, "MemTotal": 4 * 2**30}, [Tool.AIRFLOW], celery=True).ok


def test_other_machines_are_told():
    assert doctor.cpus(INFO).ok
    assert not doctor.cpus({**INFO, "NCPU": 1}).ok
    assert doctor.architecture({**INFO, "Architecture": "aarch64"}).ok
    assert not doctor.architecture({**INFO, "Architecture": "riscv64"}).ok
    assert not doctor.architecture({**INFO, "OSType": "windows"}).ok


def test_disk_is_told_where_it_can_be_known(tmp_path):
    here = {"DockerRootDir": str(tmp_path / "not-there"), "Name": socket.gethostname()}
    assert doctor.free_bytes(here) is None or doctor.free_bytes(here) > 0
    assert doctor.free_bytes({**here, "Name": "docker-desktop"}) is None
    assert doctor.disk(tmp_path, None).ok
    assert doctor.disk(tmp_path, 20 * 2**30).ok
    assert not doctor.disk(tmp_path, 5 * 2**30).ok


def test_the_first_failure_stops():
    found = iter([doctor.Check("a", True, "fine"), doctor.Check("b", False, "bad", "mend it"), None])
    with pytest.raises(StackError, match=r"bad \(where: b\). What to do: mend it"):
        doctor.require(found)


def test_without_an_engine_every_command_says_so(docker_client, tmp_path):
    path = tmp_path / ".env"
    env_file.make(path)
    gone = {"DOCKER_HOST": "unix:///nonexistent"}
    for command in (("up", "airflow"), ("down", "all"), ("status",), ("logs", "prefect")):
        done = run(path, *command, **gone)
        assert done.returncode == 1, command
        assert "error: the Docker engine does not answer" in done.stderr
        assert "What to do: DOCKER_HOST is set" in done.stderr
        assert done.stdout == ""
    done = run(path, "doctor", "prefect", "--json", **gone)
    assert done.returncode == 1
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not checks["engine"]["ok"]
    assert checks["env file"]["ok"]
    assert "What to do:" in run(path, "doctor", **gone).stdout


def test_no_engine_makes_no_env_file(docker_client, tmp_path):
    done = run(tmp_path / ".env", "up", "prefect", DOCKER_HOST="unix:///nonexistent")
    assert done.returncode == 1
    assert not list(tmp_path.iterdir())


def test_a_bad_env_file_or_a_taken_port_stops_up_before_work(docker, busy, tmp_path):
    path = tmp_path / ".env"
    env_file.make(path)
    text = path.read_text().replace("STACK=bakeoff", f"STACK=bakeoff-test-{os.getpid()}")
    path.write_text(text.replace("POSTGRES_PASSWORD=", "POSTGRES_PASSWORD=short #"))
    done = run(path, "up", "prefect")
    assert done.returncode == 1
    assert "POSTGRES_PASSWORD is shorter than 16 characters" in done.stderr
    path.write_text(text.replace("PREFECT_PORT=4200", f"PREFECT_PORT={busy}"))
    before = path.read_bytes()
    done = run(path, "up", "prefect")
    assert done.returncode == 1
    assert f"port {busy}, for Prefect, is in use by" in done.stderr
    assert path.read_bytes() == before
    done = run(path, "down", "all")
    assert done.returncode == 0
    assert done.stdout.count("is not up; nothing is kept") == 2
