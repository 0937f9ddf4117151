from __future__ import annotations

import json

import pytest

from benchmarks.measures import record
from benchmarks.measures.record import ResultError, Sample
from tests.benchmarks.measures.made import ENVIRONMENT, result, sample


def test_a_result_file_can_be_read_again(tmp_path):
    file = tmp_path / "bench-overhead.json"
    made = result([sample(seconds=1.0), sample(round=1, status="failed", error="why")])
    file.write_text(made.model_dump_json())
    assert record.read(file) == made


def test_a_file_that_cannot_be_used_says_why_and_what_to_do(tmp_path):
    whole = result([sample(seconds=1.0)]).model_dump_json()
    spoilt = {
        "half": (whole[:200], "half-written"),
        "old": (json.dumps({**json.loads(whole), "schema_version": 0}), "schema version 0"),
        "none": (json.dumps({"measure": "demo", "environment": ENVIRONMENT}), "no schema version"),
        "list": ("[]", "no schema version"),
        "field": (json.dumps({**json.loads(whole), "samples": [{"round": 0}]}), "samples.0.case"),
    }
    for name, (text, told) in spoilt.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ResultError, match=told) as caught:
            record.read(tmp_path / name)
        assert name in caught.value.where
    with pytest.raises(ResultError, match="no such result file"):
        record.read(tmp_path / "missing")


def test_warm_ups_and_failures_are_kept_but_are_in_no_figure():
    made = result(
        [
            sample(warmup=True, seconds=99.0),
            sample(seconds=2.0),
            sample(round=1, status="failed", error="why", seconds=77.0),
            sample(round=2, seconds=4.0),
        ]
    )
    assert made.timing("seconds", tool="airflow").samples == [2.0, 4.0]
    assert len(made.samples) == 4
    assert made.timing("seconds", tool="prefect") is None
    assert made.timing("other", tool="airflow") is None


def test_what_is_over_a_baseline_is_taken_round_by_round():
    made = result(
        [
            *[sample(tool="plain", round=n, seconds=s) for n, s in enumerate([1.0, 2.0, 3.0])],
            *[sample(round=n, seconds=s) for n, s in [(0, 11.0), (2, 33.0)]],
        ]
    )
    told = made.over("seconds", {"tool": "plain"}, tool="airflow")
    assert told.samples == [10.0, 30.0]
    assert made.over("seconds", {"tool": "plain"}, tool="prefect") is None


def test_a_sample_takes_no_unknown_field():
    with pytest.raises(ValueError, match="extra"):
        Sample(case={}, round=0, status="succeeded", at="", mean=1.0)
