"""The real stacks, brought up from nothing under a prefix and on ports of the tests' own; run by `make test-stacks`."""

from __future__ import annotations

import json
import subprocess

import pytest
from xdist.scheduler import LoadScopeScheduling

from benchmarks import results
from benchmarks.capabilities import outcomes
from benchmarks.capabilities.cells import BAD_INPUT, CAPABILITIES
from benchmarks.capabilities.outcomes import Outcome
from benchmarks.places import RESULTS, ROOT, STATE
from benchmarks.stacks import env_file

PREFIX = "bakeoff-test"
KINDS = {"capability": CAPABILITIES, "bad_input": BAD_INPUT}
FIGURES = pytest.StashKey()
#: What became of each fault, for the documents (`--save-faults` keeps it with them).
LEDGER, SAVED = STATE / "stacks" / "faults.json", RESULTS / "faults.json"


def pytest_addoption(parser):
    parser.addoption("--save-faults", action="store_true", help="write benchmarks/results/faults.json")
    parser.addoption("--save-capabilities", action="store_true", help="write benchmarks/results/capabilities.json")
    parser.addoption("--save-broken", action="store_true", help="write benchmarks/results/ci-broken.json")


def pytest_configure(config):
    config.addinivalue_line("markers", "capability(id): shows a capability of benchmarks.capabilities.cells")
    config.addinivalue_line("markers", "bad_input(id): shows what becomes of a bad input of the same module")
    config.pluginmanager.register(Outcomes(config), "capabilities")


class ByTool(LoadScopeScheduling):
    """All tests of a tool in one process, which brings its stack up once.

    xdist 3.8 has groups for that, which do nothing with pytest 9.2.
    """

    def _split_scope(self, nodeid):
        return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_xdist_make_scheduler(config, log):
    return ByTool(config, log)


def pytest_collection_modifyitems(items):
    for item in items:
        for kind, known in KINDS.items():
            for marker in item.iter_markers(kind):
                assert marker.args[0] in known, f"{item.nodeid}: no {kind} {marker.args[0]}"


class Outcomes:
    """Writes what the tests have shown of the tools' capabilities."""

    def __init__(self, config):
        self.config, self.rows, self.marks = config, [], {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        told = [(kind, marker.args[0]) for kind in KINDS for marker in item.iter_markers(kind)]
        report.shows = {"tool": item.path.parent.name, "told": told, "figures": item.stash.get(FIGURES, [])}
        return report

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or (report.when == "setup" and not report.passed):
            for kind, id in report.shows["told"]:
                self.rows.append(
                    Outcome(
                        tool=report.shows["tool"],
                        kind=kind.replace("_", "-"),
                        id=id,
                        test=report.nodeid,
                        outcome=report.outcome,
                        seconds=round(report.duration, 1),
                        figures=report.shows["figures"],
                    )
                )

    def pytest_sessionfinish(self):
        if self.rows and not hasattr(self.config, "workerinput"):  # with xdist, the one that has all reports
            outcomes.write(self.rows, outcomes.LATEST)
            if self.config.getoption("--save-capabilities"):
                outcomes.write(self.rows, outcomes.SAVED)


@pytest.fixture
def figure(request):
    """Records something measured, for the table of capabilities: `figure("event to run start", 1.4, "s")`.

    A test of several capabilities says which one it is `of`.
    """
    measured = request.node.stash.setdefault(FIGURES, [])

    def record(name, value, unit, of=""):
        measured.append({"name": name, "value": round(value, 3), "unit": unit, "of": of})

    return record


@pytest.fixture(scope="session")
def env_path(tmp_path_factory):
    """An env file as `up` makes it, with free ports and a prefix that is nobody else's."""
    return env_file.make_another(tmp_path_factory.mktemp("stacks") / "env", PREFIX).path


@pytest.fixture(scope="session")
def record(request):
    """Keeps a row for each fault."""
    rows: list[dict] = []
    yield rows.append
    if not rows:
        return
    for path in [LEDGER, *([SAVED] if request.config.getoption("--save-faults") else [])]:
        keep(rows, path)


def keep(rows, path):
    """Write rows; what an earlier run has left of other tools and faults stays."""
    seen = {(row["tool"], row["fault"]) for row in rows}
    earlier = json.loads(path.read_text())["faults"] if path.exists() else []
    kept = [row for row in earlier if (row["tool"], row["fault"]) not in seen]
    content = {"measure": "faults", "environment": results.environment().model_dump(), "faults": kept + rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


@pytest.fixture(scope="session")
def plain_march(tmp_path_factory):
    """What the plain arm makes of March 2013, by its own store: what every other arm must make of it too."""
    command = [ROOT / "bakeoff", "retrain", "--on", "plain", "--month", "2013-03", "--json"]
    done = subprocess.run([*command, "--state", tmp_path_factory.mktemp("plain")], capture_output=True, text=True)
    [retraining] = json.loads(done.stdout)["retrainings"]
    return {name: retraining[name] for name in results.SAME_EVERYWHERE}
