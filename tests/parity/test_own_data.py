"""A second real data set through all four arms, as docs/your-own-pipeline.md promises: nothing of it about flights."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.display import Display
from benchmarks.places import ARMS, ArmName
from benchmarks.retraining import make_configs, run
from shared import registry
from shared.config import RetrainConfig

QUARTER = "2013-Q1"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Each arm's retraining of one quarter of rain, in a tracking store of its own."""
    state = tmp_path_factory.mktemp("rain")
    done = {}

    def result(arm: ArmName):
        if arm not in done:
            configs = make_configs([QUARTER], state / arm, {"dataset": "rain"})
            done[arm] = run(arm, configs, Display(Console(file=io.StringIO()), [arm])), configs[0]
        return done[arm]

    return result


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_runs_it_and_agrees_with_plain_bit_for_bit(arm, finished):
    result, config = finished(arm)
    assert result.status == "succeeded", result.error
    [retraining], [plain] = result.retrainings, finished(ArmName.PLAIN)[0].retrainings
    assert retraining.identity == plain.identity
    assert (retraining.data_version, retraining.reason) == (plain.data_version, plain.reason)
    assert (retraining.promoted, retraining.version) == (True, 1)
    assert registry.champion(config) == 1


@pytest.mark.parametrize("arm", ARMS)
def test_its_model_has_a_name_of_its_own_in_the_arm_s_store(arm, finished):
    _, config = finished(arm)
    assert config.model_name == "rain-tomorrow"
    flights = RetrainConfig(month="2013-03", tracking_uri=config.tracking_uri)
    assert registry.champion(flights) is None
