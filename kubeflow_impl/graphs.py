"""Graphs of tasks that do next to nothing: what Kubeflow Pipelines itself costs.

python -m kubeflow_impl.graphs 10-linear     # one run by KFP's local runner
"""

import logging
import sys
from tempfile import TemporaryDirectory

from kfp import dsl, local
from kfp.dsl.base_component import BaseComponent

from kubeflow_impl.components import component
from shared.graphs import Graph, parse, tell


@component
def step(number: int, fib: int) -> int:
    """Compute a Fibonacci number naively, or do nothing."""
    if fib:
        from shared.graphs import work

        work(fib)
    return number


def pipeline(graph: Graph) -> BaseComponent:
    """The pipeline of one graph: how many tasks a chain has is settled when it is compiled."""

    @dsl.pipeline(name=f"graph-{graph.name}")
    def build():
        if graph.shape == "fan-out":
            with dsl.ParallelFor(list(range(graph.tasks)), name="each") as number:
                step(number=number, fib=graph.fib)
            return
        last = step(number=0, fib=graph.fib)
        for _ in range(graph.tasks - 1):
            last = step(number=last.output, fib=graph.fib)

    return build


class Log(logging.Filter):
    """Sees what KFP's local runner logs when it starts a task and when that has ended.

    For each task the runner sets the root logger's level and handlers, and afterwards puts back what it has found: of
    tasks at once, some lines then find no handler or too high a level. A filter is left alone, and so is a low level.
    """

    def __init__(self) -> None:
        super().__init__()
        logging.getLogger().setLevel(logging.INFO)
        logging.getLogger().addFilter(self)
        self.executing: list[float] = []
        self.finished: list[float] = []

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if message.startswith("Executing task"):
            self.executing.append(record.created)
        elif message.startswith("Task") and "finished with status" in message:
            self.finished.append(record.created)
        return True

    def times(self) -> list[list[float]]:
        """Of each task when it was executed and finished; which of several at once is which is not told."""
        return [list(each) for each in zip(self.executing, self.finished, strict=True)]


def main(name: str) -> None:
    """Run one graph. What a component's process prints, which says when it began its work, is on standard output."""
    log = Log()
    with TemporaryDirectory() as folder:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder, raise_on_error=True)
        made = pipeline(parse(name))
        tell(made, lambda _: log.times())


if __name__ == "__main__":
    main(sys.argv[1])
