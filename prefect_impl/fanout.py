"""Fan-out over several workers. Mapped tasks are threads of one process; what may go to another machine is a run."""

from concurrent.futures import ThreadPoolExecutor

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner

from prefect_impl.flow import ingest, validate
from shared import steps
from shared.config import Candidate, RetrainConfig
from shared.records import Trained, Window


@flow(flow_run_name="train-{candidate.title}", persist_result=True, result_serializer="json")
def train_one(window: Window, candidate: Candidate) -> Trained:
    """Train one candidate of a window that another run has prepared."""
    return steps.train(window, candidate)


@flow(flow_run_name="spread-{config.month}", persist_result=True, result_serializer="json")
def spread(config: RetrainConfig) -> State:
    """Train every candidate in a run of its own, and select the best. It waits in a slot of its worker."""
    window = validate(ingest(config))
    given = window.model_dump(mode="json")

    def train(candidate: Candidate) -> Trained:
        child = run_deployment(
            "train-one/train-one",
            parameters={"window": given, "candidate": candidate.model_dump(mode="json")},
            idempotency_key=f"{run_id} {candidate.title}",
            as_subflow=False,
        )
        return child.state.result()

    run_id = flow_run.id
    with ThreadPoolExecutor(len(window.candidates)) as pool:
        trained = list(pool.map(train, window.candidates))
    return Completed(message=f"{steps.select(window, trained).candidate} of {len(trained)}")


@task
def nothing(number: int) -> int:
    return number


@flow(flow_run_name="many-{tasks}", task_runner=ThreadPoolTaskRunner(max_workers=16))
def many(tasks: int = 1000) -> int:
    """What a task costs that does nothing."""
    return len(nothing.map(range(tasks)).result())
