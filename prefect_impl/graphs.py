"""Graphs of tasks that do next to nothing: what Prefect itself costs.

python -m prefect_impl.graphs 10-linear     # one run, on an ephemeral API or on PREFECT_API_URL
"""

import sys
import time
from uuid import UUID

from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.runtime import flow_run

from shared.graphs import parse, tell, work

PATIENCE_S = 60.0


@task
def step(number: int, fib: int) -> int:
    work(fib)
    return number


@flow(flow_run_name="graph-{name}")
def graph(name: str) -> str:
    """Run the tasks of one graph; give the run's own id.

    Args:
        name: of the graph, such as 10-fan-out.
    """
    asked = parse(name)
    if asked.shape == "fan-out":
        step.map(range(asked.tasks), fib=asked.fib).result()
    else:
        last = step(0, asked.fib)
        for _ in range(asked.tasks - 1):
            last = step(last, asked.fib)
    return str(flow_run.id)


def times(client: SyncPrefectClient, run: str, tasks: int) -> list[list[float]]:
    """When each task was expected to start, started and ended; the API learns of the last ones after the run's end."""
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run)]))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = client.read_task_runs(flow_run_filter=of_run, limit=200)
        done = [(each.expected_start_time, each.start_time, each.end_time) for each in found if each.end_time]
        if len(done) == tasks:
            return [[moment.timestamp() for moment in each] for each in done]
        if time.monotonic() > deadline:
            raise TimeoutError(f"the API knows of {len(done)} of {tasks} task runs after {PATIENCE_S:.0f} s")
        time.sleep(0.1)


def main(name: str) -> None:
    """Run one graph and print its times. The API is up before the clock starts."""
    tasks = parse(name).tasks
    with get_client(sync_client=True) as client:
        client.hello()
        tell(lambda: graph(name), lambda run: times(client, run, tasks))


if __name__ == "__main__":
    main(sys.argv[1])
