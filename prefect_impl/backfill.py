"""Retrain on a range of months: python -m prefect_impl.backfill 2013-02 2013-05

The runs are asked for at once and taken one at a time, oldest month first, by the queue that setup.py limits. Asked
for again under the same name, the range makes no second run of a month.
"""

import sys
from datetime import UTC, datetime, timedelta

from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from shared.config import RetrainConfig


def backfill(first: str, last: str, name: str, **settings: object) -> list[FlowRun]:
    """Ask for the runs.

    Args:
        first, last: months.
        name: of the backfill; its runs have it as a tag.
        settings: other fields of `RetrainConfig`.
    """
    months = [*RetrainConfig(month=last).train_months, last]
    now = datetime.now(UTC)
    return [
        run_deployment(
            "retrain/retrain",
            parameters={"config": {"month": month, **settings}},
            scheduled_time=now + timedelta(seconds=number),  # the queue's order
            idempotency_key=f"{name} {month}",
            tags=["backfill", name],
            timeout=0,  # do not wait for its end
            as_subflow=False,
        )
        for number, month in enumerate(months[months.index(first) :])
    ]


if __name__ == "__main__":
    for run in backfill(sys.argv[1], sys.argv[2], name=f"{sys.argv[1]}..{sys.argv[2]}"):
        print(run.id, run.name)
