"""What may be asked for, what is kept, and what is shown of it."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.changes import scenarios, show
from benchmarks.changes.records import NO_SERVER, Change, Changes, Command, Measured, Touched, merged, read
from benchmarks.changes.scenarios import FEEDS, HERE, OF_A_SERVER, PATCHES, Scenario, Sign, Way
from benchmarks.ci.pipelines import Part
from benchmarks.cli import app
from benchmarks.stacks import engine
from shared.config import parse_config
from shared.errors import ConfigError
from tests.benchmarks.test_results import ENVIRONMENT

LINE = Change(
    scenario=Scenario.LINE,
    status="passed",
    commands=(Command(line="git push | tee log", status="passed", seconds=1.24),),
    deployed_s=6.51,
    ran_s=40.2,
    ran_on="server",
    evidence="this line is new",
    touched=Touched(files=("a.py",), added=1),
)
BROKEN = Change(scenario=Scenario.STEP, status="failed", cause="no task announce has run\nand more")
NOT_RUN = Change(
    scenario=Scenario.SCHEDULE,
    status="not run",
    cause=NO_SERVER,
    commands=(Command(line="deploy", status="not run", note=NO_SERVER),),
)


def measured(tool=Part.AIRFLOW, way=Way.GIT, *changes, **more):
    start = (Command(line="./bakeoff up", status="passed", seconds=60.0),)
    return Measured(tool=tool, way=way, environment=ENVIRONMENT, beside=0, start=start, changes=changes, **more)


@pytest.fixture
def kept(tmp_path):
    """A result file."""
    path = tmp_path / "changes.json"
    git = measured(Part.AIRFLOW, Way.GIT, LINE, BROKEN)
    base = Touched(files=("a", "b"), added=17, removed=6)
    by_git = measured(Part.PREFECT, Way.GIT, LINE, base=base)
    here = LINE.model_copy(update={"deployed_s": None, "ran_on": "containers"})
    kubeflow = measured(Part.KUBEFLOW, Way.DEPLOY, here, NOT_RUN)
    path.write_text(Changes(measured=(kubeflow, git, by_git)).model_dump_json())
    return path


def test_a_way_that_is_measured_again_takes_the_place_of_its_former_result(kept):
    before = read(kept)
    again = measured(Part.AIRFLOW, Way.GIT)
    other = measured(Part.AIRFLOW, Way.IMAGE)
    after = merged(before, [again, other])
    assert [(each.tool, each.way) for each in after.measured] == [
        *((Part.KUBEFLOW, Way.DEPLOY), (Part.PREFECT, Way.GIT)),
        *((Part.AIRFLOW, Way.GIT), (Part.AIRFLOW, Way.IMAGE)),
    ]
    assert after.measured[2] == again
    assert merged(None, [again]).measured == (again,)


def test_what_has_failed_is_a_row_and_what_could_not_be_run_is_no_failure(kept):
    kubeflow, git, _ = read(kept).measured
    assert (kubeflow.passed, git.passed) == (True, False)
    assert show.failures(git) == ["step: no task announce has run\nand more"]


def test_tables_of_the_document(kept, tmp_path):
    rows = show.markdown(kept).splitlines()
    assert rows[2] == "| a line of a step | prefect | git | 1 | 6.5 | 40.2 | no | 1 | +1 -0 | `this line is new` |"
    assert rows[4].startswith("| a line of a step | kubeflow | deploy | 1 |  | 40.2 (no server) |")
    assert "| a step | airflow | git | 0 |  |  | no | 0 | +0 -0 | **failed**: no task announce has run |" in rows
    assert [row for row in rows if f"**not run**: {NO_SERVER}" in row and "| 1 (1 not run) |" in row]
    assert rows[-1].endswith("n = 1.")
    typed = show.commands(kept)
    assert "`git push \\| tee log` 1.2" in typed
    assert "`deploy` not run" in typed
    assert "| 2 files, +17 -6 |" in show.start(kept)
    for table in (show.markdown, show.commands, show.start):
        assert table(tmp_path / "none.json") == "Not measured yet."


def test_table_of_the_terminal(kept):
    console = Console(file=io.StringIO(), width=200)
    console.print(show.table(read(kept).measured[1]))
    told = console.file.getvalue()
    assert "Airflow, by git" in told
    assert "40.2" in told
    assert "failed" in told


def test_the_time_it_takes_is_told_from_what_was_kept(kept):
    chosen = scenarios.chosen(Part.AIRFLOW, Way.GIT, ())
    assert "about 1 minutes at most (by what was kept" in show.estimate(Part.AIRFLOW, chosen, read(kept))
    assert "about 30 minutes at most (a guess" in show.estimate(
        Part.PREFECT, scenarios.chosen(Part.PREFECT, None, ()), None
    )


def test_scenarios_are_measured_in_their_own_order():
    asked = (Scenario.ROLLBACK, Scenario.STEP, Scenario.LINE)
    assert scenarios.chosen(Part.AIRFLOW, Way.GIT, asked) == [
        (Way.GIT, [Scenario.LINE, Scenario.ROLLBACK, Scenario.STEP])
    ]
    assert [way for way, _ in scenarios.chosen(Part.PREFECT, None, ())] == [Way.IMAGE, Way.GIT]


@pytest.mark.parametrize(
    ("tool", "way", "asked", "told"),
    [
        (Part.KUBEFLOW, Way.GIT, (), "kubeflow is not fed that way"),
        (Part.AIRFLOW, Way.DEPLOY, (), "choose image or git"),
        (Part.AIRFLOW, None, (Scenario.ROLLBACK,), "a rollback needs a change before it"),
    ],
)
def test_what_cannot_be_measured_is_refused(tool, way, asked, told):
    with pytest.raises(ConfigError, match=told):
        scenarios.chosen(tool, way, asked)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tool", "prefect", "--scenario", "nothing"], "'nothing' is not one of"),
        (["--tool", "prefect", "--way", "mail"], "'mail' is not one of"),
        (["--tool", "airflow", "--way", "deploy"], "airflow is not fed that way"),
        (["--tool", "kubeflow", "--host", "http://x"], "a server and a registry go together"),
        (["--tool", "airflow", "--host", "http://x", "--registry", "y"], "needs no server that is there already"),
        (["--tool", "airflow", "--scenario", "rollback"], "a rollback needs a change before it"),
    ],
)
def test_the_command_refuses_before_anything_starts(words, told, monkeypatch):
    monkeypatch.setattr(engine, "info", lambda: pytest.fail("the engine was asked"))
    done = CliRunner().invoke(app, ["bench", "changes", *words], env={"COLUMNS": "200"})
    assert done.exit_code
    assert told in done.stderr


def test_an_engine_that_does_not_answer_is_told_before_anything_starts(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = CliRunner().invoke(app, ["bench", "changes", "--tool", "prefect"])
    assert done.exit_code == 1
    assert "there is no docker client" in done.stderr


def test_an_engine_without_room_is_told_before_anything_starts(monkeypatch):
    about = {"OSType": "linux", "Architecture": "x86_64", "NCPU": 1, "MemTotal": 2**34, "DockerRootDir": "/"}
    monkeypatch.setattr(engine, "info", lambda: about)
    monkeypatch.setattr(engine, "compose_version", lambda: "2.26")
    done = CliRunner().invoke(app, ["bench", "changes", "--tool", "prefect"])
    assert done.exit_code == 1
    assert "the engine has 1 CPUs; 2 are needed" in done.stderr


@pytest.mark.parametrize("key", list(FEEDS), ids=lambda each: f"{each[0]}-{each[1]}")
def test_every_way_has_a_plan_for_every_scenario(key):
    tool, _ = key
    feed = FEEDS[key]
    assert {*feed.plans} == {*Scenario}
    assert not feed.base or (PATCHES / tool / f"{feed.base}.patch").exists()
    for scenario, plan in feed.plans.items():
        assert plan.signs
        assert (Sign.CRON in plan.signs) == (scenario is Scenario.SCHEDULE)
        if tool is Part.KUBEFLOW:
            assert any(each in line for line in plan.commands for each in OF_A_SERVER)
            assert (HERE in plan.commands) == (scenario is not Scenario.SCHEDULE)


@pytest.mark.parametrize("tool", [Part.AIRFLOW, Part.PREFECT, Part.KUBEFLOW])
def test_the_small_retraining_is_one_that_the_core_takes(tool):
    asked = json.loads(scenarios.smoke(tool, Scenario.STEP))
    settings = {"month": "2013-03"} | asked.pop("settings", {}) | asked
    config = parse_config(settings)
    assert config.model_name == "changes-step"
    assert len(config.all_candidates) == 1
