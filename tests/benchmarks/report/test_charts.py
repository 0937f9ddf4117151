from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from benchmarks import stats
from benchmarks.report.charts import FITS, MANY, Charts, Scale, scale_of
from benchmarks.report.figures import Mark, Panel, Shown

samples = st.lists(st.floats(-1e6, 1e6).map(lambda each: round(each, 3)), min_size=1, max_size=6)


def shown(*panels, unit="s"):
    return Shown("x", "X", unit, "What it is.", tuple(Panel(name, tuple(marks)) for name, marks in panels))


def mark(tool, *values, **more):
    return Mark(tool, stats.timing(values) if values else None, **more)


@given(st.lists(samples, min_size=1, max_size=5), st.booleans())
def test_every_sample_has_a_place_in_the_picture_and_keeps_its_order(some, whole):
    timings = [stats.timing(each) for each in some]
    scale = scale_of(timings, whole=whole)
    values = sorted(value for each in timings for value in each.samples)
    places = [scale.at(each) for each in values]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= 100
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 12
    assert all(0 <= place <= 100 for place, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)


def test_a_scale_begins_at_zero_unless_figures_lie_far_apart():
    assert scale_of([stats.timing([20.0, 30.0])]).low == 0
    assert scale_of([stats.timing([-3.0, 30.0])]).low <= -3
    far = scale_of([stats.timing([0.02]), stats.timing([50.0])])
    assert (far.logarithmic, far.low, far.high) == (True, 0.01, 100.0)


def test_counts_have_whole_ticks():
    assert [text for _, text in scale_of([stats.timing([1.0])], whole=True).ticks()] == ["0", "1"]


def test_equal_factors_are_equal_distances_on_a_logarithmic_scale():
    scale = Scale(0.01, 100.0, logarithmic=True)
    places = [scale.at(each) for each in (0.01, 0.1, 1.0, 10.0, 100.0)]
    assert len({round(later - earlier, 1) for earlier, later in pairwise(places)}) == 1


def test_each_chart_says_in_words_what_it_draws():
    [chart] = Charts().of(
        shown(("cold", [mark("airflow", 1.0, 2.0, 9.0), mark("kubeflow", told="not run", cause="why")]))
    )
    assert "Airflow: median 2 s, from 1 to 9, 3 samples" in chart.description
    assert "Kubeflow: not run" in chart.description
    assert [each.right for each in chart.drawn] == ["2 (1 - 9) s !", "not run"]


def test_charts_of_a_figure_share_one_scale():
    one, other = Charts().of(shown(("a", [mark("plain", 1.0), mark("airflow", 2.0)]), ("b", [mark("airflow", 90.0)])))
    assert one.ticks == other.ticks
    assert one.id != other.id


def test_many_panels_become_rows_of_a_chart_for_each_place():
    panels = [
        (f"{where}, fault {n}", [mark("airflow", 1.0), mark("prefect", 2.0)])
        for where in ("embedded", "compose")
        for n in range(MANY)
    ]
    charts = Charts().of(shown(*panels))
    assert [(chart.caption, len(chart.rows), len(chart.drawn)) for chart in charts] == [
        ("embedded", MANY, 2 * MANY),
        ("compose", MANY, 2 * MANY),
    ]
    assert charts[0].rows[0].lines == ("fault 0",)
    assert [each.tool for each in charts[0].tools] == ["airflow", "prefect"]


def test_tools_without_a_figure_share_one_text_in_a_row():
    panels = [
        (f"fault {n}", [mark("prefect", 1.0), mark("airflow", told="failed"), mark("kubeflow", told="not run")])
        for n in range(MANY)
    ]
    [chart] = Charts().of(shown(*panels))
    assert chart.rows[0].told == "failed: Airflow; not run: Kubeflow"
    assert (len(chart.drawn), chart.marks) == (MANY, 2 * MANY)


def test_what_does_not_fit_a_phone_goes_on_in_another_line():
    [chart] = Charts().of(
        shown(("", [mark("airflow", 1.0, 2.0, label="a" * (FITS - 5)), mark("prefect", 1.0, label="short")]))
    )
    long, short = chart.drawn
    assert (len(long.left), len(short.left)) == (2, 1)
    assert all(len(line) <= FITS for line in long.left)
