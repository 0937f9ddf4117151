"""The deployment and the automation, as Prefect itself reads them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint
from prefect.settings.models.flows import FlowsSettings

FREQUENCY = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENT = yaml.safe_load((ROOT / "prefect_impl" / "prefect.yaml").read_text())["deployments"][0]


@pytest.fixture
def automation():
    [found] = yaml.safe_load((ROOT / "prefect_impl" / "automations.yaml").read_text())["automations"]
    return AutomationCore.model_validate(found)


def test_the_deployment_is_of_the_flow_and_takes_its_default_parameters(monkeypatch):
    monkeypatch.chdir(ROOT)
    flow = load_flow_from_entrypoint(DEPLOYMENT["entrypoint"])
    checked = flow.validate_parameters(DEPLOYMENT["parameters"])
    assert (flow.name, checked["config"].month) == ("retrain", "2013-05")


def test_the_server_takes_the_automation(automation):
    async def create_and_remove():
        async with get_client() as client:
            made = await client.create_automation(automation)
            found = await client.read_automations_by_name(automation.name)
            await client.delete_automation(made)
            return found

    [found] = asyncio.run(create_and_remove())
    assert found.trigger.posture.value == "Proactive"


def test_three_heartbeats_may_be_missed(automation):
    frequency = FlowsSettings(heartbeat_frequency=DEPLOYMENT["work_pool"]["job_variables"]["env"][FREQUENCY])
    assert automation.trigger.within.total_seconds() == 3 * frequency.heartbeat_frequency


def test_no_end_of_the_flow_is_taken_for_a_loss(automation):
    """Events carry the name of a state: `Completed(name="Rejected")` is told as `prefect.flow-run.Rejected`."""
    ends = ("Promoted", "Rejected", "Completed", "Failed", "Cancelled", "Crashed")
    assert {f"prefect.flow-run.{name}" for name in ends} <= automation.trigger.expect
