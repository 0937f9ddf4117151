"""The whole measure, each way of each tool, in a small repository of the real files whose verbs are `stand_in.py`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.changes import measure, trial, watch
from benchmarks.changes.records import NO_SERVER
from benchmarks.changes.scenarios import Scenario, Way
from benchmarks.changes.scratch import Scratch
from benchmarks.changes.trial import Trial
from benchmarks.ci.local import Asked
from benchmarks.ci.pipelines import Part
from benchmarks.kubeflow import nodes
from benchmarks.places import ROOT
from tests.benchmarks.changes.answers import Answers
from tests.benchmarks.ci.test_run import git
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp

FILES = (
    *("pyproject.toml", "shared/steps.py", "compose/Dockerfile", "compose/prefect.yaml"),
    *("airflow_impl/dags/retrain.py", "locks/airflow.txt", "locks/prefect.txt", "locks/kubeflow.txt"),
    *(f"prefect_impl/{name}" for name in ("flow.py", "prefect.yaml", "pool.json", "ci.sh")),
    *(f"kubeflow_impl/{name}.py" for name in ("components", "pipeline", "schedule")),
)
ALL = list(Scenario)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The small repository in `source`, and programs in front of all others."""
    source, programs = tmp_path / "source", tmp_path / "programs"
    for path in FILES:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    (source / ".gitignore").write_text("/.venvs\n/.bakeoff\n/compose/.env\n")
    programs.mkdir()
    for name in ("docker", "make", "prefect", "python"):
        _program(programs / name)
    _program(source / "bakeoff")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", "code.git")
    git(tmp_path, "init", "--quiet", str(source))
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "test")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setattr(watch, "POLL_S", 0.05)
    monkeypatch.setattr(trial, "RUN_S", 5.0)
    monkeypatch.setattr(trial, "DEPLOY_S", 5.0)
    monkeypatch.setattr("benchmarks.changes.evidence.PATIENCE_S", 0.1)
    return tmp_path


def _program(path):
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("stand_in.py")} "${{0##*/}}" "$@"\n')
    path.chmod(0o755)


@pytest.fixture
def go(here):
    """Measure one way of one tool."""

    branch, dag = "airflow-staging", "airflow_impl/dags/retrain.py"

    def state():
        path = here / "state.json"
        known = json.loads(path.read_text()) if path.exists() else {"runs": {}, "version": "", "cron": ""}
        if (here / "code.git" / "refs" / "heads" / branch).exists():
            known |= {"version": git(here / "code.git", "rev-parse", branch)}
            return known | {"cron": cron_of(git(here / "code.git", "show", f"{branch}:{dag}"))}
        image = here / "image" / dag
        return known | ({} if known["version"] or not image.exists() else {"cron": cron_of(image.read_text())})

    def cron_of(text):
        return text.partition('MONTHLY = CronPartitionTimetable("')[2].partition('"')[0]

    def go(tool, way, wanted=ALL, **asked):
        scratch = Scratch(Asked(tool, **asked), way, print, here / "source", here / "below")
        port = 0 if tool is Part.KUBEFLOW else scratch.server_port
        with open(os.devnull, "w") as nothing, Answers(state, port):
            done = measure.in_scratch(lambda: scratch, list(wanted), Console(file=nothing), keep=False)
        assert not list((here / "below").iterdir()), "the scratch folder is gone"
        return done, (here / "calls").read_text().splitlines()

    return go


def told(done):
    return {each.scenario: (each.status, each.cause) for each in done.changes}


def of(done, scenario):
    return next(each for each in done.changes if each.scenario is scenario)


def typed(change):
    return [each.line.split()[0] if each.line[0] != "P" else each.line.split()[1] for each in change.commands]


def test_prefect_by_image(go, here):
    done, calls = go(Part.PREFECT, Way.IMAGE)
    assert told(done) == dict.fromkeys(ALL, ("passed", ""))
    assert [each.status for each in done.start] == ["passed"] * 3
    for change in done.changes:
        has_run = change.scenario is not Scenario.SCHEDULE
        assert change.image_built == has_run
        assert change.restarted == (("service",) if has_run else ())
        assert (change.ran_s is not None) == has_run
        assert change.deployed_s is not None
        assert change.deployed_s <= sum(each.seconds for each in change.commands) + 2
    assert 'info("this line is new: run-' in of(done, Scenario.LINE).evidence
    assert "lines of log, none with" in of(done, Scenario.ROLLBACK).evidence
    assert of(done, Scenario.DEPENDENCY).evidence.startswith("inflection 0.5.1, run-")
    assert of(done, Scenario.STEP).evidence == "task announce: success"
    assert of(done, Scenario.SCHEDULE).evidence == "30 6 2 * *, next run 2026-01-01T12:00:00.000000Z"
    assert of(done, Scenario.CORE_LINE).touched.files == ("shared/steps.py",)
    runs = [call for call in calls if call.startswith("prefect deployment run")]
    models = ["line", "rollback", "core-line", "step", "dependency"]
    assert [model in run for model, run in zip(models, runs, strict=True)] == [True] * 5, "each has its own model"
    assert (here / "down").exists(), "the stack is removed"


def test_prefect_by_git_needs_an_image_for_a_dependency_only(go):
    done, _ = go(Part.PREFECT, Way.GIT)
    assert told(done) == dict.fromkeys(ALL, ("passed", ""))
    assert [each.scenario for each in done.changes if each.image_built] == [Scenario.DEPENDENCY]
    assert len(done.base.files) == 4
    assert done.base.added > done.base.removed > 0


def test_airflow_by_git_needs_an_image_for_what_dags_import(go):
    done, _ = go(Part.AIRFLOW, Way.GIT)
    assert told(done) == dict.fromkeys(ALL, ("passed", ""))
    built = [each.scenario for each in done.changes if each.image_built]
    assert built == [Scenario.CORE_LINE, Scenario.DEPENDENCY]
    assert typed(of(done, Scenario.LINE)) == ["git", ".venvs/core/bin/python"]
    assert not done.base.files


def test_airflow_by_image_is_triggered_once_it_has_parsed_the_new_dag(go):
    done, _ = go(Part.AIRFLOW, Way.IMAGE, (Scenario.LINE, Scenario.ROLLBACK, Scenario.SCHEDULE))
    assert {status for status, _ in told(done).values()} == {"passed"}, told(done)
    assert all(each.image_built for each in done.changes)
    line = of(done, Scenario.LINE)
    assert typed(line) == ["./bakeoff", "docker"]
    assert line.commands[0].seconds <= line.deployed_s <= line.ran_s
    assert of(done, Scenario.SCHEDULE).evidence.startswith("30 6 4 * *, next run")


def test_kubeflow_without_a_server_runs_in_containers_and_says_so(go):
    done, calls = go(Part.KUBEFLOW, Way.DEPLOY)
    assert told(done) == {**dict.fromkeys(ALL, ("passed", "")), Scenario.SCHEDULE: ("not run", NO_SERVER)}
    for change in done.changes:
        if change.scenario is Scenario.SCHEDULE:
            continue
        assert (change.ran_on, change.deployed_s) == ("containers", None)
        assert {each.note for each in change.commands if each.status == "not run"} == {NO_SERVER}
    assert not [call for call in calls if "--host" in call]
    assert [each.status for each in done.start] == ["passed", "passed", "not run", "not run", "not run", "passed"]


class Kfp(FakeKfp):
    """The fake, in which the pods log the code that a version is of."""

    def start(self, run):
        super().start(run)
        named = run["pipeline_version_reference"]["pipeline_version_id"]
        made, flow = json.loads(self.versions[named]["uploaded"]), self.workflows[run["run_id"]]
        if "announce" in made["steps"]:
            flow.task("announce", [next(iter(flow.nodes))])
        self.logs |= {node.pod: made["log"] for node in nodes.of_workflow(flow.json()) if node.pod}


def test_kubeflow_on_a_server(go):
    with Kfp() as fake:
        done, calls = go(Part.KUBEFLOW, Way.DEPLOY, host=fake.address, registry="127.0.0.1:2/team")
    assert told(done) == dict.fromkeys(ALL, ("passed", ""))
    assert all(each.deployed_s is not None for each in done.changes)
    assert {each.scenario for each in done.changes if each.ran_on == "server"} == {*ALL} - {Scenario.SCHEDULE}
    assert [each.scenario for each in done.changes if any("push" in each.line for each in each.commands)] == [
        *(Scenario.CORE_LINE, Scenario.DEPENDENCY),
    ]
    assert "docker push 127.0.0.1:2/team/image:1" in calls
    assert not [call for call in calls if "--runner docker" in call]
    assert of(done, Scenario.STEP).evidence == "task announce: success"
    assert of(done, Scenario.SCHEDULE).evidence == "0 30 11 2 * *; the server tells no next run"


def test_what_does_not_show_is_a_failed_row_and_the_next_one_goes_on(go, monkeypatch):
    """Without the image, the core's line never gets to the server."""
    from benchmarks.changes import scenarios

    feed = scenarios.FEEDS[Part.AIRFLOW, Way.GIT]
    forgotten = {**feed.plans, Scenario.CORE_LINE: feed.plans[Scenario.LINE]}
    changed = scenarios.Feed(feed.start, feed.warm_up, forgotten)
    monkeypatch.setitem(scenarios.FEEDS, (Part.AIRFLOW, Way.GIT), changed)
    done, _ = go(Part.AIRFLOW, Way.GIT, (Scenario.CORE_LINE, Scenario.STEP))
    missing, step = done.changes
    assert missing.status == "failed"
    assert missing.cause.startswith("no line of the log has 'this line of the core is new: run-")
    assert missing.ran_s is not None
    assert step.status == "passed"
    assert not done.passed


def test_a_command_that_fails_is_told_with_the_end_of_what_it_printed(go, monkeypatch):
    monkeypatch.setenv("FAILS", "setup prefect")
    with pytest.raises(measure.NotStarted, match="it went wrong"):
        go(Part.PREFECT, Way.IMAGE)


def test_a_command_of_a_change_that_fails_is_a_failed_row(go, here):
    git(here / "source", "rm", "--quiet", "prefect_impl/ci.sh")
    git(here / "source", "commit", "--quiet", "--message", "test")
    done, _ = go(Part.PREFECT, Way.IMAGE, (Scenario.LINE, Scenario.SCHEDULE))
    line, schedule = done.changes
    assert (line.status, line.commands[-1].status) == ("failed", "failed")
    assert "ci.sh" in line.cause
    assert line.image_built, "the image was rolled out all the same"
    assert schedule.status == "passed"


def test_what_was_started_is_removed_after_ctrl_c(go, here, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trial, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        go(Part.PREFECT, Way.IMAGE, (Scenario.LINE,))
    assert (here / "down").exists()
    assert not list((here / "below").iterdir())


def test_a_patch_that_does_not_fit_is_a_failed_row(go, here):
    path = here / "source" / "prefect_impl" / "flow.py"
    path.write_text(path.read_text().replace("    return steps.validate(window)\n", ""))
    git(here / "source", "commit", "--quiet", "--all", "--message", "test")
    done, _ = go(Part.PREFECT, Way.IMAGE, (Scenario.LINE,))
    [line] = done.changes
    assert line.status == "failed"
    assert "git apply has failed" in line.cause
    assert not line.commands
