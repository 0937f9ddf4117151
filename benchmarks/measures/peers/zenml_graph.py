"""The linear graph of tasks that do nothing, as a ZenML pipeline: `python zenml_graph.py 10`. Run by ZenML's Python.

Prints when the pipeline was called and when it had ended, in seconds since 1970.
"""

import json
import sys
import time

from zenml import pipeline, step


@step
def first() -> int:
    """Do nothing."""
    return 0


@step
def then(number: int) -> int:
    """Do nothing after another step."""
    return number


@pipeline(enable_cache=False)
def linear(tasks: int) -> None:
    """Steps in a row."""
    number = first()
    for _ in range(tasks - 1):
        number = then(number)


if __name__ == "__main__":
    called = time.time()
    run = linear(int(sys.argv[1]))
    ended = time.time()
    done = [each for each in run.steps.values() if each.status == "completed"]
    print(json.dumps({"called": called, "ended": ended, "tasks": len(done)}))
