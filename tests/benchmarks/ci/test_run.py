"""Small workflows, run for real: by bash, in a clone, with processes that have to be gone afterwards."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from rich.console import Console

from benchmarks.ci import run, runner, show_run, workflow
from benchmarks.ci.checkout import Checkout
from benchmarks.ci.pipelines import Part
from benchmarks.ci.records import CiRuns, merged
from benchmarks.ci.workflow import Values
from benchmarks.display import Display
from benchmarks.places import ROOT
from shared.errors import ConfigError, StorageError

PATH = ".github/workflows/prefect.yml"
SHA = "0123456789012345678901234567890123456789"
CLONE = f"- uses: actions/checkout@{SHA}"
INLINE = f"{{uses: actions/checkout@{SHA}}}"


def git(folder, *words):
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *who, *words], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit; gives what writes its workflow, dedented below `jobs:`."""
    source = tmp_path / "source"
    (source / PATH).parent.mkdir(parents=True)
    git(tmp_path, "init", "--quiet", "--initial-branch", "other", str(source))

    def write(jobs, head=""):
        (source / PATH).write_text(f"on: push\n{head}\njobs:\n{textwrap.indent(textwrap.dedent(jobs), '  ')}")
        (source / "here.txt").write_text("as committed\n")
        (source / ".gitignore").write_text("built\n")
        git(source, "add", "--all")
        git(source, "commit", "--quiet", "--message", "test")
        return source

    return write


@pytest.fixture
def go(tmp_path, repository):
    """Run a workflow; gives its runs."""

    def run_it(jobs, head="", kinds=("cold",), keep=False, **values):
        given = Values(github={"actor": "local", "ref": "refs/heads/main", "sha": SHA}, **values)
        source = repository(jobs, head)
        console = Console(file=open(os.devnull, "w"))  # noqa: SIM115
        make = lambda: Checkout(given, source, tmp_path / "below")  # noqa: E731
        return list(run.in_checkout(make, Part.PREFECT, kinds, console, keep=keep))

    return run_it


def told(runs):
    return [(each.job, each.name, each.status) for each in runs[0].steps]


def notes(runs):
    return {each.name: each.note for each in runs[0].steps}


def test_a_workflow_that_passes(go, tmp_path):
    [done] = go(
        f"""
        a:
          runs-on: x
          steps:
            {CLONE}
              with: {{persist-credentials: false}}
            - name: Look
              env: {{NAME: two words}}
              run: |
                test "$(cat here.txt)" = "as committed"
                test "$NAME" = "two words" && test "$GLOBAL" = yes && test "$JOB" = "${{GITHUB_SHA:0:0}}j"
                test "$CI" = true
        """.replace("runs-on: x", "runs-on: x\n          env: {JOB: j}"),
        head="env: {GLOBAL: yes-no}\n".replace("yes-no", "'yes'"),
    )
    assert [(each.status, each.action) for each in done.steps] == [("passed", "actions/checkout"), ("passed", "")]
    assert done.passed
    assert 0 < done.seconds == pytest.approx(sum(each.seconds for each in done.steps))
    assert done.steps[0].note == "here: a clone of this repository's HEAD"
    assert len(done.steps[1].commands) == 3
    assert not list((tmp_path / "below").iterdir()), "the scratch folder is gone"


def test_a_failed_step_ends_its_job_and_those_that_need_it(go):
    runs = go(
        """
        bad:
          runs-on: x
          steps:
            - {name: one, run: "echo first; false; echo never"}
            - {name: two, run: echo}
            - {name: logs, if: failure(), run: echo}
            - {name: always, if: always(), run: echo}
        good: {runs-on: x, steps: [{name: free, run: echo}, {name: logs of free, if: failure(), run: echo}]}
        after: {runs-on: x, needs: [good, bad], steps: [{name: needy, run: echo}]}
        later: {runs-on: x, needs: after, steps: [{name: needier, run: echo}]}
        mail: {runs-on: x, needs: bad, if: failure(), steps: [{name: mail, run: echo}]}
        """
    )
    assert told(runs) == [
        ("bad", "one", "failed"),
        ("bad", "two", "not run"),
        ("bad", "logs", "passed"),
        ("bad", "always", "passed"),
        ("good", "free", "passed"),
        ("good", "logs of free", "not run"),
        ("after", "needy", "not run"),
        ("later", "needier", "not run"),
        ("mail", "mail", "passed"),
    ]
    found = notes(runs)
    assert found["one"] == "exit code 1; the end of it:\nfirst"
    assert found["two"] == "a step before it has failed"
    assert found["logs of free"] == "no step before it has failed"
    assert found["needy"] == "the job bad has failed"
    assert found["needier"] == "the job after has not run"
    assert not runs[0].passed


def test_jobs_are_run_after_those_that_they_need(go):
    runs = go(
        """
        b: {runs-on: x, needs: a, steps: [{name: two, run: echo}]}
        a: {runs-on: x, steps: [{name: one, run: echo}]}
        """
    )
    assert [each.name for each in runs[0].steps] == ["one", "two"]


def test_outputs_go_from_step_to_step_and_from_job_to_job(go):
    runs = go(
        """
        make:
          runs-on: x
          outputs: {name: "${{ steps.build.outputs.name }}", none: "${{ steps.build.outputs.none }}"}
          steps:
            - id: build
              run: |
                echo "name=an=image" >> "$GITHUB_OUTPUT"
                printf 'many<<END\\none\\ntwo\\nEND\\n' >> "$GITHUB_OUTPUT"
                echo "LATER=yes" >> "$GITHUB_ENV"
                mkdir programs && printf '#!/bin/sh\\necho ours' > programs/ours && chmod +x programs/ours
                echo "$PWD/programs" >> "$GITHUB_PATH"
            - env: {NAME: "${{ steps.build.outputs.name }}", MANY: "${{ steps.build.outputs.many }}"}
              run: |
                test "$NAME" = an=image && test "$MANY" = $'one\\ntwo' && test "$LATER" = yes && test "$(ours)" = ours
        use:
          runs-on: x
          needs: make
          env: {WHOLE: "${{ vars.REGISTRY }}/${{ needs.make.outputs.name }}", NONE: "${{ needs.make.outputs.none }}"}
          steps:
            - run: test "$WHOLE" = host/an=image && test -z "$NONE" && test -z "$LATER"
        """,
        vars={"REGISTRY": "host"},
    )
    assert runs[0].passed, [each.note for each in runs[0].steps]


def test_conditions_are_answered_by_the_settings(go):
    runs = go(
        """
        staging:
          if: github.ref == 'refs/heads/main' && vars.RUNNER != ''
          runs-on: ${{ vars.RUNNER }}
          steps: [{name: deploy, run: echo}, {name: never, if: vars.RUNNER == 'other', run: echo}]
        production:
          if: github.ref == 'refs/heads/main' && vars.NONE != ''
          runs-on: ${{ vars.NONE }}
          steps: [{name: promote, run: echo}]
        """,
        vars={"RUNNER": "local", "NONE": ""},
        absent={"vars.NONE": "only when asked for"},
    )
    assert [status for *_, status in told(runs)] == ["passed", "not run", "not run"]
    assert notes(runs)["never"] == "not so: vars.RUNNER == 'other'"
    assert notes(runs)["promote"] == "only when asked for"


def test_actions_have_an_equivalent_or_are_not_run(go):
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    runs = go(
        f"""
        a:
          runs-on: x
          steps:
            {CLONE}
            - {{name: right, uses: "actions/setup-python@{SHA}", with: {{python-version: "{here}"}}}}
            - run: test "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = {here}
            - {{name: wrong, uses: "actions/setup-python@{SHA}", with: {{python-version: "2.7"}}}}
            - {{name: cache, uses: "actions/cache@{SHA}", with: {{path: x, key: "${{{{ hashFiles('x') }}}}"}}}}
            - {{name: theirs, uses: "somebody/action@{SHA}"}}
            - {{name: elsewhere, uses: "actions/checkout@{SHA}", with: {{repository: other/one}}}}
        """
    )
    assert [each.status for each in runs[0].steps] == ["passed", "passed", "passed", *["not run"] * 4]
    found = notes(runs)
    assert found["wrong"].startswith("it asks for Python 2.7")
    assert found["cache"].startswith("uv's own cache on this machine stands in")
    assert found["theirs"] == "nothing stands in for this action here"
    assert found["elsewhere"] == "what stands in for it knows nothing of repository"
    assert runs[0].passed, "what is not run has not failed"


def test_the_second_run_is_in_the_same_checkout_put_back(go):
    jobs = f"""
    a:
      runs-on: x
      steps:
        {CLONE}
        - run: |
            test "$(cat here.txt)" = "as committed" && test ! -e new
            echo changed > here.txt; touch new
            if [ -e built ]; then echo warm; exit 7; else touch built; fi
    """
    cold, warm = go(jobs, kinds=("cold", "warm"))
    assert (cold.kind, cold.passed, warm.kind) == ("cold", True, "warm")
    assert warm.steps[1].note == "exit code 7; the end of it:\nwarm", "what git ignores has stayed"
    assert warm.steps[0].note == "here: the clone, put back to its commit"


def test_after_a_cold_run_that_fails_there_is_no_warm_one(go):
    assert [each.kind for each in go("a: {runs-on: x, steps: [{run: 'false'}]}", kinds=("cold", "warm"))] == ["cold"]


def test_nothing_that_is_pushed_gets_into_the_repository(go, tmp_path):
    push = "git push --quiet --force origin HEAD:refs/heads/other HEAD:refs/heads/pushed"
    [done] = go(f"a: {{runs-on: x, steps: [{INLINE}, {{run: '{push}'}}]}}")
    assert done.passed, done.steps
    assert git(tmp_path / "source", "branch", "--format", "%(refname:short)") == "other"


def test_what_is_not_committed_is_not_run(repository, tmp_path):
    source = repository("a: {runs-on: x, steps: [{run: echo}]}")
    (source / PATH).write_text("broken: [")
    checkout = Checkout(Values({}), source, tmp_path / "below")
    assert len(workflow.load(PATH, checkout.at_head(PATH)).jobs) == 1


@pytest.mark.parametrize(
    ("job", "named"),
    [
        ("steps: [{run: echo, if: \"contains(github.ref, 'main')\"}]", "contains(github.ref, 'main')"),
        ("steps: [{run: echo, env: {A: '${{ fromJSON(vars.A) }}'}}]", "fromJSON(vars.A)"),
        ("steps: [{run: echo, env: {A: '${{ vars.UNKNOWN }}'}}]", "vars.UNKNOWN"),
        ("steps: [{run: echo, env: {A: '${{ secrets.UNKNOWN }}'}}]", "secrets.UNKNOWN"),
        ("steps: [{run: echo, env: {A: '${{ steps.later.outputs.x }}'}}, {id: later, run: echo}]", "steps.later"),
        ("steps: [{run: echo, env: {A: '${{ needs.b.outputs.x }}'}}]", "needs.b.outputs.x"),
        ("steps: [{run: echo, env: {A: '${{ failure() }}'}}]", "failure()"),
        ("if: runner.os == 'Linux'\nsteps: [{run: echo}]", "runner.os"),
        ("outputs: {x: '${{ steps.none.outputs.x }}'}\nsteps: [{run: echo}]", "steps.none.outputs.x"),
        ("strategy: {matrix: {a: [1]}}\nsteps: [{run: echo}]", "strategy"),
        ("steps: [{run: echo, continue-on-error: true}]", "continue-on-error"),
        ("steps: [{run: echo, shell: pwsh}]", "pwsh"),
        ("steps: [{name: nothing}]", "either a script or an action"),
        ("needs: none\nsteps: [{run: echo}]", "needs cannot be met: last"),
    ],
)
def test_what_is_not_understood_stops_it_before_anything_starts(go, tmp_path, job, named):
    first = f"first: {{runs-on: x, steps: [{{run: 'touch {tmp_path}/ran'}}]}}\n"
    with pytest.raises(ConfigError) as refused:
        go(f"{first}last:\n" + textwrap.indent(f"runs-on: x\n{job}", "  "), vars={"A": "a"})
    assert named in str(refused.value)
    assert not (tmp_path / "ran").exists()
    assert not list((tmp_path / "below").iterdir())


def test_jobs_that_need_each_other_are_refused(go):
    with pytest.raises(ConfigError, match="needs cannot be met: a, b"):
        go("a: {runs-on: x, needs: b, steps: [{run: echo}]}\nb: {runs-on: x, needs: a, steps: [{run: echo}]}")


def test_a_job_has_its_minutes_and_no_more(go):
    [done] = go("a: {runs-on: x, timeout-minutes: 0.01, steps: [{run: echo so far; sleep 60}]}")
    assert done.steps[0].status == "failed"
    assert done.steps[0].note == "the job's 0.01 minutes were up; the end of it:\nso far"
    assert done.steps[0].seconds < 20


def test_a_line_that_github_would_not_take_fails_the_step(go):
    [done] = go("a: {runs-on: x, steps: [{run: 'echo words >> \"$GITHUB_OUTPUT\"'}]}")
    assert done.steps[0].note == "GitHub would not take this line, which is no NAME=VALUE: words"


def test_the_end_of_the_output_shows_no_secret_no_path_and_no_host(go, tmp_path):
    [done] = go(
        f"""
        a:
          runs-on: x
          steps:
            {CLONE}
            - env: {{PASSWORD: "${{{{ secrets.PASSWORD }}}}"}}
              run: |
                seq 100; echo "it is $PASSWORD, in $PWD and {tmp_path}/source"
                echo "at https://user:x@index.example.org:8/simple/ and http://127.0.0.1:80/x"; exit 1
        """,
        secrets={"PASSWORD": "not-to-be-seen", "UNUSED": ""},
    )
    last = done.steps[1].note.splitlines()[-2:]
    assert last == ["it is ***, in . and SOURCE", "at https://HOST/simple/ and http://127.0.0.1:80/x"]
    assert len(done.steps[1].note.splitlines()) == 16


def test_settings_of_the_shell_that_started_it_stay_there(go, monkeypatch):
    foreign = {"GIT_DIR": "/none", "GITHUB_OUTPUT": "/none", "PYTHONPATH": "/none", "PREFECT_API_URL": "x"}
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    test = " && ".join(f'test "${{{name}-}}" != {value}' for name, value in foreign.items())
    [done] = go(f"a: {{runs-on: x, steps: [{INLINE}, {{run: '{test}'}}]}}")
    assert done.passed, done.steps


def test_what_a_step_leaves_in_the_background_is_ended(go, tmp_path):
    [done] = go(f"a: {{runs-on: x, steps: [{{run: 'sleep 600 & echo $! > {tmp_path}/pid'}}]}}")
    assert done.passed
    assert is_gone(int((tmp_path / "pid").read_text()))


def is_gone(pid):
    """It has been killed; on a busy machine that may take it a moment."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


DRIVER = """
import signal, sys
from pathlib import Path
from rich.console import Console
from benchmarks.ci import run, shell
from benchmarks.ci.checkout import Checkout
from benchmarks.ci.pipelines import Part
from benchmarks.ci.workflow import Values
from benchmarks.display import Display
signal.signal(signal.SIGINT, signal.default_int_handler)
shell.PATIENCE_S = 2.0
source, below = map(Path, sys.argv[1:])
make = lambda: Checkout(Values({"actor": "local"}), source, below)
list(run.in_checkout(make, Part.PREFECT, ("cold",), Console(stderr=True), keep=False))
"""


def test_ctrl_c_leaves_no_process_and_no_checkout(repository, tmp_path):
    """A child in a session of its own, and one that does not end when it is asked to."""
    script = f"""
    a:
      runs-on: x
      steps:
        - run: |
            setsid sh -c 'echo $$ >> {tmp_path}/pids; exec sleep 600' &
            (trap "" TERM INT; echo $BASHPID >> {tmp_path}/pids; touch {tmp_path}/up; sleep 600)
    """
    source = repository(script)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, source, tmp_path / "below"], env=env, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "up").exists() or len((tmp_path / "pids").read_text().split()) < 2:
        assert driver.poll() is None, driver.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=90)
    assert "KeyboardInterrupt" in said
    assert all(is_gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())
    assert not list((tmp_path / "below").iterdir())


def test_keep_leaves_the_checkout_and_the_logs(go, tmp_path):
    go(f"a: {{runs-on: x, steps: [{INLINE}, {{run: echo said}}]}}", keep=True)
    [scratch] = (tmp_path / "below").iterdir()
    assert (scratch / "checkout" / "here.txt").exists()
    assert (scratch / "logs" / "cold" / "a" / "2.log").read_text() == "said\n"


def test_outside_of_a_repository_it_says_so(tmp_path):
    with pytest.raises(StorageError, match="git rev-parse has failed"):
        Checkout(Values({}), tmp_path, tmp_path / "below")


def test_results_are_kept_by_tool_and_shown(go, tmp_path):
    runs = go("a: {runs-on: x, steps: [{name: 'one | two', run: echo}, {run: 'false'}]}", kinds=("cold", "warm"))
    path = tmp_path / "ci-run.json"
    assert show_run.markdown(path) == "Not measured yet."
    path.write_text(merged(None, runs).model_dump_json())
    assert merged(CiRuns.model_validate_json(path.read_text()), runs).runs == tuple(runs), "the newer ones alone"
    told = show_run.markdown(path)
    assert "| a | one \\| two | " in told
    assert "failed 0." in told
    assert "**Airflow**: not measured yet." in told
    console = Console(width=120)
    with console.capture() as shown:
        console.print(show_run.table(runs))
    assert "one | two" in shown.get()
    assert show_run.failures(runs) == ["a, false: exit code 1; the end of it:\n"]
    assert json.loads(path.read_text())["runs"][0]["seconds"] == runs[0].seconds


def test_assignments_of_one_line_and_of_many(tmp_path):
    (tmp_path / "file").write_text("a=b<<c\n\nmany<<END\nx=1\n\nEND\nc=\n")
    assert runner.assignments(tmp_path / "file") == {"a": "b<<c", "many": "x=1\n", "c": ""}


PATCH = """\
--- a/here.txt
+++ b/here.txt
@@ -1 +1 @@
-as committed
+as changed
"""
TELLS = f"""
tell:
  runs-on: x
  steps:
    - {INLINE}
    - {{name: Tell, run: 'echo "$(cat here.txt) $GITHUB_REF $(git rev-parse HEAD) $GITHUB_SHA"'}}
    - {{name: Main, run: exit 0, if: "github.ref == 'refs/heads/main'"}}
again:
  needs: tell
  runs-on: x
  steps:
    - {{name: Once, run: "test ! -e built && touch built"}}
"""


@pytest.fixture
def checkout(tmp_path, repository):
    made = Checkout(Values(github={"actor": "local"}), repository(TELLS), tmp_path / "below")
    yield made
    made.close()


def quiet(checkout, name):
    found = workflow.load(PATH, checkout.at_head(PATH))
    workflow.check(found, checkout.values)
    return runner.Runner(found, checkout, Display(Console(file=io.StringIO()), []), name)


def said(checkout, name):
    return (checkout.scratch / "logs" / name / "tell" / "2.log").read_text().split()


def test_a_change_is_run_as_a_pull_request_and_taken_back(checkout, tmp_path):
    (tmp_path / "a-change.patch").write_text(PATCH)
    before = checkout.commit
    changed = checkout.change(tmp_path / "a-change.patch")
    assert changed == checkout.commit != before
    checkout.ref = "refs/pull/1/merge"
    steps = quiet(checkout, "pull").run()
    assert [each.status for each in steps] == ["passed", "passed", "not run", "passed"]
    assert said(checkout, "pull") == ["as", "changed", "refs/pull/1/merge", changed, changed]

    checkout.go_to(before)
    checkout.ref = "refs/heads/main"
    assert said_after(checkout) == ["as", "committed", "refs/heads/main", before, before]
    assert git(checkout.source, "rev-parse", "HEAD") == before, "nothing gets into the repository"


def said_after(checkout):
    quiet(checkout, "back").run(only={"tell"})
    return said(checkout, "back")


def test_a_job_alone_is_run_again_and_knows_what_has_ended(checkout):
    running = quiet(checkout, "again")
    assert [each.status for each in running.run()] == ["passed"] * 4
    assert [(each.job, each.status) for each in running.run(only={"again"})] == [("again", "failed")], "built is there"


def test_a_patch_that_does_not_fit_changes_nothing(checkout, tmp_path):
    (tmp_path / "other.patch").write_text(PATCH.replace("as committed", "as never"))
    before = checkout.commit
    with pytest.raises(StorageError, match="patch"):
        checkout.change(tmp_path / "other.patch")
    assert checkout.commit == before
    assert (checkout.folder / "here.txt").read_text() == "as committed\n"
