"""What a run costs and what a task costs on top, out of a result: two numbers instead of a table of graphs."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measures.record import Result


@dataclass(frozen=True)
class Cost:
    """Of tasks that do nothing, out of medians of the makespan.

    Args:
        fixed_s: of a run of one task.
        task_s: of each task beyond the first, in the largest graph of the shape.
        tasks: how many that has.
    """

    fixed_s: float
    task_s: float
    tasks: int


def cost(result: Result, tool: str, where: str, shape: str = "linear") -> Cost | None:
    """The cost of a tool; None where the graphs that it takes were not run, or have failed.

    Args:
        result: of the measure `overhead`.
        tool: whose.
        where: embedded or compose.
        shape: of the largest graph, linear or fan-out; one task alone is both.
    """
    labels = {"work": "graph", "tool": tool, "where": where}
    titles = {each["graph"] for each in result.cases() if labels.items() <= each.items()}
    sizes = [int(title.split()[0]) for title in titles if title.split()[1:] == [shape]]
    one = result.timing("makespan_s", **labels, graph="1 linear")
    for size in sorted(sizes, reverse=True):
        many = result.timing("makespan_s", **labels, graph=f"{size} {shape}")
        if one and many and size > 1:
            return Cost(one.median, (many.median - one.median) / (size - 1), size)
    return None
