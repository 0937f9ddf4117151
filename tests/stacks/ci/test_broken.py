"""A broken change on a pull request: the step of the tool's real workflow that stops it, run in a clean checkout.

By default only that step is run, with what it builds on. With `--save-broken` all steps are, in their order, and what
became of each change goes into benchmarks/results/ci-broken.json.
"""

from __future__ import annotations

import sys

import pytest
from rich.console import Console

from benchmarks import results
from benchmarks.ci import broken, pipelines, shell, workflow
from benchmarks.ci.broken import TOOLS, Fault
from benchmarks.ci.local import Asked, LocalCheckout
from benchmarks.ci.pipelines import System
from benchmarks.ci.runner import Runner
from benchmarks.display import Display

CHANGES = {(each.tool, each.fault): each for each in broken.changes()}
#: Environments and mypy's cache are there before the first row: `--save-broken` compares their seconds.
SET_UP = "make check\n./bakeoff setup {tool} --test\n"
#: What a developer commits with a change, for the documents name lines of code by their numbers.
DOCUMENTS = "make docs\ngit diff > {patch}\n"


class Repository:
    """A clean checkout for all changes of one tool: its environments are built once."""

    def __init__(self, tool):
        self.tool = tool
        self.checkout = LocalCheckout(Asked(tool), lambda line: print(line, file=sys.stderr))
        self.checkout.ref = broken.REF
        [path] = pipelines.files(tool, System.GITHUB)
        self.workflow = workflow.load(path, self.checkout.at_head(path))
        workflow.check(self.workflow, self.checkout.values)
        self.base = self.checkout.commit
        self.checkout.restore(self.workflow.jobs[0])

    def script(self, text):
        """Run a script in the checkout."""
        script, log = self.checkout.scratch / "script.sh", self.checkout.scratch / "script.log"
        script.write_text(text)
        env = self.checkout.env()
        code = shell.run(["bash", "-e", script], log=log, env=env, folder=self.checkout.folder, limit_s=1800)
        assert code == 0, self.checkout.brief(log)

    def apply(self, change):
        """Check out a change, and no other."""
        self.checkout.go_to(self.base)
        self.checkout.change(change.patch)

    def commit_documents(self):
        """Bring the documents up to date with what is checked out."""
        patch = self.checkout.scratch / "documents.patch"
        self.script(DOCUMENTS.format(patch=patch))
        if patch.stat().st_size:
            self.checkout.change(patch)

    def run(self, asked, name):
        """Run a workflow on what is checked out; gives its steps."""
        with Display(Console(stderr=True), [job.id for job in asked.jobs]) as display:
            return Runner(asked, self.checkout, display, name).run()

    def log(self, asked, name, steps, failed):
        """What the failed step of a run has printed, and the logs that were then shown."""
        return self.checkout.clean(broken.log_of(self.checkout.scratch / "logs" / name, asked, steps, failed))


@pytest.fixture(scope="module")
def saving(request):
    return request.config.getoption("--save-broken")


@pytest.fixture(scope="module")
def repository(request, saving):
    """Of one tool; what has become of its changes is kept at the end, where all have been stopped."""
    found = Repository(request.param)
    found.rows = []
    try:
        if saving:
            found.script(SET_UP.format(tool=found.tool))
        yield found
    finally:
        found.checkout.close()
    if len(found.rows) == len(Fault):
        about = results.environment().model_copy(update={"commit": found.base})
        new = broken.OfTool(tool=found.tool, environment=about, changes=found.rows)
        results.write(broken.merged(broken.read(), new), broken.FILE)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("repository", TOOLS, indirect=True)
def test_a_broken_change_is_stopped_before_it_is_deployed(repository, fault, saving, monkeypatch):
    change = CHANGES[repository.tool, fault]
    repository.apply(change)
    asked = repository.workflow
    if saving:
        repository.commit_documents()
    else:
        asked = broken.only(asked, change)
        monkeypatch.setenv("PYTEST_ADDOPTS", "--exitfirst")  # of the step's tests, one that fails is enough
    steps = repository.run(asked, fault)
    failed = broken.first_failed(steps)
    assert failed, "no step has stopped it"
    assert (failed.job, failed.name) == (change.job, change.step), failed.note
    line = broken.telling(repository.log(asked, fault, steps, failed), change.cause)
    assert line, failed.note
    staging = [each for each in steps if each.job == "staging"]
    assert staging
    assert {each.status for each in staging} == {"not run"}
    assert not broken.reached(asked, steps)
    if saving:
        shadowed = failed.name.startswith("Lint")
        own_check = repository.run(broken.own(asked), f"{fault}-own") if shadowed else ()
        repository.rows.append(broken.became(change, asked, steps, own_check, line))
