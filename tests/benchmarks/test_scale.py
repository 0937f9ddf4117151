from __future__ import annotations

import json

import pytest

from benchmarks import scale, scale_plot
from benchmarks.scale import Sample, Step
from benchmarks.scale_sample import Measured

ROWS = 200_000


def sample(kind, rows=1_000_000, number=0, seconds=1.0, peak=700, validate=None, frame=100):
    measured = Measured(
        seconds=seconds,
        cpu_seconds=seconds,
        floor_bytes=500,
        peak_bytes=peak,
        training_rows=rows if kind == "bare" else None,
        frame_bytes=frame if kind == "bare" else None,
    )
    steps = [Step(name="validate", seconds=validate, peak_bytes=600)] if validate else []
    return Sample(rows=rows, kind=kind, number=number, status="succeeded", measured=measured, steps=steps)


def met(samples):
    return {(each.name, each.rows): (each.value, each.met) for each in scale.targets(samples)}


def test_targets_are_held_against_the_samples():
    samples = [
        *(sample("read", 3_000_000, n, 1.0) for n in range(2)),
        *(sample("bare", 3_000_000, n, 10.0) for n in range(2)),
        sample("core", 3_000_000, 0, 11.0, validate=1.9, peak=800),
        sample("core", 3_000_000, 1, 11.4, validate=1.9, peak=801),
    ]
    assert met(samples) == {
        ("core over bare", 3_000_000): (1.12, True),
        ("validation over read", 3_000_000): (1.9, True),
        ("peak memory over training frame", 3_000_000): (3.005, False),
        ("finished", 3_000_000): (1.0, True),
    }


def test_the_small_size_may_cost_more_and_the_one_between_has_no_limit():
    pairs = [
        sample(kind, rows, 0, 10.0 * (1.2 if kind == "core" else 1))
        for rows in (300_000, 1_000_000)
        for kind in ("read", "bare", "core")
    ]
    found = met(pairs)
    assert found["core over bare", 300_000] == (1.2, True)
    assert ("core over bare", 1_000_000) not in found


def test_a_run_that_failed_is_a_row_and_meets_nothing():
    failed = Sample(rows=3_000_000, kind="core", number=0, status="failed", error="exit code -9")
    found = met([sample("read", 3_000_000), sample("bare", 3_000_000), failed])
    assert not any(good for _, good in found.values())
    assert found["finished", 3_000_000] == (0.0, False)


def test_the_memory_of_a_step_is_the_most_that_was_seen_in_it(tmp_path):
    events = [
        {"time": 10.0, "step": "validate", "label": "", "state": "started"},
        {"time": 12.0, "step": "validate", "label": "", "state": "finished", "seconds": 2.0},
        {"time": 15.0, "step": "train", "label": "a", "state": "finished", "seconds": 3.0},
        {"time": 15.0, "step": "train", "label": "b", "state": "started"},
    ]
    listener = tmp_path / "events.jsonl"
    listener.write_text("".join(json.dumps(each) + "\n" for each in events))
    seen = [(9.9, 99), (10.5, 5), (11.9, 7), (14.0, 3), (16.0, 50)]
    steps = [(step.name, step.seconds, step.peak_bytes) for step in scale._steps(listener, seen)]
    assert steps == [("validate", 2.0, 7), ("train a", 3.0, 3)]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Two sizes, as small as they can be, once each; the second call finds the samples of the first."""
    work = tmp_path_factory.mktemp("scale")
    told: list[str] = []

    def stop_after_two(line):
        told.append(line)
        if sum(" rows, " in each for each in told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scale.measure([ROWS], stop_after_two, times=1, work=work)
    kept = [path.read_text() for path in work.glob("samples-*.jsonl")]
    assert len(kept) == 1
    assert kept[0].count("\n") == 2
    told.clear()
    result = scale.measure([ROWS], told.append, times=1, work=work)
    assert sum(" rows, " in line for line in told) == 1  # the two others were there
    assert not list(work.glob("samples-*.jsonl"))
    return result


def test_a_small_benchmark_measures_every_kind(result):
    assert [each.kind for each in result.samples] == ["read", "bare", "core"]
    assert all(each.status == "succeeded" for each in result.samples), result.samples
    read, bare, core = result.samples
    assert [step.name for step in read.steps] == ["read"]
    assert {step.name for step in core.steps} >= {"ingest", "validate", "evaluate", "register"}
    assert bare.measured.frame_bytes == pytest.approx(42 * bare.measured.training_rows, rel=0.05)
    assert all(each.measured.peak_bytes >= each.measured.floor_bytes > 0 for each in result.samples)
    assert result.sizes == [ROWS]


def test_the_plot_is_the_same_every_time_and_small(result, tmp_path):
    scale_plot.draw(result, tmp_path / "one.png")
    scale_plot.draw(result, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert 10_000 < (tmp_path / "one.png").stat().st_size < 200_000


def test_a_failing_process_is_a_sample_with_its_cause(tmp_path):
    failed = scale.take("read", 1, 0, tmp_path)  # there are no such flights
    assert failed.status == "failed"
    assert "FileNotFoundError" in failed.error
    assert str(scale.ROOT) not in failed.error
