"""
### Monthly retraining

Trains every candidate on all months before the chosen one, scores them on it, and promotes the best
only if the gate finds it surely better than the champion. A rejection is a normal end: `register` is then skipped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    ExceptionRetryPolicy,
    Metadata,
    Param,
    RetryAction,
    RetryRule,
    dag,
    get_current_context,
    task,
)

from shared import datasets, steps

# What passes between tasks is plain JSON (XCom): identities, paths and numbers; the data stay in files.
Json = dict[str, Any]

CHAMPION = Asset("champion", uri="mlflow://champion")

MONTHS = list(datasets.get(datasets.DEFAULT).windows)

# Bad data stay bad: only what may pass by itself, such as a server that is down, is tried again.
RETRY = {
    "retries": 2,
    "retry_delay": timedelta(seconds=2),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule("shared.errors.TrackingError", RetryAction.RETRY),
            RetryRule("shared.errors.BakeoffError", RetryAction.FAIL, reason="the cause will not pass by itself"),
        ]
    ),
}


@dag(
    dag_id="retrain",
    schedule=None,
    max_active_runs=1,
    params={
        "month": Param("2013-05", type="string", examples=MONTHS, description="The month that has just arrived"),
        "settings": Param({}, type="object", description="Any other field of shared.config.RetrainConfig"),
    },
    default_args=RETRY,
    doc_md=__doc__,
    tags=["bake-off"],
)
def retrain():
    @task
    def ingest(params: Json | None = None, run_id: str | None = None) -> Json:
        return steps.ingest({"month": params["month"], **params["settings"]}, "airflow", run_id).json_dict()

    @task
    def validate(window: Json) -> Json:
        return steps.validate(window).json_dict()

    @task
    def candidates(window: Json) -> list[Json]:
        return window["config"]["candidates"]

    @task(map_index_template="{{ candidate_name }}")
    def train(window: Json, candidate: Json) -> Json:
        get_current_context()["candidate_name"] = candidate["name"]
        return steps.train(window, candidate).json_dict()

    @task
    def select(trained: list[Json]) -> Json:
        return steps.select(list(trained)).json_dict()

    @task
    def evaluate(window: Json, challenger: Json) -> Json:
        return steps.evaluate(window, challenger).json_dict()

    @task.short_circuit
    def gate(verdict: Json) -> bool:
        return verdict["promote"]

    @task(outlets=[CHAMPION])
    def register(window: Json, verdict: Json):
        outcome = steps.register(window, verdict).json_dict()
        yield Metadata(CHAMPION, extra=outcome)
        return outcome

    window = validate(ingest())
    trained = train.partial(window=window).expand(candidate=candidates(window))
    verdict = evaluate(window, select(trained))
    gate(verdict) >> register(window, verdict)


retrain()
