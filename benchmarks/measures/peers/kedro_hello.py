"""Kedro's hello world, a pipeline of two nodes, as a module of a Kedro project. Run by Kedro's Python."""

from kedro.pipeline import Node, Pipeline


def greet() -> str:
    """Give half a greeting."""
    return "Hello"


def join(greeting: str) -> str:
    """Give the other half."""
    return f"{greeting} Kedro!"


def create_pipeline(**_: object) -> Pipeline:
    """What `kedro run` finds: two nodes in a row."""
    return Pipeline(
        [
            Node(greet, inputs=None, outputs="greeting", name="greet"),
            Node(join, inputs="greeting", outputs="message", name="join"),
        ]
    )
