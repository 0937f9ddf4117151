from __future__ import annotations

import time

import pytest

from benchmarks.stacks import build, engine
from benchmarks.stacks.engine import StackError

ONE = """
services:
  one:
    image: redis:7
    command: ["sh", "-c", "echo ${WORD:?}; exec sleep 60"]
    tmpfs: [/data]
    init: true
"""


def test_no_client_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (engine.find_docker, engine.info, engine.compose_version):
        with pytest.raises(StackError, match=r"there is no docker client .*install Docker"):
            call()


def test_an_engine_that_does_not_answer_is_told(docker_client, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    with pytest.raises(StackError, match=r"engine does not answer.*unix:///nonexistent.*unset it, or start"):
        engine.info()


def test_an_engine_that_hangs_is_told(docker_client, tmp_path, monkeypatch):
    import socket

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "docker.sock"))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'docker.sock'}")
        with pytest.raises(StackError, match="no answer within 1 s"):
            engine.docker("info", timeout_s=1)


@pytest.mark.parametrize(
    ("version", "enough"),
    [("2.19.9", False), ("2.20.0", True), ("v2.26.1-4", True), ("5.0.0", True), ("1.29.2", False), ("dev", False)],
)
def test_old_versions_of_compose_are_refused(version, enough):
    assert engine.is_new_enough(version) is enough


def test_the_shell_does_not_override_files_and_env_file(monkeypatch):
    monkeypatch.setenv("COMPOSE_FILE", "other.yaml")
    monkeypatch.setenv("STACK", "other")
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    env = engine.child_env({"STACK"}, BAKEOFF_REVISION="abc")
    assert "COMPOSE_FILE" not in env
    assert "STACK" not in env
    assert env["DOCKER_CONTEXT"] == "mine"
    assert env["BAKEOFF_REVISION"] == "abc"


def test_a_project_is_run_seen_asked_and_followed(make_project, monkeypatch):
    monkeypatch.setenv("WORD", "from-the-shell")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    compose = make_project(ONE, WORD="from-the-file")
    assert compose.ps() == []
    assert engine.kept("network", compose.project) == []
    compose.run("up", "--detach")
    [one] = compose.ps()
    assert (one.service, one.state, one.health, one.restarts, one.one_off) == ("one", "running", "", 0, False)
    assert compose.logs("one") == "from-the-file"
    assert compose.exec("one", "cat", stdin="said") == "said"
    assert engine.kept("network", compose.project) == [f"{compose.project}_default"]
    with pytest.raises(StackError, match=r"no such service.*where: docker compose \.\.\. .*run it by hand"):
        compose.run("start", "two")
    lines = []
    log = compose.env_file.parent / "follow.log"
    assert compose.follow(log, ["logs", "--no-log-prefix"], lines.append) == 0
    assert "from-the-file" in lines
    assert "from-the-file" in log.read_text()


PLAIN_PROGRESS = """\
#0 building with "default" instance using docker driver
#1 [airflow internal] load build definition from Dockerfile
#1 0.010 something
#5 [airflow builder 1/4] FROM docker.io/library/python:3.11-slim-bookworm
#5 CACHED
#6 [airflow builder 2/4] RUN pip   install uv
#6 0.512 Collecting uv
#6 1.512 Downloading uv
#7 [airflow stage-1 3/4] COPY . /opt/bakeoff
#7 DONE 0.1s
#6 DONE 3.0s
"""


def test_progress_tells_each_step_that_works_once():
    told = []
    progress = build.Progress(told.append)
    for line in PLAIN_PROGRESS.splitlines():
        progress.line(line)
    assert told == ["airflow builder 2/4: RUN pip install uv"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "#7 12.3 error: Failed to fetch: `https://index/simple/numpy/`\n#7 12.4   Caused by: error sending request"
            " for url (https://index/simple/numpy/)\n#7 12.5   Caused by: dns error",
            "could not reach the network",
        ),
        (
            "#7 9.1 WARNING: Retrying ... NewConnectionError('Failed to establish a new connection: [Errno -3]"
            " Temporary failure in name resolution'): /simple/uv/",
            "uv or pip could not reach the network",
        ),
        (
            "#5 4.0 W: Failed to fetch http://deb/dists/bookworm/InRelease  Temporary failure resolving 'deb'",
            "apt could not reach the network: W: Failed to fetch",
        ),
        (
            "failed to solve: python:3.11: failed to resolve source metadata for docker.io/library/python: dial tcp:"
            " lookup registry-1: no such host",
            "the engine, for a base image, could not reach the network",
        ),
        ("#9 4.0 write /x: no space left on device", r"the engine's disk is full .*docker system df"),
        ("#9 4.0 SyntaxError: invalid syntax\n", "could not be built:\n.*SyntaxError"),
    ],
)
def test_a_failed_build_is_told_by_its_cause(tmp_path, line, message):
    log = tmp_path / "build.log"
    log.write_text(f"{PLAIN_PROGRESS}{line}\nfailed to solve: exit code: 1\n")
    with pytest.raises(StackError, match=f"(?s){message}") as caught:
        raise build.failure(log)
    assert caught.value.where == str(log)


OFFLINE = """
services:
  one:
    image: bakeoff-test-offline
    build:
      network: none
      context: .
      dockerfile_inline: |
        FROM python:3.11-slim-bookworm
        RUN echo {now} && pip install --retries 1 --timeout 5 uv
"""


def test_a_build_without_network_is_told_and_its_log_kept(make_project, tmp_path):
    compose = make_project(OFFLINE.format(now=time.time()))
    told = []
    with pytest.raises(StackError, match=r"uv or pip could not reach the network: .*What to do: see that this machine"):
        build.build(compose, told.append)
    assert any("pip install" in step for step in told)
    assert "pip install" in (compose.folder / "build.log").read_text()
