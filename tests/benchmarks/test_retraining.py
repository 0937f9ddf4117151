from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks import retraining, stores
from benchmarks.arms import ArmFailed, PlainArm
from benchmarks.display import Display
from benchmarks.places import ArmName
from shared.config import RetrainConfig
from shared.errors import ConfigError


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """An arm whose events are given, to test how the harness reads them; tests/parity holds the real arms."""

    def play(events, fails=False):
        class Scripted(PlainArm):
            def prepare(self):
                pass

            def retrain(self, configs):
                yield from events
                if fails:
                    raise ArmFailed("the tool says failed", where="its log", fix="read it")

        monkeypatch.setattr(retraining, "make_arm", lambda name, folder, port=0: Scripted(folder))
        configs = retraining.make_configs(["2013-03"], tmp_path)
        return retraining.run(ArmName.PLAIN, configs, Display(Console(file=io.StringIO()), ["plain"]))

    return play


def event(step, state, **more):
    return {"time": 100.0, "step": step, "label": "", "state": state, **more}


def test_the_cause_is_the_steps_and_not_the_tools(scripted):
    result = scripted([event("ingest", "started"), event("ingest", "failed", error="the file has changed")], fails=True)
    assert result.status == "failed"
    assert result.error == "the file has changed"
    assert result.retrainings[0].error == "the file has changed"


def test_a_failure_that_a_retry_cured_is_no_cause(scripted):
    cured = [event("train", "failed", error="a hiccup"), event("train", "finished")]
    result = scripted([*cured, event("evaluate", "failed", error="the real cause")], fails=True)
    assert result.error == "the real cause"


def test_a_tool_that_fails_without_a_step_is_told_in_its_own_words(scripted):
    assert "the tool says failed" in scripted([], fails=True).error


def test_success_without_an_outcome_in_mlflow_is_a_failure(scripted):
    done = {"time": 100.0, "step": "retrain", "label": "2013-03", "state": "finished", "seconds": 1.0}
    result = scripted([done])
    assert result.status == "failed"
    assert "MLflow holds no finished retraining" in result.error


def test_requests_are_checked_before_a_folder_is_made(tmp_path):
    with pytest.raises(ConfigError):
        retraining.make_configs(["2013-03", "2013-13"], tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_each_request_can_be_told_from_every_other(tmp_path):
    ids = [config.request_id for _ in range(3) for config in retraining.make_configs(["2013-03", "2013-04"], tmp_path)]
    assert len(set(ids)) == 6


def test_a_store_is_created_once_and_kept(tmp_path):
    config = RetrainConfig(month="2013-03", state=tmp_path)
    stores.create(config)
    (tmp_path / "mlflow.db").write_bytes(b"somebody's history")
    stores.create(config)
    assert (tmp_path / "mlflow.db").read_bytes() == b"somebody's history"
