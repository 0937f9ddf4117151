"""DAGs by commit: two versions at once, an old run again as it was, and a CI job that deploys and runs."""

import os
import subprocess
import sys

import pytest

from benchmarks.places import ROOT
from tests.stacks.airflow.calls import until

DAG = """
from airflow.sdk import Variable, dag, task


@dag(schedule=None)
def released():
    @task.sensor(poke_interval=1)
    def held() -> bool:
        return Variable.get("released", "{free}") == "yes"

    @task(doc_md="Say {word}.")
    def tell() -> str:
        return "{word}"

    held() >> tell()


released()
"""
PUSH = """
set -eu
rm -rf /tmp/work && git clone --quiet /code/dags.git /tmp/work && cd /tmp/work
cat > released.py && git add released.py
git -c user.name=test -c user.email=test@localhost commit --quiet --message test && git push --quiet origin HEAD:main
git rev-parse HEAD
"""


def push(airflow, code):
    """Deploy the DAG; gives the commit."""
    return airflow.stack.compose.exec("airflow-scheduler", "sh", "-c", PUSH, stdin=code).strip()


def versions(airflow):
    """Commit of each version of the DAG, the oldest first."""
    found = airflow.ask("GET", "dags/released/dagVersions", params={"order_by": "version_number"})["dag_versions"]
    return [each["bundle_version"] for each in found]


def deployed(airflow, commit):
    known = {each["dag_id"] for each in airflow.ask("GET", "dags")["dags"]}
    return "released" in known and versions(airflow)[-1] == commit


def said(run):
    return run.ask("GET", "/taskInstances/tell/xcomEntries/return_value")["value"].strip('"')


@pytest.mark.capability("versions")
def test_two_commits_run_at_once_and_an_old_run_runs_again_as_it_was(airflow, figure):
    commits, runs = [], []
    codes = {word: DAG.format(word=word, free="no") for word in ("one", "two")}
    for word, code in codes.items():
        commit = push(airflow, code)
        until(lambda commit=commit: deployed(airflow, commit), f"version {word}", 120)
        commits.append(commit)
        runs.append(airflow.trigger("released", word))
    until(lambda: {run.now()["state"] for run in runs} == {"running"}, "two versions at once")
    airflow.ask("POST", "variables", json={"key": "released", "value": "yes"})
    assert [run.ended() for run in runs] == ["success", "success"]
    assert [said(run) for run in runs] == ["one", "two"]
    # From a run to its code, by the commit: what Airflow itself keeps as the source of "one" is overwritten by "two",
    # which comes within 30 s of it (core.min_serialized_dag_update_interval).
    assert [run.now()["bundle_version"] for run in runs] == commits == versions(airflow)
    for commit, code in zip(commits, codes.values(), strict=True):
        show = ("git", "-C", "/code/dags.git", "show", f"{commit}:released.py")
        assert airflow.stack.compose.exec("airflow-scheduler", *show) == code

    old = runs[0]
    for latest, word in ((False, "one"), (True, "two")):
        again = {"dry_run": False, "only_failed": False, "run_on_latest_version": latest}
        old.ask("POST", "/clear", json=again)
        assert old.ended() == "success"
        assert said(old) == word
    assert old.executions("tell") == 3


@pytest.mark.capability("ci")
def test_a_ci_job_deploys_by_git_push_and_runs_that_commit(airflow):
    commit = push(airflow, DAG.format(word="three", free="yes"))
    up = airflow.stack.up
    login = {"AIRFLOW_URL": up.url, "AIRFLOW_USER": up.user, "AIRFLOW_PASSWORD": up.password}
    job = [sys.executable, "-m", "airflow_impl.ci", "released", commit]
    done = subprocess.run(job, cwd=ROOT, env=os.environ | login, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, f"released ci__{commit[:12]}: success\n"), done.stderr
    [run] = airflow.runs("released", bundle_version=commit)
    assert run["dag_run_id"] == f"ci__{commit[:12]}"
