"""The broken changes and what is told of them; tests/stacks/ci runs them for real."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from benchmarks.ci import broken, broken_show, pipelines, workflow
from benchmarks.ci.broken import TOOLS, Fault
from benchmarks.ci.pipelines import System
from benchmarks.ci.records import StepRun
from benchmarks.places import ROOT
from tests.benchmarks.test_results import ENVIRONMENT

CHANGES = broken.changes()
NAMES = [f"{each.tool} {each.fault}" for each in CHANGES]


def real(tool):
    [path] = pipelines.files(tool, System.GITHUB)
    return workflow.load(path, ROOT)


def git(*words, **more):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_tool_has_every_fault():
    assert sorted((each.tool, each.fault) for each in CHANGES) == sorted((t, f) for t in TOOLS for f in Fault)
    assert {*broken.FOLDER.glob("*/*.patch")} == {each.patch for each in CHANGES}


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_each_patch_fits_the_commit_and_is_of_one_tool_alone(change, tmp_path):
    env = {**os.environ, "GIT_INDEX_FILE": str(tmp_path / "index")}  # the commit, whatever the working tree holds
    git("read-tree", "HEAD", env=env)
    git("apply", "--cached", str(change.patch), env=env)
    changed = git("diff", "--cached", "--name-only", "HEAD", env=env).split()
    assert changed
    own = (f"{change.tool}_impl/", f"tests/{change.tool}_impl/")
    assert [path for path in changed if not path.startswith(own)] == []


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_the_step_that_has_to_stop_it_is_run_with_what_it_builds_on(change):
    whole = real(change.tool)
    part = broken.only(whole, change)
    job, *later = part.jobs
    assert (job.id, job.needs) == (change.job, ())
    assert {"actions/checkout", "actions/setup-python"} <= {step.action for step in job.steps}
    scripts = [step.name for step in job.steps if not step.uses]
    if change.job == "test":
        assert scripts == [change.step]
    else:
        assert scripts[0].startswith("Build the image")
        assert scripts[-2:] == [change.step, "Logs"]
    assert [each.id for each in later] == [each.id for each in whole.jobs][-len(later) :]
    assert "staging" in {each.id for each in later}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tools_own_check_can_be_run_alone(tool):
    [job] = broken.own(real(tool)).jobs
    [name] = [step.name for step in job.steps if not step.uses]
    assert name.startswith("Integrity, ")


def ran(job, name, status="passed", **more):
    return StepRun(job=job, name=name, status=status, **more)


def test_a_row_tells_what_stopped_it_and_what_did_not():
    change = next(each for each in CHANGES if each.fault is Fault.WRONG_TYPE and each.tool == "prefect")
    whole = real(change.tool)
    test, stack, staging, _ = (job.id for job in whole.jobs)
    steps = (
        ran(test, "actions/checkout", action="actions/checkout", seconds=1),
        ran(test, "Lint, types", seconds=10),
        ran(test, "Integrity, the flow loads", seconds=20),
        ran(test, "Unit tests", "failed", seconds=30.26, commands=("make test-prefect",)),
        ran(test, "Parity", "not run"),
        ran(stack, "Smoke run", "not run"),
        ran(staging, "Deploy", "not run"),
    )
    row = broken.became(change, whole, steps, (), "the cause")
    assert row.passed == ("Lint, types", "Integrity, the flow loads")
    assert (row.job, row.step, row.when) == ("test", "Unit tests", "at run time, in the tests")
    assert (row.seconds, row.own_check, row.before_deploy) == (61.3, False, True)
    late = (*steps[:3], ran(stack, "Smoke run", "failed", seconds=1), ran(staging, "Deploy", seconds=1))
    row = broken.became(change, whole, late, (), "")
    assert (row.when, row.seconds, row.before_deploy) == ("at run time, in the image", 1, False)
    early = (*steps[:2], ran(test, "Integrity, the flow loads", "failed", seconds=1))
    row = broken.became(change, whole, early, (), "")
    assert (row.when, row.own_check) == ("before anything runs", True)
    shadowed = (ran(test, "Lint, types", "failed", seconds=1), ran(test, "Integrity, the flow loads", "not run"))
    row = broken.became(change, whole, shadowed, (ran(test, "Integrity, the flow loads", seconds=1),), "")
    assert (row.when, row.own_check, row.passed) == ("before anything runs", False, ())


def test_the_logs_that_a_job_shows_when_a_step_has_failed_are_read_too(tmp_path):
    whole = real("kubeflow")
    image = next(job for job in whole.jobs if job.id == "image")
    names = [step.name for step in image.steps]
    (tmp_path / "image").mkdir()
    for number, name in enumerate(names, 1):
        (tmp_path / "image" / f"{number}.log").write_text(f"{name}\n")
    smoke = next(name for name in names if name.startswith("Smoke run"))
    failed = ran("image", smoke, "failed")
    push = ran("image", "Push the image", "not run")
    assert broken.log_of(tmp_path, whole, (failed, ran("image", "Logs"), push), failed) == f"{smoke}\nLogs\n"


def test_the_line_that_tells_the_cause_begins_with_it():
    log = "collecting\nE   NameError: no x (a/b.py)  \nNameError: no x"
    assert broken.telling(log, "NameError: no") == "NameError: no x (a/b.py)"
    assert broken.telling(log, "KeyError") == ""


def of(tool, *rows):
    return broken.OfTool(tool=tool, environment=ENVIRONMENT, changes=rows)


def test_the_rows_of_a_tool_that_was_run_again_replace_its_former_ones():
    before = broken.CiBroken(tools=(of("airflow"), of("kubeflow")))
    change = next(each for each in CHANGES if each.tool == "airflow")
    steps = (ran("test", "Integrity, every DAG imports", "failed", seconds=1),)
    new = of("airflow", broken.became(change, real(change.tool), steps, (), "the cause"))
    assert broken.merged(before, new).tools == (new, before.tools[1])
    assert broken.merged(None, new).tools == (new,)


def saved_rows(tool):
    kept = broken.read()
    rows = [row for each in (kept.tools if kept else ()) if each.tool == tool for row in each.changes]
    if not rows:
        pytest.skip(f"not kept yet: pytest tests/stacks/ci -k {tool} --save-broken")
    return rows


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_what_was_kept_says_that_the_expected_step_stopped_it(change):
    [row] = [row for row in saved_rows(change.tool) if row.fault is change.fault]
    assert (row.job, row.step) == (change.job, change.step)
    assert (row.did, row.note) == (change.did, change.note), "keep it anew: tests/stacks/ci --save-broken"
    assert change.cause in row.line
    assert row.before_deploy
    assert row.own_check == row.step.startswith(broken.OWN)


def told(row):
    """The row's line as Markdown's code, in which no backquote may stand."""
    return f"`{re.sub(chr(27) + r'.*?m', '', row.line).replace(chr(96), chr(39))}`"


def test_a_line_of_a_log_is_shown_without_its_colours(tmp_path):
    change = next(each for each in CHANGES if each.tool == "kubeflow")
    steps = (ran("test", "Integrity, the pipeline compiles", "failed", seconds=1),)
    row = broken.became(change, real(change.tool), steps, (), "Pipeline \x1b[95m'retrain'\x1b[0m: `x` failed")
    path = tmp_path / "coloured.json"
    path.write_text(broken.CiBroken(tools=(of("kubeflow", row),)).model_dump_json())
    assert "`Pipeline 'retrain': 'x' failed`" in broken_show.markdown(path)


def test_the_document_tells_what_the_rows_say(tmp_path):
    kept = broken.read()
    if not kept:
        pytest.skip("not kept yet: pytest tests/stacks/ci --save-broken")
    rows = [row for of in kept.tools for row in of.changes]
    shown = broken_show.markdown()
    assert f"Of {len(rows)} broken changes {len(rows)} were stopped before deploy" in shown
    lines = shown.splitlines()
    for row in rows:
        title, fault = broken_show._TITLES[row.tool], broken_show._FAULTS[row.fault]
        [line] = [line for line in lines if line.startswith(f"| {fault} | {title} | {row.did} |")]
        assert f"| {row.job}: {row.step} |" in line
        assert row.when in line
        assert ("| refuses it |" in line) == row.own_check
        [line] = [line for line in lines if line.startswith(f"- {title}, {fault}: ")]
        assert told(row) in line
        assert row.note in line
    late = rows[0].model_copy(update={"before_deploy": False})
    path = tmp_path / "late.json"
    path.write_text(broken.CiBroken(tools=(of("airflow", late),)).model_dump_json())
    assert "Of 1 broken changes 0 were stopped" in broken_show.markdown(path)
    assert "**after deploy**" in broken_show.markdown(path)
    assert broken_show.markdown(tmp_path / "none") == "Not measured yet."
