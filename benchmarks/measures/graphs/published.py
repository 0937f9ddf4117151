"""What others have published of the same graphs, to be shown beside ours with their source, never mixed with them."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One figure of Windmill's benchmark: seconds from the first task's creation to the last one's end (`tasks_s`)."""

    graph: str
    engine: str
    seconds: float


SOURCE = "https://www.windmill.dev/docs/misc/benchmarks/competitors/results/python"
#: How it was made, for whoever reads the figures.
NOTE = (
    "Windmill's own benchmark, as published in 2025 and read on 2026-11-28: Python, one worker, each engine in compose "
    "on an AWS m4.large; no spread is given. Another machine, and older majors: to be set beside ours, no more."
)
_LIGHT, _LONG = "40 linear fib(10)", "10 linear fib(33)"
WINDMILL = (
    Published(_LIGHT, "Airflow 2.7.3", 116.221),
    Published(_LIGHT, "Kestra 0.22.3", 6.044),
    Published(_LIGHT, "Prefect 2.14.4", 4.872),
    Published(_LIGHT, "Windmill 1.483.1", 4.383),
    Published(_LIGHT, "Temporal 2.34.0", 2.967),
    Published(_LIGHT, "Windmill 1.483.1, dedicated worker", 2.092),
    Published(_LIGHT, "Hatchet 0.62.0", 1.222),
    Published(_LONG, "Airflow 2.7.3", 54.668),
    Published(_LONG, "Kestra 0.22.3", 15.786),
    Published(_LONG, "Prefect 2.14.4", 15.489),
    Published(_LONG, "Windmill 1.483.1", 8.347),
    Published(_LONG, "Hatchet 0.62.0", 7.793),
    Published(_LONG, "Windmill 1.483.1, dedicated worker", 7.701),
    Published(_LONG, "Temporal 2.34.0", 7.247),
)
