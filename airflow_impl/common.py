"""What the DAGs have in common: what starts them, what they can be asked for, and what is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    AllowedKeyMapper,
    Asset,
    ExceptionRetryPolicy,
    Param,
    PartitionedAssetTimetable,
    RetryAction,
    RetryRule,
)

from airflow_impl.connections import mlflow_login
from shared import datasets, errors

# What passes between tasks is plain JSON (XCom): identities, paths and numbers; the data stay in files.
Json = dict[str, Any]

MONTHS = list(datasets.get(datasets.DEFAULT).windows)

#: An event of it says that a month of data has landed: its partition key is the month.
ARRIVED = Asset("flights", uri="dvc://flights")
ON_ARRIVAL = PartitionedAssetTimetable(assets=ARRIVED, default_partition_mapper=AllowedKeyMapper(MONTHS[1:]))

MONTH = Param(
    None,
    type=["null", "string"],
    examples=MONTHS,
    description="The month that has just arrived; by default the run's partition",
)


def settings(default: Json | None = None) -> Param:
    """The param `settings`."""
    return Param(default or {}, type="object", description="Any other field of shared.config.RetrainConfig")


def request(params: Json, partition_key: str | None = None, triggering_asset_events: Any = None) -> Json:
    """What to retrain: what the run is asked for, else what the last event says that has started it."""
    notices = [event.extra for events in (triggering_asset_events or {}).values() for event in events]
    notice = notices[-1] if notices else {}
    settings = notice.get("settings", {}) | params["settings"]
    return {"month": params["month"] or partition_key, "data_rev": notice.get("data_rev"), **settings}


# Bad data, settings and code stay bad: only what may pass by itself, such as a server that restarts, is tried again.
DEFAULTS = {
    "pre_execute": mlflow_login,
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 3.0,
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule("shared.errors.TrackingError", RetryAction.RETRY),
            RetryRule(
                ["shared.errors.BakeoffError", *errors.PERMANENT],
                RetryAction.FAIL,
                reason="the cause will not pass by itself",
            ),
        ]
    ),
}
