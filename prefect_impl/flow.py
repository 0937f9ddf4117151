"""Monthly retraining as a Prefect flow: ingest, validate, train each candidate, select, evaluate, register.

python -m prefect_impl.flow 2013-05          # one run, on an ephemeral API or on PREFECT_API_URL
"""

import sys

from prefect import Task, flow, task, unmapped
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run
from prefect.states import Completed

from shared import steps
from shared.config import Candidate, RetrainConfig
from shared.errors import BakeoffError
from shared.records import Outcome, Trained, Verdict, Window


def worth_a_retry(task: Task, run: TaskRun, state: State) -> bool:
    """Bad data stay bad: only what may pass by itself, such as a server that is down, is tried again."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, BakeoffError) or error.transient


RETRY = {"retries": 2, "retry_delay_seconds": [1, 5], "retry_condition_fn": worth_a_retry}


@task(**RETRY)
def ingest(config: RetrainConfig) -> Window:
    return steps.ingest(config, "prefect", str(flow_run.id))


@task
def validate(window: Window) -> Window:
    return steps.validate(window)


@task(**RETRY, task_run_name="train-{candidate.name}", tags=["train"])
def train(window: Window, candidate: Candidate) -> Trained:
    return steps.train(window, candidate)


@task
def select(trained: list[Trained]) -> Trained:
    best = steps.select(trained)
    create_table_artifact(
        [{"candidate": t.candidate, "AUC": t.auc, "log loss": t.log_loss, "selected": t == best} for t in trained],
        key="candidates",
        description="Candidates on the holdout",
    )
    return best


@task(**RETRY)
def evaluate(window: Window, challenger: Trained) -> Verdict:
    verdict = steps.evaluate(window, challenger)
    create_markdown_artifact(
        f"# {'Promote' if verdict.promote else 'Reject'} {challenger.candidate}\n\n{verdict.reason}\n\n"
        f"| | challenger | champion |\n|---|---|---|\n"
        f"| AUC | {challenger.auc:.4f} | {verdict.champion_auc:.4f} |\n"
        f"| log loss | {challenger.log_loss:.4f} | {verdict.champion_log_loss:.4f} |\n\n"
        f"MLflow run `{window.run_id}` in `{window.config.tracking_uri}`",
        key="verdict",
        description=f"The gate's verdict on {window.config.month}",
    )
    return verdict


@task(**RETRY)
def register(window: Window, verdict: Verdict) -> Outcome:
    return steps.register(window, verdict)


@flow(flow_run_name="retrain-{config.month}", persist_result=True, result_serializer="json")
def retrain(config: RetrainConfig) -> State:
    """Retrain on all months before `config.month` and let the gate decide on that month."""
    window = validate(ingest(config))
    trained = train.map(unmapped(window), window.candidates)
    verdict = evaluate(window, select(trained.result()))
    if not verdict.promote:
        return Completed(name="Rejected", message=verdict.reason)
    outcome = register(window, verdict)
    return Completed(name="Promoted", message=f"version {outcome.version}: {verdict.reason}")


if __name__ == "__main__":
    retrain(RetrainConfig(month=sys.argv[1]))
