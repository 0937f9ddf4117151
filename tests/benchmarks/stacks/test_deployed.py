from __future__ import annotations

import pytest

from benchmarks import results
from benchmarks.places import ArmName
from benchmarks.stacks import deployed
from benchmarks.stacks.deployed import Deployed
from benchmarks.stacks.settings import StackSettings

HERE = "a" * 40


@pytest.mark.parametrize(
    ("here", "there", "told"),
    [
        (HERE, Deployed(HERE), ""),
        (f"{HERE}-dirty", Deployed(HERE), "files have changed since commit aaaaaaaaaaaa"),
        (f"{HERE}-dirty", Deployed(f"{HERE}-dirty"), "files have changed since commit"),
        (HERE, Deployed("b" * 40), "the stack runs commit bbbbbbbbbbbb, this checkout is aaaaaaaaaaaa"),
        (HERE, Deployed(), "the stack runs commit unknown"),
        (HERE, Deployed(error="no engine"), "is not known: no engine"),
    ],
)
def test_code_that_is_not_this_checkouts_is_told(monkeypatch, here, there, told):
    found = results.environment().model_copy(update={"commit": here})
    monkeypatch.setattr(results, "environment", lambda: found)
    warning = deployed.difference(there, ArmName.AIRFLOW)
    assert told in warning
    assert bool(told) == bool(warning)


def test_a_container_that_cannot_be_asked_costs_no_retraining(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no docker here
    nowhere = StackSettings(ArmName.PREFECT, "none-prefect", tmp_path / "env", "http://x", "http://y", "a:b")
    assert "docker" in deployed.ask(nowhere, "prefect-worker", ["prefect"]).error
