"""Monthly retraining as a Prefect flow: ingest, validate, impute, train each candidate, select, evaluate, register.

python -m prefect_impl.flow 2013-05          # one run, on an ephemeral API or on PREFECT_API_URL
"""

import logging
import sys
from typing import Any

from prefect import Task, flow, suspend_flow_run, task, unmapped
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner

from shared import links, steps
from shared.config import Candidate, RetrainConfig
from shared.errors import PERMANENT, BakeoffError
from shared.records import Outcome, Trained, Verdict, Window
from shared.schedule import month_due

# Prefect sends the core's log lines to the run (pyproject.toml), but at the root logger's level, which is WARNING.
logging.getLogger("shared").setLevel(logging.INFO)


def worth_a_retry(task: Task, run: TaskRun, state: State) -> bool:
    """Bad data, settings and code stay bad: only what may pass by itself, as when a server restarts, is retried."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, BakeoffError):
        return error.transient
    return not isinstance(error, PERMANENT)


RETRY = {
    "retries": 3,
    "retry_delay_seconds": [5, 15, 45],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": worth_a_retry,
}


class Approval(RunInput):
    """What a person answers before a promotion."""

    approve: bool
    by: str


@task(**RETRY)
def ingest(config: RetrainConfig) -> Window:
    window = steps.ingest(config, "prefect", str(flow_run.id), orchestrator_url=flow_run.ui_url)
    if window.run_url:
        create_link_artifact(window.run_url, "MLflow run", key="mlflow-run", description=f"Retraining {config.month}")
    return window


@task
def validate(window: Window) -> Window:
    return steps.validate(window)


@task(**RETRY)
def impute(window: Window) -> Window | State:
    if not window.report.impute:
        return Completed(name="Skipped", message="no number is missing throughout", data=window)
    return steps.impute(window)


@task(**RETRY, task_run_name="train-{candidate.title}")
def train(window: Window, candidate: Candidate) -> Trained:
    return steps.train(window, candidate)


@task
def select(window: Window, trained: list[Trained]) -> Trained:
    best = steps.select(window, trained)
    create_table_artifact(
        [
            {"candidate": t.candidate, "AUC": round(t.auc, 4), "log loss": round(t.log_loss, 4), "selected": t == best}
            for t in trained
        ],
        key="candidates",
        description="Candidates on the holdout",
    )
    return best


@task(**RETRY)
def evaluate(window: Window, challenger: Trained) -> Verdict:
    verdict = steps.evaluate(window, challenger)
    create_markdown_artifact(
        f"{links.verdict_table(verdict)}\n\n{links.to_mlflow(window)}",
        key="verdict",
        description=f"The gate's verdict on {window.config.month}",
    )
    return verdict


@task(**RETRY)
def register(window: Window, verdict: Verdict) -> Outcome:
    return steps.register(window, verdict)


@task(**RETRY)
def refuse(window: Window, verdict: Verdict, by: str) -> Outcome:
    return steps.refuse(window, verdict, by)


def month_of_run() -> str:
    """The month that the run is about; of a scheduled one, the month that was over when it was due, late or not."""
    config = flow_run.parameters.get("config")
    return RetrainConfig.model_validate(config).month if config else month_due(flow_run.scheduled_start_time)


@flow(
    flow_run_name=lambda: f"retrain-{month_of_run()}",
    persist_result=True,
    result_serializer="json",
    task_runner=ThreadPoolTaskRunner(max_workers=4),
)
def retrain(
    config: RetrainConfig | None = None,
    settings: dict[str, Any] | None = None,
    approval: bool = False,
    approve_within: int = 86_400,
) -> State:
    """Retrain on all months before `config.month` and let the gate decide on that month.

    A rejection is a normal end: the run is then completed as `Rejected`, and the champion stays.

    Args:
        config: what to retrain; without it, the month that was over at the run's scheduled time.
        settings: any other field of the config, of a scheduled run.
        approval: suspend the run before a promotion, until a person answers.
        approve_within: seconds after which the server fails a run that nobody has answered.
    """
    config = config or RetrainConfig(month=month_of_run(), **(settings or {}))
    window = validate(ingest(config))
    window = impute(window, return_state=True).result()
    outcomes = train.map(unmapped(window), window.candidates)
    trained = outcomes.result(raise_on_failure=not config.tolerate_failed)
    challenger = select(window, [each for each in trained if isinstance(each, Trained)])
    verdict = evaluate(window, challenger)
    if not verdict.promote:
        return Completed(name="Rejected", message=verdict.reason)
    if approval:
        # The process ends here. Once there is an answer the run starts again, and what was done comes from the cache.
        asked = Approval.with_initial_data(description=links.verdict_table(verdict))
        answer = suspend_flow_run(wait_for_input=asked, timeout=approve_within, key="approval")
        if not answer.approve:
            outcome = refuse(window, verdict, answer.by)
            return Completed(name="Refused", message=outcome.reason)
    outcome = register(window, verdict)
    return Completed(name="Promoted", message=f"version {outcome.version}: {verdict.reason}")


if __name__ == "__main__":
    retrain(RetrainConfig(month=sys.argv[1]))
