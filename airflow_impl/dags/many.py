"""
### Many small tasks

What a task costs that has nothing to do: `n` of them at once.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, task


@dag(
    schedule=None,
    params={
        "n": Param(1000, type="integer", minimum=1, maximum=1024, description="Airflow's own limit: max_map_length")
    },
    doc_md=__doc__,
    tags=["bake-off"],
)
def many():
    @task
    def numbers(params=None) -> list[int]:
        """One number a task."""
        return list(range(params["n"]))

    @task(doc_md="Do nothing.")
    def small(number: int) -> None:
        pass

    small.expand(number=numbers())


many()
