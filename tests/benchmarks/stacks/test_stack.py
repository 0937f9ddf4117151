from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace

import pytest

from benchmarks.places import ROOT
from benchmarks.stacks import env_file, health, lifecycle, report, waiting
from benchmarks.stacks.engine import Container, StackError
from benchmarks.stacks.stack import AIRFLOW, PREFECT, STACKS, Tool

UP = Container("1", "postgres", False, "running", "healthy", 0, 0, False, ())


@pytest.fixture
def env(tmp_path):
    path = tmp_path / ".env"
    env_file.make(path)
    return env_file.read(path)


@pytest.mark.parametrize("celery", [False, True])
@pytest.mark.parametrize("stack", STACKS.values(), ids=str)
def test_the_compose_files_have_the_services_that_are_waited_for(stack, celery, env, docker_client):
    told = stack.bind(env, celery=celery).run("config", "--services").split()
    assert sorted(told) == sorted((*stack.one_shots, *stack.expected(celery=celery)))


@pytest.mark.parametrize(
    ("branch", "path", "ref", "subdir"),
    [("", "/opt/bakeoff/airflow_impl/dags", "main", ""), ("staging", "/none", "staging", "airflow_impl/dags")],
)
def test_dags_come_from_the_image_or_from_a_branch_alone(branch, path, ref, subdir, env, docker_client):
    env.path.write_text(env.path.read_text() + f"AIRFLOW_DAGS_BRANCH={branch}\n" * bool(branch))
    services = json.loads(AIRFLOW.bind(env_file.read(env.path)).run("config", "--format", "json"))["services"]
    told = json.loads(
        services["airflow-dag-processor"]["environment"]["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]
    )
    image, released = (bundle["kwargs"] for bundle in told)
    assert image["path"].endswith(path)
    assert (released["tracking_ref"], released["subdir"]) == (ref, subdir)
    assert services["airflow-init"]["command"][-1] == ref


VARIABLES = [line.split("=")[0] for line in env_file.EXAMPLE.read_text().splitlines() if line[:1].isupper()]


@pytest.mark.parametrize("name", [name for name in VARIABLES if name != "STACK"])  # that is on the command line
def test_no_variable_has_a_value_that_works_by_default(name, env, tmp_path, docker_client):
    lines = [line for line in env.path.read_text().splitlines() if not line.startswith(f"{name}=")]
    (tmp_path / "without").write_text("\n".join(lines))
    lacking = replace(env, path=tmp_path / "without")
    stacks = [stack.bind(lacking, celery=True) for stack in (AIRFLOW, PREFECT)]
    told = [said for compose in stacks if name in (said := refusal(compose))]
    assert told


def refusal(compose):
    """What compose says against the files; nothing when they are valid."""
    try:
        compose.run("config", "--quiet")
    except StackError as error:
        return str(error)
    return ""


def of(stack, **changed):
    """All of a stack's containers as they should be, but for some."""
    services = {name: replace(UP, service=name) for name in stack.services}
    shots = {name: replace(UP, service=name, state="exited", health="") for name in stack.one_shots}
    found = {**services, **shots}
    for name, how in changed.items():
        key = name.replace("_", "-")
        found[key] = replace(found[key], **how)
    return list(found.values())


@pytest.mark.parametrize(
    ("changed", "lacks"),
    [
        ({}, {}),
        ({"airflow_init": {"exit_code": 1}}, {"airflow-init": "failed with exit code 1"}),
        ({"airflow_init": {"state": "running"}}, {"airflow-init": "running"}),
        ({"mlflow": {"health": "starting"}}, {"mlflow": "starting"}),
        ({"postgres": {"health": "unhealthy"}}, {"postgres": "unhealthy"}),
        ({"airflow_scheduler": {"state": "restarting"}}, {"airflow-scheduler": "restarting"}),
        ({"airflow_scheduler": {"state": "exited", "exit_code": 137}}, {"airflow-scheduler": "exited with code 137"}),
        ({"mlflow": {"one_off": True}}, {"mlflow": "not there"}),
    ],
)
def test_what_a_stack_lacks_is_told_by_service(changed, lacks):
    assert health.of_containers(AIRFLOW, of(AIRFLOW, **changed), celery=False) == lacks


def test_celery_needs_its_workers():
    lacks = health.of_containers(AIRFLOW, of(AIRFLOW), celery=True)
    assert lacks == dict.fromkeys(("redis", "airflow-worker"), "not there")
    with pytest.raises(StackError, match="prefect has no Celery workers"):
        lifecycle.up(Tool.PREFECT, env_file.DEFAULT, None, celery=True)


@pytest.mark.parametrize(
    ("numbers", "health_of_last", "lack"),
    [((1, 2), "healthy", None), ((1,), "healthy", "1 of 2 there"), ((1, 2), "starting", "starting")],
)
def test_each_of_several_workers_has_to_be_there_and_healthy(numbers, health_of_last, lack):
    workers = [replace(UP, service="prefect-worker", number=number) for number in numbers]
    others = [each for each in of(PREFECT) if each.service != "prefect-worker"]
    found = [*others, *workers[:-1], replace(workers[-1], health=health_of_last)]
    scale = PREFECT.scale(2, celery=False)
    assert health.of_containers(PREFECT, found, celery=False, scale=scale) == ({"prefect-worker": lack} if lack else {})


def test_workers_are_asked_for_where_there_are_some(env):
    assert AIRFLOW.scale(None, celery=False) == {}
    assert AIRFLOW.scale(None, celery=True) == {"airflow-worker": 2}
    assert PREFECT.scale(4, celery=False) == {"prefect-worker": 4}
    with pytest.raises(StackError, match="without Celery, Airflow has no workers"):
        lifecycle.up(Tool.AIRFLOW, env.path, None, workers=4)


@pytest.mark.parametrize("stack", STACKS.values(), ids=str)
def test_tools_that_do_not_answer_are_waited_for(stack, env):
    from benchmarks.processes import free_port

    ports = {name: str(free_port()) for name in stack.ports}
    told = health.of_tool(stack, replace(env, values={**env.values, **ports}))
    assert [reason.split("'s API")[0] for reason in told.waiting] == [stack.title, "MLflow"]
    assert not told.broken


def test_a_port_with_another_server_is_not_health(env):
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>welcome</html>")

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for stack in STACKS.values():
            values = {**env.values, **dict.fromkeys(stack.ports, str(server.server_port))}
            assert len(health.of_tool(stack, replace(env, values=values)).waiting) == 2
        server.shutdown()


@pytest.mark.parametrize(
    ("text", "mib"), [("0B", 0), ("512KiB", 0.5), ("84.25MiB", 84.2), ("1.5GiB", 1536), ("2kB", 0)]
)
def test_memory_is_read_as_docker_prints_it(text, mib):
    assert report.mebibytes(text) == pytest.approx(mib, abs=0.1)


def test_two_commands_do_not_work_on_one_stack(tmp_path):
    name = f"bakeoff-test-{os.getpid()}"
    again = lifecycle.only_one(name)
    refused = pytest.raises(StackError, match="another command is bringing this stack up or down")
    with lifecycle.only_one(name), refused, again:
        pass
    with lifecycle.only_one(name):
        pass


FAILING = """
services:
  one:
    image: redis:7
    tmpfs: [/data]
    init: true
    command: sleep 60
    depends_on: {shot: {condition: service_completed_successfully}}
  shot:
    image: redis:7
    tmpfs: [/data]
    command: ["sh", "-c", "echo FATAL: %s; exit 3"]
"""
SMALL = replace(PREFECT, services=("one",), one_shots=("shot",))


@pytest.mark.parametrize(
    ("cause", "fix"), [("no such table", "bakeoff logs"), ("password authentication failed", "down .* --volumes")]
)
def test_a_one_shot_that_fails_is_told_with_its_log(make_project, env, cause, fix):
    compose = make_project(FAILING % cause)
    log = env.path.parent / "up.log"
    starting = compose.start(log, "up", "--detach")
    with pytest.raises(StackError, match=rf"(?s)shot is not healthy: failed with exit code 3.*FATAL: {cause}.*{fix}"):
        waiting.until_healthy(SMALL, env, compose, starting, log, lambda _: None)
    starting.wait()


def test_what_takes_too_long_is_told_with_its_state(make_project, env):
    sick = FAILING.replace("exit 3", "exit 0") % "none" + "    healthcheck: {test: 'echo never; false', interval: 1s}\n"
    compose = make_project(sick.replace("shot:\n    image", "shot:\n    restart: 'no'\n    image"))
    log = env.path.parent / "up.log"
    starting = compose.start(log, "up", "--detach")
    said = []
    with pytest.raises(StackError, match="not healthy after 4 s: Prefect's API does not answer yet"):
        waiting.until_healthy(SMALL, env, compose, starting, log, said.append, patience_s=4)
    assert said[0].startswith("waiting for shot (")
    assert compose.is_current()
    compose.run("stop", "--timeout", "1")
    compose.run("rm", "--force", "one")
    assert not compose.is_current()


def test_an_image_that_is_not_there_and_a_taken_port_are_told(make_project, env):
    import socket

    log = env.path.parent / "up.log"
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        text = f"services: {{one: {{image: redis:7, tmpfs: [/data], ports: ['127.0.0.1:{port}:6379']}}}}"
        compose = make_project(text)
        starting = compose.start(log, "up", "--detach")
        with pytest.raises(StackError, match=r"a port was taken: .*bakeoff doctor"):
            waiting.until_healthy(replace(SMALL, one_shots=()), env, compose, starting, log, lambda _: None)


def test_logs_of_what_is_not_up_say_so(docker, tmp_path):
    prefix = f"bakeoff-test-{os.getpid()}"
    path = tmp_path / ".env"
    path.write_text(f"STACK={prefix}\n")
    done = subprocess.run(
        [ROOT / "bakeoff", "logs", "prefect", "--env-file", path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert f"{prefix}-prefect is not up" in done.stderr
