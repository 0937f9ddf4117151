"""
### Monthly retraining

Trains every candidate on all months before the chosen one, scores them on it, and promotes the best
only if the gate finds it surely better than the champion. A rejection is a normal end: `register` is then skipped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.sdk import (
    Asset,
    BaseOperatorLink,
    BaseXCom,
    ExceptionRetryPolicy,
    Metadata,
    Param,
    RetryAction,
    RetryRule,
    conf,
    dag,
    get_current_context,
    task,
)

from shared import datasets, steps

# What passes between tasks is plain JSON (XCom): identities, paths and numbers; the data stay in files.
Json = dict[str, Any]

VERDICT = {
    "verdict": "{% set verdict = ti.xcom_pull('evaluate') %}"
    "{{ 'promote' if verdict.promote else 'reject' }} {{ verdict.challenger.candidate }}",
    "reason": "{{ ti.xcom_pull('evaluate').reason }}",
}

CHAMPION = Asset("champion", uri="mlflow://champion")

MONTHS = list(datasets.get(datasets.DEFAULT).windows)


class MLflowRun(BaseOperatorLink):
    """The button `MLflow run` of a task. Airflow asks for the address when the task ends, and keeps it in XCom."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        run = {"dag_id": ti_key.dag_id, "run_id": ti_key.run_id}
        window = BaseXCom.get_one(key="return_value", task_id="ingest", **run) or {}
        return window.get("run_url", "")


# Bad data stay bad: only what may pass by itself, such as a server that restarts, is tried again.
RETRY = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 3.0,
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
        """Open the MLflow run and fetch the months by data version."""
        config = {"month": params["month"], **params["settings"]}
        page = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/retrain/runs/{quote(run_id)}"
        return steps.ingest(config, "airflow", run_id, orchestrator_url=page).json_dict()

    @task
    def validate(window: Json) -> Json:
        """Hold the months against the data contract; set impossible rows aside."""
        return steps.validate(window).json_dict()

    @task
    def candidates(window: Json) -> list[Json]:
        """What to train: the width of the fan-out is known at run time only."""
        return window["config"]["candidates"]

    # A mapped task takes no documentation from its docstring.
    @task(map_index_template="{{ candidate_name }}", doc_md="Fit one candidate and score it on the holdout.")
    def train(window: Json, candidate: Json) -> Json:
        get_current_context()["candidate_name"] = candidate["name"]
        return steps.train(window, candidate).json_dict()

    @task
    def select(window: Json, trained: list[Json]) -> Json:
        """Choose the candidate with the lowest log loss."""
        return steps.select(window, list(trained)).json_dict()

    @task
    def evaluate(window: Json, challenger: Json) -> Json:
        """Let the challenger meet the champion; the XCom holds the verdict and its reason."""
        return steps.evaluate(window, challenger).json_dict()

    # What was decided, and why, then stands in the tab "Rendered Templates" of this task.
    @task.short_circuit(templates_dict=VERDICT)
    def gate(verdict: Json) -> bool:
        """Go on to `register` only if the challenger is surely better; a rejection skips it."""
        return verdict["promote"]

    @task(outlets=[CHAMPION])
    def register(window: Json, verdict: Json):
        """Register the challenger and make it champion; the asset event carries the outcome."""
        outcome = steps.register(window, verdict).json_dict()
        yield Metadata(CHAMPION, extra=outcome)
        return outcome

    opened = ingest()
    window = validate(opened)
    trained = train.partial(window=window).expand(candidate=candidates(window))
    verdict = evaluate(window, select(window, trained))
    registered = register(window, verdict)
    gate(verdict) >> registered
    for result in (opened, verdict, registered):
        result.operator.operator_extra_links = [MLflowRun()]


retrain()
