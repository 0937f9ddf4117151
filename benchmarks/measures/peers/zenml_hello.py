"""ZenML's hello world, as its documentation writes it: one step, on the default stack. Run by ZenML's Python."""

from zenml import pipeline, step


@step
def greet() -> str:
    """Give a greeting, which ZenML keeps as an artifact."""
    return "Hello World!"


@pipeline
def hello() -> None:
    """One step."""
    greet()


if __name__ == "__main__":
    hello()
