from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from benchmarks import results
from benchmarks.measures.record import ResultError
from benchmarks.report import compare
from benchmarks.report.cli import compare as command
from tests.benchmarks.measures.made import ENVIRONMENT, result, sample


@pytest.fixture
def write(tmp_path):
    def file(name, samples, **fields):
        results.write(result(samples, **fields), tmp_path / name)
        return tmp_path / name

    return file


def runs(tool, *seconds, **more):
    return [sample(tool, n, seconds=each, **more) for n, each in enumerate(seconds)]


def test_medians_difference_and_whether_the_ranges_overlap(write):
    one = write("a", [*runs("airflow", 1.0, 2.0, 3.0), *runs("prefect", 1.0, 2.0)])
    other = write("b", [*runs("airflow", 2.5, 5.0, 6.0), *runs("prefect", 3.0, 4.0)])
    apart = {each.case["tool"]: each for each in compare.compare(one, other).rows}
    assert (apart["airflow"].one.median, apart["airflow"].other.median) == (2.0, 5.0)
    assert (apart["airflow"].difference, apart["airflow"].overlap) == (3.0, True)
    assert (apart["prefect"].difference, apart["prefect"].overlap) == (2.0, False)


def test_ranges_that_touch_overlap(write):
    [row] = compare.compare(write("a", runs("x", 1.0, 2.0)), write("b", runs("x", 2.0, 3.0))).rows
    assert row.overlap


def test_what_only_one_has_is_named_with_what_became_of_it_in_the_other(write):
    one = write("a", [*runs("airflow", 1.0), *runs("prefect", 1.0), sample("plain", seconds=1.0, start_s=1.0)])
    other = write(
        "b", [sample("prefect", status="failed", error="no engine"), *runs("plain", 1.0), *runs("kubeflow", 4.0)]
    )
    found = {each.case["tool"]: each for each in compare.compare(one, other).singles}
    assert found["airflow"].cause == "the other has no such case"
    assert found["prefect"].cause == "failed: no engine"
    assert (found["plain"].figures, found["plain"].cause) == (("start_s",), "the other has no such figure")
    assert (found["kubeflow"].only, found["airflow"].only) == (str(other), str(one))
    assert [each.case["tool"] for each in compare.compare(one, other).rows] == ["plain"]


def test_what_was_not_alike_is_told_before_the_figures(write):
    one = write("a", runs("airflow", 1.0), versions={"airflow": {"apache-airflow": "3.3.2"}})
    more = {"environment": {**ENVIRONMENT, "cpus": 64}, "profile": "full"}
    other = write("b", runs("airflow", 1.0), versions={"airflow": {"apache-airflow": "3.4.0"}}, **more)
    told = {each.what: (each.one, each.other) for each in compare.compare(one, other).differences}
    assert told == {"cpus": ("2", "64"), "profile": ("quick", "full"), "airflow: apache-airflow": ("3.3.2", "3.4.0")}


def test_results_of_different_measures_are_refused(write):
    with pytest.raises(ResultError, match="different measures: overhead and setup"):
        compare.compare(write("a", runs("x", 1.0)), write("b", runs("x", 1.0), measure="setup"))


def test_a_file_that_cannot_be_read_is_refused(write, tmp_path):
    (tmp_path / "half").write_text('{"schema_version": 1')
    with pytest.raises(ResultError, match="half-written"):
        compare.compare(write("a", runs("x", 1.0)), tmp_path / "half")


def test_the_command_prints_the_comparison_or_one_json_object(write, capsys, monkeypatch):
    files = (write("a", runs("airflow", 1.0, 2.0)), write("b", runs("airflow", 5.0, 9.0)))
    text = io.StringIO()
    monkeypatch.setattr("benchmarks.report.cli.out", Console(file=text, width=100))
    command(*files)
    assert "are apart" in text.getvalue()
    assert "of 1 figures in both, the ranges of 1 are apart" in text.getvalue()
    command(*files, json=True)
    assert json.loads(capsys.readouterr().out)["rows"][0]["difference"] == 5.5
