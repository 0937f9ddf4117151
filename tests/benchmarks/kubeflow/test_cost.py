from __future__ import annotations

import shutil

import pytest

from benchmarks import docs_kubeflow
from benchmarks.kubeflow import cost, image
from benchmarks.kubeflow.cost import KubeflowCost, Run, Sample
from benchmarks.kubeflow.docker_arm import Runner
from benchmarks.places import ROOT
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.image_size import ImageSize, Part
from benchmarks.stats import timing

ENVIRONMENT = {
    **{"date": "2026-01-01T00:00:00+00:00", "commit": "abcdef0123456", "os": "Linux", "machine": "x86_64"},
    **{"cpu": "a cpu", "cpus": 2, "memory_gib": 8.0, "python": "3.11.0"},
}
#: Of a retraining by the Docker runner; the times are seconds since its start. Two trainings overlap.
EVENTS = [
    ("retrain", "2013-03", "started", 0.0, None),
    ("fetch", "", "finished", 1.445, 0.738),
    ("ingest", "", "finished", 4.934, 2.820),
    ("validate", "", "finished", 6.856, 0.554),
    ("train", "logistic_regression", "finished", 11.633, 4.061),
    ("train", "hist_gradient_boosting", "finished", 11.790, 4.231),
    ("evaluate", "", "finished", 16.331, 2.666),
    ("register", "", "finished", 20.765, 2.970),
    ("retrain", "2013-03", "finished", 21.789, 21.789),
]


def told(events=EVENTS):
    names = ("step", "label", "state", "time", "seconds")
    return [dict(zip(names, each, strict=True)) for each in events]


def result(**changes):
    size = ImageSize(name="kubeflow:abc", mb=687.3, base_mb=194.7, largest=[Part(name="pyarrow", mb=112.5)])
    size = size.model_copy(update={"packages_rest_mb": 305.2, "bytecode_mb": 74.4, "other_mb": 0.5})
    runs = [
        Run(runner=runner, seconds=seconds, outside_s=beside, steps_s={"fetch": 0.7, "train": 4.2})
        for runner, seconds, beside in [
            *((Runner.SUBPROCESS, 22.0, 6.3), (Runner.DOCKER, 25.0, 9.8), (Runner.SUBPROCESS, 21.0, 5.6)),
            *((Runner.DOCKER, 27.0, 11.2), (Runner.SUBPROCESS, 23.0, 7.0)),
        ]
    ]
    given = {"environment": ENVIRONMENT, "docker": "26.1.5", "versions": {"kfp": "2.17.0"}, "image": size}
    given |= {"trimmed_mb": 182.0, "cold_build": [Sample(seconds=51.3)], "runs": runs}
    given |= {"line_build": [Sample(seconds=each) for each in (0.62, 0.6, 0.7)]}
    return KubeflowCost.model_validate({**given, **changes})


@pytest.fixture
def saved(tmp_path):
    def save(**changes):
        path = tmp_path / "kubeflow.json"
        path.write_text(result(**changes).model_dump_json(indent=2))
        return path

    return save


def test_what_is_outside_the_steps_is_what_none_of_them_was_at_work_in():
    seconds, outside_s, steps_s = cost.outside(told())
    assert seconds == pytest.approx(21.789)
    # The trainings overlap: 7.559 to 11.790 counts once, and of the two the longer is told.
    assert outside_s == pytest.approx(21.789 - 0.738 - 2.820 - 0.554 - (11.790 - 7.559) - 2.666 - 2.970, abs=0.02)
    assert steps_s["train"] == 4.231
    assert "select" not in steps_s


def test_steps_that_follow_each_other_without_a_gap_leave_nothing_outside():
    events = [
        *(("retrain", "", "started", 0.0, None), ("fetch", "", "finished", 1.0, 1.0)),
        *(("ingest", "", "finished", 3.0, 2.0), ("retrain", "", "finished", 3.0, 3.0)),
    ]
    assert cost.outside(told(events))[1] == pytest.approx(0)


def test_a_failed_attempt_of_a_step_is_no_work():
    events = [*EVENTS[:2], ("ingest", "", "failed", 1.9, 0.3), *EVENTS[2:]]
    assert cost.outside(told(events)) == cost.outside(told())


def test_each_component_has_its_share():
    assert Run(runner=Runner.DOCKER, seconds=20, outside_s=14.0).component_s == 2.0
    assert Run(runner=Runner.DOCKER, error="x").component_s is None


def test_a_result_file_can_be_read_again(saved):
    assert docs_kubeflow.read(saved()) == result()


def test_failed_samples_stay_rows_and_are_no_figures(saved):
    lines = [Sample(seconds=0.6), Sample(error="the image | could\nnot be built"), Sample(seconds=0.8)]
    failed = Run(runner=Runner.DOCKER, error="no engine")
    measured = result(line_build=lines, runs=[*result().runs, failed])
    assert measured.failures == ["the image | could\nnot be built", "no engine"]
    assert cost.spread(lines) == timing([0.6, 0.8])
    path = saved(line_build=lines, runs=[*result().runs, failed])
    assert "| 2 | 0.70 (0.60 - 0.80) |" in docs_kubeflow.builds(path)
    assert "failed: the image / could not be built |" in docs_kubeflow.builds(path)
    assert "failed: no engine |" in docs_kubeflow.runners(path)


def test_the_tables_hold_the_files_figures(saved):
    path = saved()
    assert "| **687** | 195 | 418 | 74 | 0 | 182 |" in docs_kubeflow.image(path)
    assert "| 1 | 51.30 |" in docs_kubeflow.builds(path)
    assert "| 3 | 22.0 (21.0 - 23.0) | 6.3 (5.6 - 7.0) | 0.90 (0.80 - 1.00) |" in docs_kubeflow.runners(path)
    assert "| 2 | 26.0 (25.0 - 27.0) | 10.5 (9.8 - 11.2) | 1.50 (1.40 - 1.60) |" in docs_kubeflow.runners(path)
    assert "| 0.7 |  |  | 4.2 |" in docs_kubeflow.steps(path)


def test_every_table_has_as_many_cells_in_each_row(saved):
    path = saved(runs=[*result().runs, Run(runner=Runner.DOCKER, error="no")], compile=[Sample(error="no")])
    for make in (docs_kubeflow.image, docs_kubeflow.builds, docs_kubeflow.runners, docs_kubeflow.steps):
        rows = [line for line in make(path).splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) == 1, make
        assert len(rows) > 2


def test_tables_without_their_file_say_so(tmp_path):
    for make in (docs_kubeflow.image, docs_kubeflow.builds, docs_kubeflow.runners, docs_kubeflow.steps):
        assert make(tmp_path / "none.json") == docs_kubeflow.NOT_YET


def test_the_copy_is_all_that_an_image_is_built_of_and_the_checkout_stays_as_it_is():
    before = (ROOT / "shared" / "steps.py").read_bytes()
    with cost._copy() as tree:
        for name in (*image.RECIPE, "airflow_impl", "prefect_impl", "shared/datasets/flights", "pyproject.toml"):
            assert (tree.root / name).exists(), name
        assert not (tree.root / ".venvs").exists()
        (tree.root / "shared" / "steps.py").write_text("changed")
    assert (ROOT / "shared" / "steps.py").read_bytes() == before
    assert not tree.root.exists()


def test_a_build_that_fails_is_a_row_and_the_next_one_is_made(monkeypatch):
    names, lines = [], []
    monkeypatch.setattr(image, "name", lambda prefix, tree: f"{prefix}-kubeflow:{len(names)}")
    monkeypatch.setattr(image, "ensure_packages", lambda tell: "there")
    monkeypatch.setattr(cost.engine, "docker", lambda *command: lines.append(command))

    def build(name, tell, tree, *options):
        names.append(name)
        if len(names) == 3:
            raise StackError(f"no space in {ROOT}/x", where="log", fix="free some")

    monkeypatch.setattr(image, "build", build)
    measured = result(cold_build=[], line_build=[])
    with cost._copy() as tree:
        cost._builds(measured, tree, 2, lambda line: None)
        changed = (tree.root / "shared" / "steps.py").read_text()
    assert len(names) == 5
    assert [bool(each.error) for each in measured.line_build] == [True, False]
    assert "no space in x" in measured.line_build[0].error
    assert changed.endswith("# 0\n# 1\n")
    assert {command[-1] for command in lines} == set(names)  # what was built to be measured is removed


def test_compiling_is_done_by_a_process_of_kubeflows_environment():
    if not shutil.which(str(ROOT / ".venvs" / "kubeflow" / "bin" / "python")):
        pytest.skip("the kubeflow environment is not built")
    sample = cost._told(lambda line: None, "compile", lambda: cost._compile("bakeoff-kubeflow:abc"))
    assert sample.error is None
    assert sample.seconds > 0.1
