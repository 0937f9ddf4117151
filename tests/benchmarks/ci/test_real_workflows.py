"""The real workflow of each tool from end to end, in a repository whose verbs only write down that they were called."""

from __future__ import annotations

import os
import shutil

import pytest
from rich.console import Console

from benchmarks.ci import pipelines, run
from benchmarks.ci.local import NO_PRODUCTION, NO_REGISTRY, NO_SERVER, Asked, LocalCheckout
from benchmarks.ci.pipelines import Part, System
from benchmarks.places import ROOT
from tests.benchmarks.ci.test_run import git

#: Each environment's programs come with the first call, as with the real one.
BAKEOFF = """#!/bin/sh
echo "./bakeoff $*" >> "$HERE/calls"
for name in core prefect kubeflow; do
    mkdir -p .venvs/$name/bin
    for program in python prefect; do
        path=.venvs/$name/bin/$program
        printf '#!/bin/sh\\necho "%s $* $PREFECT_API_URL$AIRFLOW_URL" >> "$HERE/calls"\\n' $program > $path
        chmod +x $path
    done
done
case "$*" in
"$FAILS") exit 3 ;;
"build kubeflow") echo image:1 ;;
*--quiet) grep ^STACK= "$4" > /dev/null || exit 4 ;;
esac
"""
MAKEFILE = "%:\n\t@echo make $@ >> $(HERE)/calls\n"
DOCKER = """#!/bin/sh
if [ "$1" = exec ]; then shift 3; exec "$1" "$HERE/dags.git"; fi
case "$1" in login | tag | push) echo "docker $*" >> "$HERE/calls" ;; esac
"""


@pytest.fixture
def go(tmp_path, monkeypatch):
    """Run a tool's workflow; gives its runs and the calls."""
    source = tmp_path / "source"
    for path in (*(pipelines.files(tool, System.GITHUB)[0] for tool in Part), "prefect_impl/ci.sh"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    (source / "tests" / "kubeflow_impl").mkdir(parents=True)
    (source / "tests" / "kubeflow_impl" / "retrain.yaml").write_text("compiled")
    (source / "Makefile").write_text(MAKEFILE)
    (source / "bakeoff").write_text(BAKEOFF)
    (source / "bakeoff").chmod(0o755)
    (source / ".gitignore").write_text(".venvs\n/compose/.env\n")
    git(tmp_path, "init", "--quiet", str(source))
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "test")
    git(tmp_path, "init", "--quiet", "--bare", "dags.git")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))

    def go(tool, kinds=("cold",), **more):
        make = lambda: LocalCheckout(Asked(tool, **more), print, source, tmp_path / "below")  # noqa: E731
        with open(os.devnull, "w") as nothing:
            runs = list(run.in_checkout(make, tool, kinds, Console(file=nothing), keep=False))
        assert not list((tmp_path / "below").iterdir())
        return runs, (tmp_path / "calls").read_text().splitlines()

    return go


def became(done):
    """Job and step, with what became of it; actions left out."""
    return {(each.job, each.name): each for each in done.steps if not each.action}


def verbs(calls, *words):
    return [call for call in calls if call.startswith(words)]


def test_prefects(go):
    (cold, warm), calls = go(Part.PREFECT, ("cold", "warm"))
    for done in (cold, warm):
        assert done.passed, [each.note for each in done.steps]
        statuses = {key: each.status for key, each in became(done).items()}
        assert [key for key, status in statuses.items() if status == "not run"] == [
            ("stack", "Logs"),
            ("production", "Roll out the image"),
            ("production", "Promote, smoke run"),
        ]
        assert became(done)["production", "Promote, smoke run"].note == NO_PRODUCTION
    once = len(calls) // 2
    assert [call.split()[:3] for call in calls[:once]] == [call.split()[:3] for call in calls[once:]]
    assert calls[:6] == [
        *("make check", "make deployments", "make test-prefect"),
        "./bakeoff demo --on plain --on prefect --month 2013-03",
        "./bakeoff up prefect",
        "./bakeoff retrain --on prefect --stack compose --month 2013-03",
    ]
    assert verbs(calls, "prefect")[1].startswith("prefect deployment run retrain/retrain --param config={")
    assert "http://127.0.0.1:" in verbs(calls, "prefect")[0]


def test_prefects_with_production(go):
    [done], _ = go(Part.PREFECT, production=True)
    assert {each.status for each in became(done).values() if each.job == "production"} == {"passed"}


def test_airflows_deploys_by_a_push_into_the_stacks_repository(go, tmp_path):
    [done], calls = go(Part.AIRFLOW)
    assert done.passed, [each.note for each in done.steps]
    head = git(tmp_path / "source", "rev-parse", "HEAD")
    assert git(tmp_path / "dags.git", "rev-parse", "airflow-staging") == head
    [smoke] = verbs(calls, "python -m airflow_impl.ci")
    assert smoke.startswith(f"python -m airflow_impl.ci retrain {head} ")
    assert "http://127.0.0.1:" in smoke


def test_kubeflows_without_a_server(go):
    [done], calls = go(Part.KUBEFLOW)
    assert done.passed, [each.note for each in done.steps]
    found = became(done)
    assert found["image", "Build the image"].status == "passed"
    assert found["image", "Push the image"].note == NO_REGISTRY
    assert found["staging", "Deploy"].note == NO_SERVER
    assert found["production", "Promote"].note == "the job staging has not run"
    assert not verbs(calls, "./bakeoff deploy", "docker")


def test_kubeflows_with_a_server_and_a_registry(go):
    [done], calls = go(Part.KUBEFLOW, host="http://127.0.0.1:1", registry="127.0.0.1:2/team")
    assert done.passed, [each.note for each in done.steps]
    assert "docker push 127.0.0.1:2/team/image:1" in calls
    assert "./bakeoff deploy kubeflow --host http://127.0.0.1:1 --image 127.0.0.1:2/team/image:1" in calls
    assert became(done)["production", "Promote"].note == NO_PRODUCTION


def test_what_fails_on_the_servers_shows_its_logs_and_is_not_deployed(go, monkeypatch):
    monkeypatch.setenv("FAILS", "up prefect")
    [done], calls = go(Part.PREFECT)
    found = became(done)
    assert found["stack", "Build the image, start the servers"].note.startswith("exit code 3")
    assert [found["stack", name].status for name in ("Smoke run", "Logs")] == ["not run", "passed"]
    assert found["staging", "Roll out the image"].note == "the job stack has failed"
    assert found["production", "Roll out the image"].note == "the job staging has not run"
    assert calls[-1] == "./bakeoff logs prefect --tail 200"
