from __future__ import annotations

import io

from rich.console import Console

from benchmarks.measures import show
from benchmarks.measures.catalog import Measure, Name
from benchmarks.measures.record import Figure
from tests.benchmarks.measures.made import result, sample

NAMES = [f"figure_{number}" for number in range(show.WIDEST + 1)]
MEASURE = Measure(
    name=Name.OVERHEAD,
    title="Overhead",
    question="",
    figures=[Figure(name=each, title=each.replace("_", " "), unit="s", definition="") for each in NAMES],
    groups=lambda asked: [],
)


def shown(samples):
    console = Console(file=io.StringIO(), width=100)
    for each in show.tables(MEASURE, result(samples)):
        console.print(each)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_what_all_cases_share_is_said_once_and_each_figure_is_there():
    case, figures = {"where": "embedded"}, dict.fromkeys(NAMES, 2.0)
    lines = shown([sample("airflow", case=case, **figures), sample("prefect", case=case, **figures)])
    assert lines.count("Overhead: embedded") == 2  # one figure more than fit
    text = " ".join(lines)
    assert text.count("embedded") == 2
    assert all(each.replace("_", " ") in text for each in NAMES)


def test_medians_have_their_least_and_most():
    lines = shown([sample(round=number, figure_0=value) for number, value in enumerate([1.0, 30.0, 2.5])])
    assert any("2.50 (1 - 30) !" in line for line in lines)


def test_a_case_without_figures_is_in_no_table():
    assert shown([sample(status="failed", error="why")]) == []
