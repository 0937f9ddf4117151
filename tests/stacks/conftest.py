"""The real stacks, brought up from nothing under a prefix and on ports of the tests' own; run by `make test-stacks`."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from benchmarks import processes, results
from benchmarks.places import ROOT, STATE
from benchmarks.stacks import env_file

PREFIX = "bakeoff-test"
#: What became of each fault, for the documents (`--save-faults` keeps it with them).
LEDGER = STATE / "stacks" / "faults.json"


def pytest_addoption(parser):
    parser.addoption("--save-faults", action="store_true", help="write benchmarks/results/faults.json")


@pytest.fixture(scope="session")
def env_path(tmp_path_factory):
    """An env file as `up` makes it, with free ports and a prefix that is nobody else's."""
    path = tmp_path_factory.mktemp("stacks") / "env"
    env_file.make(path)
    text = re.sub(r"(?m)^STACK=.*$", f"STACK={PREFIX}", path.read_text())
    text = re.sub(r"(?m)^(\w+_PORT)=.*$", lambda found: f"{found[1]}={processes.free_port()}", text)
    path.write_text(text)
    return path


@pytest.fixture(scope="session")
def record(request):
    """Keeps a row for each fault."""
    rows: list[dict] = []
    yield rows.append
    if not rows:
        return
    content = {"measure": "faults", "environment": results.environment().model_dump(), "faults": rows}
    LEDGER.parent.mkdir(parents=True, exist_ok=True)
    earlier = json.loads(LEDGER.read_text())["faults"] if LEDGER.exists() else []
    seen = {(row["tool"], row["fault"]) for row in rows}
    content["faults"] = [row for row in earlier if (row["tool"], row["fault"]) not in seen] + rows
    LEDGER.write_text(json.dumps(content, indent=2) + "\n")
    if request.config.getoption("--save-faults"):
        (ROOT / "benchmarks" / "results" / "faults.json").write_text(LEDGER.read_text())


@pytest.fixture(scope="session")
def plain_march(tmp_path_factory):
    """What the plain arm makes of March 2013, by its own store: what every other arm must make of it too."""
    command = [ROOT / "bakeoff", "retrain", "--on", "plain", "--month", "2013-03", "--json"]
    done = subprocess.run([*command, "--state", tmp_path_factory.mktemp("plain")], capture_output=True, text=True)
    [retraining] = json.loads(done.stdout)["retrainings"]
    return {name: retraining[name] for name in results.SAME_EVERYWHERE}
