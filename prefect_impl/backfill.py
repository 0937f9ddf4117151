"""Retrain on a range of months: python -m prefect_impl.backfill 2013-02 2013-05 '{"seed": 1}'

The runs are asked for at once and taken one at a time, oldest month first, by the queue that setup.py limits. Asked
for again in the same words, the range makes no second run of a month.
"""

import json
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
        settings: other fields of `RetrainConfig`, the last argument of the command.
    """
    months = [*RetrainConfig(month=last).train_months, last]
    now = datetime.now(UTC)
    return [
        run_deployment(
            "retrain/retrain",
            parameters={"config": {"month": month, **settings}},
            scheduled_time=now + timedelta(seconds=number),  # the queue's order
            idempotency_key=json.dumps([name, month, settings], sort_keys=True),
            tags=["backfill", name],
            timeout=0,  # do not wait for its end
            as_subflow=False,
        )
        for number, month in enumerate(months[months.index(first) :])
    ]


if __name__ == "__main__":
    first, last, *more = sys.argv[1:]
    settings = json.loads(more[0]) if more else {}
    for run in backfill(first, last, name=f"{first}..{last}", **settings):
        print(run.id, run.name)
