"""Results as a measure would have made them."""

from __future__ import annotations

from benchmarks.measures.record import Result, Sample

ENVIRONMENT = {
    "date": "2026-01-01T00:00:00+00:00",
    "commit": "0123456789abcdef",
    "os": "Linux 6",
    "machine": "x86_64",
    "cpu": "a CPU",
    "cpus": 2,
    "memory_gib": 8.0,
    "python": "3.11.7",
}


def sample(tool="airflow", round=0, *, warmup=False, status="succeeded", error="", case=None, texts=None, **figures):
    return Sample(
        case={"tool": tool, **(case or {})},
        round=round,
        warmup=warmup,
        status=status,
        figures=figures,
        texts=texts or {},
        error=error,
        at="2026-01-01T00:00:00+00:00",
        load=0.5,
    )


def result(samples, measure="overhead", **fields):
    fields = {"profile": "quick", "environment": ENVIRONMENT, "versions": {}, "seconds": 1.0, **fields}
    return Result(measure=measure, samples=tuple(samples), **fields)
