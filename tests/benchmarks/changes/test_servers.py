"""What is asked of the tools' APIs: small answers over real HTTP, and the fake of Kubeflow Pipelines."""

from __future__ import annotations

import json

import pytest

from benchmarks.changes import evidence, standing
from benchmarks.changes.kubeflow import Containers, KubeflowServer
from benchmarks.changes.scenarios import Evidence, Sign
from benchmarks.changes.servers import AirflowServer, Expected, Missing, PrefectServer
from benchmarks.kubeflow.api import KfpApi
from benchmarks.stacks.rest import Silent
from tests.benchmarks.changes.answers import Answers
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp

COMMIT, OTHER = "a" * 40, "b" * 40
LOGIN = ("admin", "password")
LONG = "\n".join(f"line {number}" for number in range(450))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(evidence, "PATIENCE_S", 0.0)


@pytest.fixture
def known():
    """What the server knows."""
    return {
        "version": COMMIT,
        "cron": "30 6 2 * *",
        "runs": {
            "first": {"log": "old", "steps": ["validate"]},
            "second": {"log": f"{LONG}\nvalidate: this line is new", "steps": ["validate", "announce"]},
        },
    }


@pytest.fixture(params=[AirflowServer, PrefectServer])
def server(request, known):
    with Answers(lambda: known) as answers:
        made = request.param(answers.address, LOGIN, "some-project")
        yield made
        made.close()


@pytest.fixture
def container(monkeypatch):
    """What the engine says of each service's container."""
    there = {}
    monkeypatch.setattr(standing, "revision", lambda project, service: there.get(service, ("", "")))
    return there


def test_runs_are_told_with_the_newest_first_and_without_those_that_are_only_due(server):
    assert server.runs() == ["second", "first"]
    found = server.look("second")
    assert found.state == "finished"
    assert {"validate", "announce"} <= found.steps
    assert "register" not in found.steps, "it was skipped"


def test_the_whole_log_is_read(server):
    log = server.log("second").splitlines()
    assert len(log) >= 451
    assert log[-1] == "validate: this line is new"


def test_evidence(server):
    wanted = Evidence(line="this line is new")
    assert evidence.find(server, "second", wanted).endswith("validate: this line is new")
    assert evidence.find(server, "second", Evidence(step="announce")) == "task announce: success"
    assert "none with 'this line is new'" in evidence.find(server, "first", Evidence(line=wanted.line, gone=True))
    assert evidence.find(server, "", Evidence(cron="30 6 2 * *")).startswith("30 6 2 * *, next run 2026-01-01")


@pytest.mark.parametrize(
    ("run", "wanted", "told"),
    [
        ("first", Evidence(line="this line is new"), "no line of the log has 'this line is new'"),
        ("second", Evidence(line="this line is new", gone=True), "the log still has"),
        ("first", Evidence(step="announce"), "no task announce has run"),
        ("", Evidence(cron="0 0 1 * *"), "the schedule is 30 6 2 * *"),
    ],
)
def test_evidence_that_is_missing_is_told(server, run, wanted, told):
    with pytest.raises(Missing, match=told.replace("*", r"\*")):
        evidence.find(server, run, wanted)


def test_an_empty_log_is_no_evidence_that_something_is_gone(server, known):
    known["runs"]["first"]["log"] = ""
    with pytest.raises(Missing, match="the run has no log"):
        evidence.find(server, "first", Evidence(line="this line is new", gone=True))


def test_a_version_and_an_image_are_of_the_commit(server, container):
    assert server.shows(Sign.VERSION, Expected(COMMIT))
    assert not server.shows(Sign.VERSION, Expected(OTHER))
    assert not server.shows(Sign.IMAGE, Expected(COMMIT)), "none runs"
    container |= dict.fromkeys(("airflow-scheduler", "prefect-worker"), (COMMIT, ""))
    assert server.shows(Sign.IMAGE, Expected(COMMIT))
    assert not server.shows(Sign.IMAGE, Expected(OTHER))


def test_a_schedule_is_there_with_its_next_run(server, known):
    assert server.shows(Sign.CRON, Expected(COMMIT, "30 6 2 * *"))
    assert not server.shows(Sign.CRON, Expected(COMMIT, "0 6 1 * *"))
    if isinstance(server, PrefectServer):
        known["active"] = False
        assert not server.shows(Sign.CRON, Expected(COMMIT, "30 6 2 * *"))


def test_airflow_has_parsed_a_dag_only_since_its_new_processor_was_started(known, container):
    with Answers(lambda: known) as answers:
        server = AirflowServer(answers.address, LOGIN, "some-project")
        container["airflow-dag-processor"] = (COMMIT, "2026-01-01T11:59:59.123456789Z")
        assert server.shows(Sign.PARSED, Expected(COMMIT))
        assert not server.shows(Sign.PARSED, Expected(OTHER))
        container["airflow-dag-processor"] = (COMMIT, "2026-01-01T12:00:01.123456789Z")
        assert not server.shows(Sign.PARSED, Expected(COMMIT))


def test_prefects_branch_is_the_one_that_is_cloned(known, monkeypatch):
    asked = []
    monkeypatch.setattr("benchmarks.stacks.engine.docker", lambda *words: asked.append(words) or f"{COMMIT}\n")
    with Answers(lambda: known) as answers:
        server = PrefectServer(answers.address, LOGIN, "some-project")
        assert server.shows(Sign.BRANCH, Expected(COMMIT))
    assert asked[0][:2] == ("exec", "some-project-prefect-worker-1")


def test_a_failed_run_says_why(known):
    known["runs"]["second"]["failed"] = "No module named 'inflection'"
    with Answers(lambda: known) as answers:
        found = PrefectServer(answers.address, LOGIN, "p").look("second")
    assert found.state == "failed"
    assert "No module named 'inflection'" in found.message


def test_a_server_that_is_away_is_silent():
    with pytest.raises(Silent):
        PrefectServer("http://127.0.0.1:1", LOGIN, "p").runs()


def test_kubeflows_version_schedule_run_and_log():
    with FakeKfp() as fake:
        api, server = KfpApi(fake.address), KubeflowServer(fake.address)
        assert (server.runs(), server.shows(Sign.VERSION, Expected(COMMIT))) == ([], False)
        pipeline = api.create_pipeline("retrain", "")
        version = api.upload_version(pipeline, "0123456789ab", f"{COMMIT[:12]}-0123456789ab", "", b"a: b")
        assert server.shows(Sign.VERSION, Expected(COMMIT))
        assert not server.shows(Sign.VERSION, Expected(OTHER))
        run = api.create_run("ci", api.experiment("bakeoff"), pipeline, version, {})["run_id"]
        assert server.runs() == [run]
        found = server.look(run)
        assert found.state == "finished"
        assert {"fetch", "validate", "evaluate"} <= found.steps
        pods = [node.pod for node in api.nodes(api.run(run)) if node.pod]
        fake.logs[pods[-1]] = "one line\nthis line is new\n"
        assert evidence.find(server, run, Evidence(line="this line is new")) == "this line is new"
        assert not server.shows(Sign.CRON, Expected(COMMIT, "0 30 11 2 * *"))
        cron = {"cron_schedule": {"cron": "0 30 11 2 * *"}}
        api.create_recurring_run("retrain-monthly", api.experiment("bakeoff"), pipeline, version, {}, cron)
        assert server.shows(Sign.CRON, Expected(COMMIT, "0 30 11 2 * *"))
        assert evidence.of_schedule(server, "0 30 11 2 * *") == "0 30 11 2 * *; the server tells no next run"


def test_a_run_in_containers_is_read_from_what_it_left(tmp_path):
    server = Containers(tmp_path)
    assert server.runs() == []
    folder = tmp_path / ".bakeoff" / "kubeflow" / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(json.dumps({"step": "validate", "state": "finished"}) + "\n")
    (folder / "kubeflow.log").write_text(
        "16:14:54.637 - INFO - Task \x1b[96m'announce'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m\n"
    )
    assert server.runs() == ["one"]
    assert (server.look("one").state, server.look("one").steps) == ("running", {"announce"})
    with (folder / "events.jsonl").open("a") as stream:
        stream.write(json.dumps({"step": "retrain", "state": "finished"}) + "\n")
    assert server.look("one").state == "finished"
    assert not server.shows(Sign.VERSION, Expected(COMMIT))
