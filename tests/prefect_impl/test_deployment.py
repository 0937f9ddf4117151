"""Deployments, the pool's template and the automations, as Prefect itself reads them."""

from __future__ import annotations

import ast
import asyncio
import json
import uuid
from pathlib import Path

import pytest
import yaml
from prefect.automations import Automation
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint
from prefect.settings.models.flows import FlowsSettings
from prefect.states import StateType
from prefect.workers.process import ProcessJobConfiguration

from prefect_impl import setup

FOLDER = Path(__file__).resolve().parents[2] / "prefect_impl"
DEPLOYMENTS = yaml.safe_load((FOLDER / "prefect.yaml").read_text())["deployments"]
TEMPLATE = json.loads((FOLDER / "pool.json").read_text())
AUTOMATIONS = {each["name"]: each for each in yaml.safe_load((FOLDER / "automations.yaml").read_text())["automations"]}
ALERT = "Tell what a person should know"


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch):
    monkeypatch.chdir(FOLDER.parent)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["name"])
def test_each_deployment_is_of_a_flow(deployment):
    # As a run loads it: `prefect deploy` makes do with a placeholder where the file cannot be imported.
    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    assert flow.name.replace("_", "-") == deployment["name"]


def test_a_run_without_parameters_is_a_scheduled_one():
    [retrain] = [each for each in DEPLOYMENTS if each["name"] == "retrain"]
    assert "parameters" not in retrain
    flow = load_flow_from_entrypoint(retrain["entrypoint"])
    assert flow.validate_parameters({})["config"] is None


def test_one_trigger_hears_of_arrivals_and_of_drift_and_passes_the_config_on():
    [trigger] = next(each for each in DEPLOYMENTS if each["name"] == "retrain")["triggers"]
    assert set(trigger["expect"]) == {"bakeoff.month.arrived", "bakeoff.model.drifted"}
    assert trigger["parameters"] == {"config": "{{ event.payload.config }}"}


def test_no_deployment_names_a_secret():
    """`prefect deploy` would look it up, and store what it has found."""
    assert "prefect.blocks" not in yaml.safe_dump(DEPLOYMENTS)


async def _made(name):
    async with get_client() as client:
        pool = WorkPoolCreate(name=name, type="process", base_job_template=TEMPLATE)
        made = await client.create_work_pool(pool)
        return await ProcessJobConfiguration.from_template_and_values(
            made.base_job_template, {"env": {"MORE": "1"}}, client=client
        )


def test_the_pool_gives_every_run_its_environment_with_the_secret():
    Secret(value="a password").save("mlflow-password", overwrite=True)
    job = asyncio.run(_made(f"pool-{uuid.uuid4()}"))
    assert job.env["MLFLOW_TRACKING_PASSWORD"] == "a password"
    assert job.env["MORE"] == "1"
    assert str(job.working_dir) == "/opt/bakeoff"
    assert "a password" not in json.dumps(TEMPLATE)


def test_three_heartbeats_may_be_missed():
    automation = AutomationCore.model_validate(AUTOMATIONS["Crash lost runs"])
    env = TEMPLATE["variables"]["properties"]["env"]["default"]
    frequency = FlowsSettings(heartbeat_frequency=env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert automation.trigger.within.total_seconds() == 3 * frequency.heartbeat_frequency


def names_of_ends():
    """Every name that a flow of ours gives a state of its own."""
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Completed", "Failed"):
                yield from (each.value.value for each in node.keywords if each.arg == "name")


def test_no_end_of_a_flow_is_taken_for_a_loss():
    """Events carry the name of a state: `Completed(name="Rejected")` is told as `prefect.flow-run.Rejected`."""
    built_in = {each.value.title() for each in (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED)}
    ends = {*names_of_ends(), *built_in, "Cancelled", "TimedOut", "Suspended"} - {"Skipped"}  # that is a task's
    assert {"Promoted", "Rejected", "Refused"} <= ends
    expected = set(AUTOMATIONS["Crash lost runs"]["trigger"]["expect"])
    assert {f"prefect.flow-run.{name}" for name in ends} <= expected


def stored(name):
    async def ask():
        async with get_client() as client:
            return await client.read_automations_by_name(name)

    return asyncio.run(ask())


@pytest.fixture
def pool():
    async def make():
        async with get_client() as client:
            await client.create_work_pool(WorkPoolCreate(name=setup.POOL, type="process"), overwrite=True)

    asyncio.run(make())


def test_setting_up_twice_changes_what_is_there_and_makes_no_doubles(pool, monkeypatch):
    monkeypatch.setenv("MLFLOW_PASSWORD", "another password")
    monkeypatch.setenv("BAKEOFF_WEBHOOK", "http://127.0.0.1:1/hook")
    setup.main()
    lost = Automation.read(name="Crash lost runs")
    lost.description = "as it was"
    lost.update()
    setup.main()
    assert {name: len(stored(name)) for name in AUTOMATIONS} == dict.fromkeys(AUTOMATIONS, 1)
    assert Automation.read(name="Crash lost runs").description == AUTOMATIONS["Crash lost runs"]["description"]
    assert Secret.load("mlflow-password").get() == "another password"
    monkeypatch.delenv("BAKEOFF_WEBHOOK")
    setup.main()
    assert stored(ALERT) == []


def updated():
    """When each automation was changed last, as the server has it."""

    async def ask():
        async with get_client() as client:
            return (await client.request("POST", "/automations/filter", json={})).json()

    return {each["name"]: each["updated"] for each in asyncio.run(ask())}


def test_what_is_as_wanted_is_left_alone(pool, monkeypatch):
    """An update makes a trigger forget which runs it waits for."""
    monkeypatch.setenv("MLFLOW_PASSWORD", "a password")
    monkeypatch.setenv("BAKEOFF_WEBHOOK", "http://127.0.0.1:1/hook")
    setup.main()
    before = updated()
    setup.main()
    assert updated() == before
    assert set(AUTOMATIONS) <= set(before)
