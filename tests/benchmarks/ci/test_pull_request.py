"""A pull request on a small repository, whose server is a file that the deploying job writes."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from benchmarks.ci import live, pull_request, show_pull_request
from benchmarks.ci.checkout import Checkout
from benchmarks.ci.pipelines import Part
from benchmarks.ci.records import PullRequest, PullRequests, Seen, with_pull_request
from benchmarks.ci.workflow import Values
from benchmarks.places import ROOT
from benchmarks.stacks.rest import Silent
from shared.errors import StorageError
from tests.benchmarks.ci.test_run import INLINE, git, repository  # noqa: F401 - a fixture
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp

PATCH = f"""\
--- a/here.txt
+++ b/here.txt
@@ -1 +1 @@
-as committed
+{live.MARK}
"""
JOBS = f"""
test:
  runs-on: x
  steps:
    - {INLINE}
    - {{name: Check, run: "grep -v broken here.txt && echo checked >> ../jobs"}}
stack:
  needs: test
  runs-on: x
  steps: [{INLINE}, {{name: Run, run: echo stack >> ../jobs}}]
staging:
  needs: stack
  if: github.ref == 'refs/heads/main'
  environment: there
  runs-on: x
  steps:
    - {INLINE}
    - name: Deploy
      run: |
        echo staging >> ../jobs
        git rev-parse HEAD > ../server
        cat here.txt >> ../server
"""


def on_server(checkout):
    """What the file says that is the server."""

    def ask(tool, values):
        if not (checkout.scratch / "server").exists():
            raise Silent("the server does not answer", where="here", fix="start it")
        commit, said = (checkout.scratch / "server").read_text().splitlines()
        return Seen(version=commit, run="one", run_version=commit, succeeded=True, changed=live.MARK in said)

    return ask


@pytest.fixture
def play(tmp_path, repository):  # noqa: F811
    made = Checkout(Values(github={"actor": "local"}), repository(JOBS), tmp_path / "below")

    def play(patch=PATCH, ask=None):
        (tmp_path / "prefect.patch").write_text(patch)
        console = Console(file=io.StringIO())
        done = pull_request.play(made, Part.PREFECT, tmp_path / "prefect.patch", console, ask or on_server(made))
        jobs = (made.scratch / "jobs").read_text().split()
        return done, jobs

    play.checkout = made
    yield play
    made.close()


def test_a_change_is_checked_merged_deployed_and_rolled_back(play):
    done, jobs = play()
    assert done.passed, [each.problem for each in done.events]
    assert [(each.name, each.jobs) for each in done.events] == [
        ("before", ("stack", "staging")),
        ("pull request", ("test", "stack")),
        ("merge", ("test", "stack", "staging")),
        ("roll back", ("staging",)),
    ]
    assert jobs == [*("stack", "staging"), *("checked", "stack"), *("checked", "stack", "staging"), "staging"]
    first, change = done.events[0].commit, done.events[2].commit
    assert [each.seen.version for each in done.events] == [first, first, change, first]
    assert [each.seen.changed for each in done.events] == [False, False, True, False]
    origin = play.checkout.scratch / "origin.git"
    assert git(origin, "rev-parse", "main") == git(origin, "rev-parse", "change") == change
    assert git(play.checkout.source, "rev-parse", "HEAD") == first


def test_a_change_that_fails_its_checks_goes_no_further(play):
    done, jobs = play(PATCH.replace(live.MARK, "broken"))
    assert [each.name for each in done.events] == ["before", "pull request"]
    assert done.events[1].problem.startswith("test, Check: exit code 1")
    assert jobs == ["stack", "staging"]
    assert done.events[1].seen.version == done.events[0].commit, "the server has what it had"


def test_a_change_that_does_not_show_on_the_server_is_told(play):
    done, _ = play(PATCH.replace(live.MARK, "another word"))
    assert [each.name for each in done.events] == ["before", "pull request", "merge"]
    assert done.events[2].problem == "the newest run, one, does not show the change"


def test_a_server_that_has_another_version_is_told(play):
    old = Seen(version="old", run="one", run_version="older", succeeded=True)
    done, _ = play(ask=lambda tool, values: old)
    assert done.events[0].problem.endswith("but old is deployed, and the newest run is of older")


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        (Seen(version="v"), "the newest run, none, has not succeeded"),
        (Seen(version="v", run="r"), "the newest run, r, has not succeeded"),
    ],
)
def test_a_run_that_has_not_succeeded_is_told(play, seen, problem):
    done, _ = play(ask=lambda tool, values: seen)
    assert [each.problem for each in done.events] == [problem]


def test_a_server_that_does_not_answer_is_told(play):
    def silent(tool, values):
        raise Silent("the server does not answer", where="here", fix="start it")

    done, _ = play(ask=silent)
    assert [each.problem for each in done.events] == ["the server does not answer"]


def test_a_patch_that_does_not_fit_is_told(play):
    with pytest.raises(StorageError, match="patch"):
        play(PATCH.replace("as committed", "something else"))


@pytest.mark.parametrize("tool", [Part.PREFECT, Part.AIRFLOW, Part.KUBEFLOW])
def test_each_tools_patch_fits_and_marks_what_the_server_shows(tool, tmp_path):
    pytest.importorskip("ruff", reason="`make check` brings it")
    patch = pull_request.PATCHES / f"{tool}.patch"
    assert live.MARK in patch.read_text()
    git(tmp_path, "clone", "--quiet", str(ROOT), "clone")
    git(tmp_path / "clone", "apply", str(patch))
    for look in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *look, f"{tool}_impl"], cwd=tmp_path / "clone", check=True)


def test_what_was_played_is_told_and_kept_tool_by_tool(play, tmp_path):
    done, _ = play()
    kept = with_pull_request(with_pull_request(None, done), done)
    assert len(kept.pull_requests) == 1
    other = done.model_copy(update={"tool": Part.AIRFLOW})
    kept = with_pull_request(kept, other)
    assert [each.tool for each in kept.pull_requests] == [Part.PREFECT, Part.AIRFLOW]
    (tmp_path / "kept.json").write_text(kept.model_dump_json())
    text = show_pull_request.markdown(tmp_path / "kept.json")
    short = done.events[2].commit[:7]
    assert f"| merge | {short} | test, stack, staging |" in text
    assert f"| {short} | of {short}, succeeded, shows the change |" in text
    assert f"+{live.MARK}" in text
    assert PullRequests.model_validate_json(kept.model_dump_json()) == kept
    assert show_pull_request.problems(done) == []


def test_without_a_result_it_is_said(tmp_path):
    assert show_pull_request.markdown(tmp_path / "none.json") == "Not measured yet."


def test_kubeflows_newest_run_is_of_the_version_that_it_names():
    """A stand-in of the API: it proves the reading, nothing about KFP."""
    with FakeKfp() as kfp:
        values = Values({}, vars={"KFP_HOST": kfp.address}, secrets={"BAKEOFF_KFP_TOKEN": ""})
        pipeline = kfp._create_pipeline({}, {"display_name": "retrain"})[1]["pipeline_id"]
        experiment = kfp._create_experiment({}, {"display_name": "bakeoff"})[1]["experiment_id"]
        for name, said in (("one", "before"), ("two", live.MARK)):
            kfp._upload_version({"pipelineid": pipeline, "name": name, "display_name": name}, b"")
            [*_, version] = kfp.versions.values()
            version |= {"pipeline_spec": {"said": said}, "created_at": f"2026-01-0{len(kfp.versions)}T00:00:00Z"}
        seen = live.seen(Part.KUBEFLOW, values)
        assert seen == Seen(version="two")
        for at, version in enumerate([*kfp.versions, next(iter(kfp.versions))]):
            names = {"pipeline_id": pipeline, "pipeline_version_id": version}
            body = {"experiment_id": experiment, "display_name": f"ci {at}", "pipeline_version_reference": names}
            run = kfp._create_run({}, body)[1]
            run["created_at"] = f"2026-01-01T00:00:0{at}Z"
            seen = live.seen(Part.KUBEFLOW, values)
            assert (seen.run, seen.succeeded, seen.changed) == (f"ci {at}", True, at == 1)
        assert (seen.version, seen.run_version) == ("two", "one")


def test_the_record_has_what_json_can_hold(play):
    done, _ = play()
    assert PullRequest.model_validate(json.loads(done.model_dump_json())) == done
