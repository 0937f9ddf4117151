"""Retrain on a range of months, at most so many at a time.

python -m kubeflow_impl.backfill 2013-02 2013-06 --at-once 2

Kubeflow Pipelines has no backfill. A recurring run that begins in the past and catches up makes a run for each instant
(`schedule.py`), but nobody may choose the months; runs in a loop, as here, do. Called again it goes on: a month that
has a run gets no second one, and a failed run is tried again where it failed.

The champion must not have been trained on the month that judges it. So a month that ends after a later one is refused
by its own run, and nothing is promoted wrongly; with `--at-once 1` no month overtakes another.
"""

import time
from typing import Annotated

import typer

from kubeflow_impl.server import Server
from shared import datasets

ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


def backfill(server: Server, months: list[str], at_once: int, parameters: dict, every_s: float = 5.0) -> dict[str, str]:
    """Run the months, oldest first.

    Args:
        server: where.
        months: which.
        at_once: so many runs are active at a time, at most.
        parameters: of the pipeline, beside the month.
        every_s: between two looks.

    Returns:
        Month -> the state in which its run has ended.
    """
    runs, waiting, states = {}, sorted(months), {}
    while waiting or len(states) < len(runs):
        for month in runs.keys() - states.keys():
            state = server.client.get_run(runs[month]).state
            if state in ENDED:
                states[month] = state
                print(f"{month}: {state.lower()}", flush=True)
        while waiting and len(runs) - len(states) < at_once:
            month = waiting.pop(0)
            run, new = server.start(f"backfill {month}", {"month": month, **parameters})
            if not new and run.state == "FAILED":
                server.retry(run.run_id)
            runs[month] = run.run_id
        time.sleep(every_s)
    return states


def main(
    first: str,
    last: str,
    at_once: Annotated[int, typer.Option(min=1, help="runs at a time")] = 2,
    dataset: str = datasets.DEFAULT,
    model_name: Annotated[str | None, typer.Option(help="another model than the data set's own")] = None,
    every: Annotated[float, typer.Option(help="seconds between two looks")] = 5.0,
    host: Annotated[str | None, typer.Option(help="the server, else KF_PIPELINES_ENDPOINT")] = None,
) -> None:
    """Retrain on every month from FIRST to LAST."""
    months = [window for window in datasets.get(dataset).windows if first <= window <= last]
    settings = {"model_name": model_name} if model_name else {}
    states = backfill(Server(host), months, at_once, {"dataset": dataset, "settings": settings}, every)
    raise SystemExit(any(state != "SUCCEEDED" for state in states.values()))


if __name__ == "__main__":
    typer.run(main)
