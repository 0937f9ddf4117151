"""Monthly retraining as a Prefect flow: ingest, validate, train each candidate, select, evaluate, register.

python -m prefect_impl.flow 2013-05          # one run, on an ephemeral API or on PREFECT_API_URL
"""

import logging
import sys

from prefect import Task, flow, task, unmapped
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run
from prefect.states import Completed

from shared import links, steps
from shared.config import Candidate, RetrainConfig
from shared.errors import BakeoffError
from shared.records import Outcome, Trained, Verdict, Window

# Prefect sends the core's log lines to the run (pyproject.toml), but at the root logger's level, which is WARNING.
logging.getLogger("shared").setLevel(logging.INFO)


def worth_a_retry(task: Task, run: TaskRun, state: State) -> bool:
    """Bad data stay bad: only what may pass by itself, such as a server that restarts, is tried again."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, BakeoffError) or error.transient


RETRY = {"retries": 3, "retry_delay_seconds": [5, 15, 45], "retry_condition_fn": worth_a_retry}


@task(**RETRY)
def ingest(config: RetrainConfig) -> Window:
    window = steps.ingest(config, "prefect", str(flow_run.id), orchestrator_url=flow_run.ui_url)
    if window.run_url:
        create_link_artifact(window.run_url, "MLflow run", key="mlflow-run", description=f"Retraining {config.month}")
    return window


@task
def validate(window: Window) -> Window:
    return steps.validate(window)


@task(**RETRY, task_run_name="train-{candidate.name}", tags=["train"])
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


@flow(flow_run_name="retrain-{config.month}", persist_result=True, result_serializer="json")
def retrain(config: RetrainConfig) -> State:
    """Retrain on all months before `config.month` and let the gate decide on that month.

    A rejection is a normal end: the run is then completed as `Rejected`, and the champion stays.
    """
    window = validate(ingest(config))
    trained = train.map(unmapped(window), window.candidates)
    verdict = evaluate(window, select(window, trained.result()))
    if not verdict.promote:
        return Completed(name="Rejected", message=verdict.reason)
    outcome = register(window, verdict)
    return Completed(name="Promoted", message=f"version {outcome.version}: {verdict.reason}")


if __name__ == "__main__":
    retrain(RetrainConfig(month=sys.argv[1]))
