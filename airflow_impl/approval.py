"""A person decides which way a run goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator


class Approve(HITLBranchOperator):
    """Waits, without a worker, for as many hours as the run's params say; who answered is kept in XCom as `by`."""

    def execute(self, context: Any) -> Any:
        self.response_timeout = timedelta(hours=context["params"]["approval_hours"])
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        person = event.get("responded_by_user")
        context["ti"].xcom_push("by", person["name"] if person else "nobody in time")
        return super().execute_complete(context, event)
