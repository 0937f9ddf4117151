"""
### Monthly retraining

Trains every candidate on all months before the chosen one, scores them on it, and promotes the best
only if the gate finds it surely better than the champion, and a person agrees where the run asks for that.
A rejection is a normal end: `register` is then skipped.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    Asset,
    BaseOperatorLink,
    BaseXCom,
    CronPartitionTimetable,
    Metadata,
    Param,
    conf,
    dag,
    get_current_context,
    task,
)

from airflow_impl import common
from airflow_impl.approval import Approve
from airflow_impl.common import Json
from airflow_impl.webhook import Webhook
from shared import steps

#: How many candidates are trained at once is the size of this pool; Airflow's own where nobody has made one for it.
TRAIN_POOL = os.environ.get("BAKEOFF_TRAIN_POOL", "default_pool")

RUN = "{{ dag.dag_id }} {{ run_id }}"
VERDICT = {
    "verdict": "{% set verdict = ti.xcom_pull('evaluate') %}"
    "{{ 'promote' if verdict.promote else 'reject' }} {{ verdict.challenger.candidate }}",
    "reason": "{{ ti.xcom_pull('evaluate').reason }}",
}

CHAMPION = Asset("champion", uri="mlflow://champion")


class MLflowRun(BaseOperatorLink):
    """The button `MLflow run` of a task. Airflow asks for the address when the task ends, and keeps it in XCom."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        run = {"dag_id": ti_key.dag_id, "run_id": ti_key.run_id}
        window = BaseXCom.get_one(key="return_value", task_id="ingest", **run) or {}
        return window.get("run_url", "")


def pipeline(dag_id: str, settings: Json | None = None, **when: Any) -> DAG:
    """One DAG of the pipeline: what it is started by, and what it assumes where a run says nothing else."""

    @dag(
        dag_id=dag_id,
        max_active_runs=1,
        params={
            "month": common.MONTH,
            "settings": common.settings(settings),
            "approval": Param(False, type="boolean", description="A person has to agree before a promotion"),
            "approval_hours": Param(
                24, type="number", exclusiveMinimum=0, description="No answer in that time is a refusal"
            ),
        },
        default_args=common.DEFAULTS,
        doc_md=__doc__,
        tags=["bake-off"],
        on_failure_callback=Webhook("{{ dag.dag_id }} {{ run_id }} failed: {{ reason }}"),
        **when,
    )
    def retrain():
        @task
        def ingest(params=None, run_id=None, dag=None, partition_key=None, triggering_asset_events=None) -> Json:
            """Open the MLflow run and fetch the months by data version."""
            config = common.request(params, partition_key, triggering_asset_events)
            page = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{dag.dag_id}/runs/{quote(run_id)}"
            return steps.ingest(config, "airflow", run_id, orchestrator_url=page).json_dict()

        # The road is chosen here, not by `impute`: a task that skips itself costs a process and up to five seconds.
        @task.branch
        def validate(window: Json, ti=None) -> str:
            """Hold the months against the data contract; set impossible rows aside. Is there something to impute?"""
            validated = steps.validate(window).json_dict()
            ti.xcom_push("window", validated)
            return "impute" if validated["report"]["impute"] else "candidates"

        @task
        def impute(window: Json) -> Json:
            """Fill what is missing with the training months' median; skipped where nothing asks for it."""
            return steps.impute(window).json_dict()

        @task(trigger_rule="none_failed")
        def candidates(validated: Json, imputed: Json | None = None, ti=None) -> list[Json]:
            """What to train: the width of the fan-out is known at run time only. From here on there is one window."""
            window = imputed or validated
            ti.xcom_push("window", window)
            return steps.candidates(window)

        # A mapped task takes no documentation from its docstring. The pool says how many run at once, and can be
        # changed while they do.
        @task(
            map_index_template="{{ candidate_name }}",
            pool=TRAIN_POOL,
            doc_md="Fit one candidate and score it on the holdout.",
        )
        def train(window: Json, candidate: Json) -> Json:
            get_current_context()["candidate_name"] = candidate.get("label", candidate["name"])
            return steps.train(window, candidate).json_dict()

        # Whether one that has failed may be left out is the configuration's to say, and the core's to hold.
        @task(trigger_rule="all_done_min_one_success")
        def select(window: Json, trained: list[Json]) -> Json:
            """Choose the candidate with the lowest log loss."""
            return steps.select(window, list(trained)).json_dict()

        @task
        def evaluate(window: Json, challenger: Json) -> Json:
            """Let the challenger meet the champion; the XCom holds the verdict and its reason."""
            return steps.evaluate(window, challenger).json_dict()

        # What was decided, and why, then stands in the tab "Rendered Templates" of this task.
        @task.branch(templates_dict=VERDICT)
        def gate(verdict: Json, params: Json | None = None) -> str:
            """Register what is surely better, or ask a person first; what is not chosen is skipped."""
            if not verdict["promote"]:
                return "rejected"
            return "approve" if params["approval"] else "register"

        @task(outlets=[CHAMPION], trigger_rule="none_failed_min_one_success")
        def register(window: Json, verdict: Json):
            """Register the challenger and make it champion; the asset event carries the outcome."""
            outcome = steps.register(window, verdict).json_dict()
            yield Metadata(CHAMPION, extra=outcome)
            return outcome

        @task(on_success_callback=Webhook(f"{RUN} was refused by {{{{ ti.xcom_pull(task_ids='approve', key='by') }}}}"))
        def refuse(window: Json, verdict: Json, by: str) -> None:
            """Close the retraining of a promotion that a person did not want."""
            steps.refuse(window, verdict, by)

        rejected = EmptyOperator(
            task_id="rejected",
            doc_md="The champion stays: whoever listens to alerts is told why.",
            on_success_callback=Webhook(f"{RUN} was rejected: {VERDICT['reason']}"),
        )
        approve = Approve(
            task_id="approve",
            doc_md="Wait for a person, who approves or refuses the promotion.",
            subject="Promote {{ ti.xcom_pull(task_ids='evaluate').challenger.candidate }}?",
            body=VERDICT["reason"],
            options=["Approve", "Refuse"],
            options_mapping={"Approve": "register", "Refuse": "refuse"},
            defaults="Refuse",
            notifiers=Webhook(f"{RUN} waits for approval"),
            retries=0,  # a second try would ask again
        )

        opened = ingest()
        validated = validate(opened)["window"]
        plan = candidates(validated, impute(validated))
        window = plan["window"]
        trained = train.partial(window=window).expand(candidate=plan)
        verdict = evaluate(window, select(window, trained))
        registered = register(window, verdict)
        gate(verdict) >> [rejected, approve, registered]
        approve >> [registered, refuse(window, verdict, approve.output["by"])]
        for result in (opened, verdict, registered):
            result.operator.operator_extra_links = [MLflowRun()]

    return retrain()


#: At six in the morning of every third of a month, in New York, for the month before.
MONTHLY = CronPartitionTimetable("0 6 3 * *", timezone="America/New_York", run_offset=-1, key_format="%Y-%m")

by_hand = pipeline("retrain", schedule=None)
# Not paused at first: an event that comes while a DAG is paused is lost to it.
on_arrival = pipeline("retrain_on_arrival", schedule=common.ON_ARRIVAL, is_paused_upon_creation=False)
monthly = pipeline("retrain_monthly", schedule=MONTHLY, start_date=datetime(2013, 3, 1), catchup=False)
#: What the schedule would have made of the past, in a model of its own; backfills too.
history = pipeline(
    "retrain_history",
    settings={"model_name": "history"},
    schedule=MONTHLY,
    start_date=datetime(2013, 3, 1),
    end_date=datetime(2013, 5, 1),
    catchup=True,
)
