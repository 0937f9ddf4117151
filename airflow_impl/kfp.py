"""Kubeflow Pipelines from Airflow, for which there is no provider: its REST API, and waiting that takes no worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
from airflow.sdk import BaseOperator, Connection
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}


def _client(server: Connection) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.password}"} if server.password else {}
    return {"base_url": f"{server.host}/apis/v2beta1", "headers": headers, "timeout": 30}


class KfpRun(BaseOperator):
    """Start a run of the newest version of a Kubeflow pipeline, and wait for its end in the triggerer.

    A second try finds the run of the first by its name, and starts no other.

    Args:
        pipeline: its name.
        arguments: of the pipeline.
        name: of the run.
        conn_id: host `http://...` of the KFP API; where it wants a token, that is the password.
    """

    template_fields = ("arguments", "name")

    def __init__(
        self,
        *,
        pipeline: str,
        arguments: dict[str, Any],
        name: str = "{{ dag.dag_id }} {{ run_id }}",
        experiment: str = "airflow",
        conn_id: str = "kubeflow",
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.pipeline, self.arguments, self.name = pipeline, arguments, name
        self.experiment, self.conn_id = experiment, conn_id

    def execute(self, context: Any) -> None:
        with httpx.Client(**_client(Connection.get(self.conn_id))) as kfp:
            run = self._run(kfp)
        self.log.info("KFP run %s (%s)", run, self.name)
        self.defer(trigger=KfpEnd(self.conn_id, run), method_name="ended", timeout=timedelta(hours=6))

    def ended(self, context: Any, event: dict[str, str]) -> dict[str, str]:
        """The run is over."""
        if event["state"] != "SUCCEEDED":
            raise AirflowFailException(f"the KFP run {event['run']} ended as {event['state']}")
        return event

    def _run(self, kfp: httpx.Client) -> str:
        def ask(method: str, path: str, **more: Any) -> dict[str, Any]:
            return kfp.request(method, path, **more).raise_for_status().json()

        named = {"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": self.experiment}]}
        experiments = ask("GET", "/experiments", params={"filter": json.dumps(named)}).get("experiments")
        experiment = (experiments or [ask("POST", "/experiments", json={"display_name": self.experiment})])[0]
        where = {"experiment_id": experiment["experiment_id"]}
        earlier = ask("GET", "/runs", params=where | {"sort_by": "created_at desc", "page_size": 100}).get("runs", [])
        for run in earlier:
            if run["display_name"] == self.name:
                return run["run_id"]
        pipeline = ask("GET", f"/pipelines/names/{self.pipeline}")["pipeline_id"]
        newest = {"sort_by": "created_at desc", "page_size": 1}
        version = ask("GET", f"/pipelines/{pipeline}/versions", params=newest)["pipeline_versions"][0]
        job = {
            "display_name": self.name,
            **where,
            "pipeline_version_reference": {
                "pipeline_id": pipeline,
                "pipeline_version_id": version["pipeline_version_id"],
            },
            "runtime_config": {"parameters": self.arguments},
        }
        return ask("POST", "/runs", json=job)["run_id"]


class KfpEnd(BaseTrigger):
    """Fires when a KFP run is over. It holds the connection's name, never what is in it."""

    def __init__(self, conn_id: str, run: str, every_s: float = 5.0) -> None:
        super().__init__()
        self.conn_id, self.run_id, self.every_s = conn_id, run, every_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "airflow_impl.kfp.KfpEnd", {"conn_id": self.conn_id, "run": self.run_id, "every_s": self.every_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until it has ended; a server that does not answer is asked again."""
        async with httpx.AsyncClient(**_client(await Connection.async_get(self.conn_id))) as kfp:
            while True:
                try:
                    answer = (await kfp.get(f"/runs/{self.run_id}")).raise_for_status().json()
                    if (state := answer.get("state")) in ENDED:
                        yield TriggerEvent({"run": self.run_id, "state": state})
                        return
                except httpx.TransportError as error:
                    self.log.warning("KFP does not answer: %s", error)
                await asyncio.sleep(self.every_s)
