"""What the deployments need on the server: `python -m prefect_impl.setup`, again after each change.

Reads MLFLOW_PASSWORD and, for the alerts, BAKEOFF_WEBHOOK (an address that JSON is posted to; empty: no alerts).
"""

import os
from pathlib import Path
from typing import Any

import yaml
from prefect.automations import Automation
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

POOL = "bakeoff"
#: Stands in automations.yaml for the id of the block that holds the alerts' address.
WEBHOOK = "$WEBHOOK"


def queue(client: SyncPrefectClient) -> None:
    """One retraining at a time, oldest first."""
    try:
        found = client.read_work_queue_by_name("retrain", work_pool_name=POOL)
    except ObjectNotFound:
        found = client.create_work_queue("retrain", work_pool_name=POOL)
    client.update_work_queue(found.id, concurrency_limit=1)


def automation(spec: dict[str, Any]) -> None:
    """Make an automation, or bring the one of that name up to date.

    One that is as wanted is left alone: an update makes its trigger forget which runs it waits for, and a run that was
    lost in a reboot would then never be missed.
    """
    wanted = Automation.model_validate(spec)
    try:
        there = Automation.read(name=wanted.name)
    except ValueError:  # there is none
        wanted.create()
        return
    if there.model_dump(exclude={"id"}) != wanted.model_dump(exclude={"id"}):
        wanted.id = there.id
        wanted.update()


def remove(name: str) -> None:
    """Remove an automation, if it is there."""
    try:
        Automation.read(name=name).delete()
    except ValueError:
        return


def main() -> None:
    """Set up all of it."""
    with get_client(sync_client=True) as client:
        queue(client)
    Secret(value=os.environ["MLFLOW_PASSWORD"]).save("mlflow-password", overwrite=True)
    address = os.environ.get("BAKEOFF_WEBHOOK")
    block = str(Webhook(url=address).save("alerts", overwrite=True)) if address else ""
    text = Path(__file__).with_name("automations.yaml").read_text()
    for spec in yaml.safe_load(text)["automations"]:
        [action] = spec["actions"]
        if action.get("block_document_id") != WEBHOOK:
            automation(spec)
        elif block:
            automation(spec | {"actions": [action | {"block_document_id": block}]})
        else:
            remove(spec["name"])


if __name__ == "__main__":
    main()
