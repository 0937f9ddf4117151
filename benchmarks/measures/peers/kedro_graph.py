"""The linear graph of tasks that do nothing, as a module of a Kedro project. Run by Kedro's Python (kedro_run.py)."""

import os

from kedro.pipeline import Node, Pipeline


def first() -> int:
    """Do nothing."""
    return 0


def then(number: int) -> int:
    """Do nothing after another node."""
    return number


def create_pipeline(**_: object) -> Pipeline:
    """Nodes in a row, as many as PEER_TASKS says."""
    rest = range(1, int(os.environ["PEER_TASKS"]))
    following = [Node(then, inputs=f"n{n - 1}", outputs=f"n{n}", name=f"then_{n}") for n in rest]
    return Pipeline([Node(first, inputs=None, outputs="n0", name="first"), *following])
