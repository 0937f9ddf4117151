"""The measure: its cases, how their figures are read, and one end to end, with plain Python alone (seconds)."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmarks.display import Display
from benchmarks.measures import graphs, overhead, rounds
from benchmarks.measures.catalog import Asked, Name, Where, load
from benchmarks.measures.overhead import harness, imports, retraining, usage
from benchmarks.places import ArmName
from benchmarks.results import ArmResult
from tests.benchmarks.measures.made import ENVIRONMENT

QUICK = Asked("quick", where=[Where.EMBEDDED])


@pytest.fixture(autouse=True)
def _engine(monkeypatch):
    monkeypatch.setattr(graphs, "no_engine", lambda: "")
    monkeypatch.setattr(retraining, "no_engine", lambda: "")


def cases(asked):
    return [each for group in overhead.groups(asked) for each in group.cases]


def test_the_measure_is_found_by_its_name():
    assert load(Name.OVERHEAD) is overhead.MEASURE


def test_no_two_cases_are_alike_and_only_settings_and_clusters_are_not_the_default():
    found = [each.labels for each in cases(Asked())]
    assert len({tuple(sorted(each.items())) for each in found}) == len(found)
    assert {each["work"] for each in found if "setting" in each} == {"setting"}
    assert {each["work"] for each in found} == {"import", "parse", "retraining", "graph", "setting", "harness"}


def test_the_full_profile_takes_five_samples_and_more():
    assert all(each.rounds >= 5 for each in cases(Asked()) if not each.cannot)


def test_the_quick_profile_says_that_it_takes_about_five_minutes_and_starts_no_container():
    assert rounds.estimate_s(overhead.groups(QUICK)) < 5 * 60
    assert {each.labels["where"] for each in cases(QUICK)} == {"embedded"}


def test_every_retraining_has_a_baseline_in_its_own_group():
    for group in overhead.groups(Asked()):
        inside = [each.labels for each in group.cases]
        for each in inside:
            if each["work"] == "retraining" and each["where"] != "kind":
                assert graphs.baseline(each) in inside


def test_a_cluster_is_a_row_that_says_what_would_run_it():
    [row] = [each for each in cases(Asked()) if each.cannot]
    assert row.labels == {"work": "retraining", "tool": "kubeflow", "where": "kind"}
    assert "./bakeoff up kubeflow" in row.cannot


def arm_result(**fields):
    base = {
        "name": "plain",
        "status": "succeeded",
        "seconds": 10.0,
        "start_s": 2.0,
        "stop_s": 0.1,
        "adapter_lines": 1,
        "versions": {},
        "tracking_uri": "",
        "retrainings": [{"month": "2013-03", "status": "succeeded", "seconds": 8.0, "model_digest": "abc"}],
    }
    return ArmResult.model_validate({**base, **fields})


def step(name, state, time, label=""):
    return {"time": time, "step": name, "label": label, "state": state}


def test_of_a_retraining_start_execution_and_transition_add_up():
    events = [
        step("retrain", "started", 100.0, "2013-03"),
        step("ingest", "started", 102.0),
        step("ingest", "finished", 103.0),
        step("train", "started", 104.0, "a"),
        step("train", "started", 104.5, "b"),
        step("train", "failed", 105.0, "b"),
        step("train", "finished", 106.0, "a"),
        step("retrain", "finished", 110.0, "2013-03"),
    ]
    taken = retraining.taken_of(arm_result(), events)
    assert taken.figures == {"makespan_s": 10.0, "start_s": 2.0, "execution_s": 3.0, "transition_s": 5.0}
    assert taken.texts == {"model": "abc"}


def test_a_retraining_that_never_began_has_its_makespan_alone():
    assert retraining.taken_of(arm_result(start_s=None), []).figures == {"makespan_s": 10.0}


def test_an_import_that_fails_says_why():
    with pytest.raises(rounds.Failed, match="No module named 'nowhere'"):
        imports.seconds(ArmName.PLAIN, "", "import nowhere")


def test_what_comes_before_is_not_timed():
    assert imports.seconds(ArmName.PLAIN, "import time; time.sleep(0.3)", "pass") < 0.2


def test_the_harness_is_told_in_per_cent_of_what_it_measures():
    assert usage.figures(20.0, 0.1) == {"cpu_s": 20.0, "harness_cpu_s": 0.1, "harness_percent": 0.5}
    assert usage.figures(0.0, 0.1)["harness_percent"] == 0.0


def test_end_to_end_with_plain_python(tmp_path, monkeypatch):
    """All of the measure that plain Python has a part in, but for the harness's own two retrainings."""
    made = retraining.make_configs
    small = {"candidates": [{"name": "logistic_regression"}]}
    monkeypatch.setattr(retraining, "make_configs", lambda _, *where: made(["2013-02"], where[0], small))
    monkeypatch.setattr(rounds.results, "environment", lambda: rounds.results.Environment(**ENVIRONMENT))
    asked = Asked("quick", [ArmName.PLAIN], [Where.EMBEDDED], rounds=1)
    groups = [each for each in overhead.groups(asked) if each.name != "the harness, off and on"]
    display = Display(Console(file=io.StringIO()), [group.name for group in groups])
    found = rounds.take(Name.OVERHEAD, groups, "quick", display, file=tmp_path / "j")
    assert [each for each in found.samples if each.status != "succeeded"] == []
    one = found.timing("makespan_s", work="retraining", tool="plain")
    parts = [found.timing(each, work="retraining").median for each in ("start_s", "execution_s", "transition_s")]
    assert sum(parts) == pytest.approx(one.median, abs=0.01)
    cpu, ours = (found.timing(each, work="retraining").median for each in ("cpu_s", "harness_cpu_s"))
    assert 0 < ours < 1 < cpu
    assert found.timing("makespan_s", work="graph", graph="10 linear").median < 0.1
    assert {name for each in found.samples for name in each.figures} <= {each.name for each in overhead.FIGURES}


def test_cpu_of_services_counts_children_that_run_and_those_that_have_ended():
    burn = "import time\nwhile time.process_time() < 0.2: pass\n"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(1, flush=True)"
    code += "; sys.stdin.read()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert harness.services_cpu(SimpleNamespace(pids=lambda: {"service": process.pid})) > 0.15
        process.stdin.close()
    assert harness.services_cpu(SimpleNamespace(pids=lambda: {"service": process.pid})) == 0.0
