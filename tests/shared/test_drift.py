from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared import config, data, drift, train
from shared.config import RetrainConfig
from shared.datasets.flights import DATASET as FLIGHTS

samples = hnp.arrays(np.float64, st.integers(1, 300), elements=st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))))


def psi(one, two):
    old = drift.histogram(one)
    return drift.psi(old.counts, drift.histogram(two, old.edges).counts)


@settings(deadline=None)
@given(samples)
def test_a_histogram_counts_every_value_once(sample):
    counted = drift.histogram(sample)
    assert sum(counted.counts) == len(sample)
    assert counted.counts[-1] == np.isnan(sample).sum()
    assert len(counted.counts) == len(counted.edges) + 2


@settings(deadline=None)
@given(samples)
def test_psi_of_equal_samples_is_zero(sample):
    assert psi(sample, sample.copy()) == 0
    assert psi(sample, np.concatenate([sample, sample])) == pytest.approx(0, abs=1e-12)


@settings(deadline=None)
@given(samples, samples)
def test_psi_is_never_negative(one, two):
    assert psi(one, two) >= 0


def test_psi_sees_a_shift_and_new_missing_values():
    rng = np.random.default_rng(0)
    sample = rng.normal(size=5000)
    assert psi(sample, sample + 1) > 0.25
    holes = sample.copy()
    holes[:2000] = np.nan
    assert psi(sample, holes) > 0.25
    assert psi(sample, rng.normal(size=5000)) < 0.02


def test_psi_sees_rain_among_dry_hours():
    dry, wet = np.zeros(1000), np.concatenate([np.zeros(700), np.full(300, 0.1)])
    assert psi(dry, wet) > 0.25
    assert psi(wet, dry) > 0.25


@given(st.floats(-1e6, 1e6), st.floats(0.1, 1e3))
def test_psi_sees_a_constant_that_moves(value, shift):
    assert psi(np.full(50, value), np.full(50, value + shift)) > 1


def test_a_new_label_is_seen_and_counted():
    old = pd.DataFrame({"carrier": ["AA"] * 90 + ["UA"] * 10}, dtype="category")
    new = pd.DataFrame({"carrier": ["AA"] * 60 + ["ZZ"] * 40}, dtype="category")
    reference = drift.Reference(numbers={}, labels={"carrier": {"AA": 90, "UA": 10}})
    assert drift.compare(reference, old).psi["carrier"] == 0
    shift = drift.compare(reference, new)
    assert shift.psi["carrier"] > 0.25
    assert shift.novel == {"carrier": ["ZZ"]}
    assert shift.novel_share == pytest.approx(0.4)


def test_two_halves_of_one_real_month_are_not_drift(months):
    july = months("2013-07")
    one, two = july[july.index % 2 == 0], july[july.index % 2 == 1]
    shift = drift.compare(drift.reference(FLIGHTS, [one]), two)
    assert set(shift.psi) == set(FLIGHTS.features)
    assert max(shift.psi.values()) < 0.1


def test_a_real_new_destination_is_seen(months):
    reference = drift.reference(FLIGHTS, [months("2013-01"), months("2013-02"), months("2013-03")])
    shift = drift.compare(reference, months("2013-04"))
    assert shift.novel["dest"]
    assert 0 < shift.novel_share < 0.05


def test_a_reference_survives_its_way_through_json(months):
    january = months("2013-01")
    reference = drift.reference(FLIGHTS, [january])
    assert drift.Reference.model_validate_json(reference.model_dump_json()) == reference
    assert max(drift.compare(reference, january[january["arr_delay"].notna()]).psi.values()) == 0


def test_what_no_model_is_trained_on_is_not_in_its_reference(months):
    january = months("2013-01")
    reference = drift.reference(FLIGHTS, [january])
    landed = int(january["arr_delay"].notna().sum())
    assert all(sum(counts.values()) == landed < len(january) for counts in reference.labels.values())
    assert all(sum(counted.counts) == landed for counted in reference.numbers.values())
    some = drift.only(reference, ("dep_min", "temp"))
    assert (set(some.numbers), some.labels) == ({"dep_min", "temp"}, {})
    assert drift.compare(some, january.assign(carrier="ZZ")).novel_share == 0  # a model that takes no carrier


def judged(scores, target, months, **limits):
    frame = months("2013-02").head(len(scores)).assign(arr_delay=0.0)
    reference = drift.reference(FLIGHTS, [frame]).model_copy(update={"scores": drift.histogram(np.linspace(0, 1, 999))})
    settings_ = RetrainConfig(month="2013-02", drift=limits)
    return drift.judge(settings_, 7, reference, frame, scores, target)


def test_a_champion_that_still_fits_is_left_alone(months):
    scores = np.linspace(0, 1, 500)
    verdict = judged(scores, (scores > 0.5).astype("int8"), months)
    assert not verdict.retrain
    assert (verdict.champion_version, verdict.reasons, verdict.warnings) == (7, (), ())


def test_a_champion_that_misses_what_happens_asks_for_a_retraining(months):
    scores = np.linspace(0, 1, 500)
    verdict = judged(scores, (scores > 0.7).astype("int8"), months)
    assert verdict.retrain
    assert verdict.reasons == ("the champion predicts 50.0% positives, 30.0% happened",)
    assert not judged(scores, (scores > 0.7).astype("int8"), months, rate_gap=0.3).retrain


def test_scores_of_another_shape_ask_for_a_retraining(months):
    scores = np.full(500, 0.5)
    verdict = judged(scores, (np.arange(500) % 2).astype("int8"), months)
    assert verdict.retrain
    assert "the champion's scores have shifted" in verdict.reasons[0]


@pytest.fixture(scope="module")
def june_champion():
    """Boosted trees trained on January to May, judged on June, on the whole real months."""
    spec, candidate = FLIGHTS, config.HistGradientBoosting()
    paths = [config.ROOT / spec.path(month) for month in spec.windows[:6]]
    model = train.fit(candidate, spec, *data.load(spec, paths[:5], spec.features), seed=0)
    reference = drift.reference(spec, [pd.read_parquet(path) for path in paths[:5]])
    scores = drift.histogram(train.score(model, data.load(spec, paths[5:], spec.features)[0]))
    return model, reference.model_copy(update={"scores": scores})


def watched(june_champion, month):
    model, reference = june_champion
    rows, target = data.load(FLIGHTS, [config.ROOT / FLIGHTS.path(month)], FLIGHTS.features)
    return drift.judge(RetrainConfig(month=month), 4, reference, rows, train.score(model, rows), target)


def test_septembers_calm_asks_for_a_retraining(june_champion):
    """The storms of summer end: one flight in seven is late, where the champion expects one in five or more."""
    seen = watched(june_champion, "2013-09")
    assert seen.retrain
    assert seen.positive_rate < 0.15 < seen.mean_score - 0.05
    assert any("positives" in reason for reason in seen.reasons)


def test_august_is_left_alone_and_its_new_destinations_are_told(june_champion):
    seen = watched(june_champion, "2013-08")
    assert not seen.retrain
    assert seen.novel["dest"]
    assert any(f"never trained on: {', '.join(seen.novel['dest'])}" in line for line in seen.warnings)
    assert any("temp has drifted" in note for note in seen.notes)  # the weather does that: no warning
    assert not any("temp" in warning for warning in seen.warnings)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "int16", "int64"])
def test_values_on_an_edge_are_counted_as_a_search_would_count_them(dtype):
    rng = np.random.default_rng(0)
    values = rng.integers(-100, 100, 1000).astype(dtype)
    if dtype.startswith("float"):
        values = values / np.asarray(7, dtype)
        values[::9] = np.nan
    known = values[~np.isnan(values)].astype("float64")
    edges = np.unique([*known[:20], *np.nextafter(known[20:40], np.inf), *known[40:60] + 1e-12, -1e9, 1e9])
    expected = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    counted = drift.histogram(values, tuple(edges.tolist()))
    assert counted.counts == (*expected.tolist(), int(np.isnan(values).sum()))


def test_a_long_reference_samples_numbers_evenly_and_counts_every_label(months):
    names = ["2013-01", "2013-02", "2013-03"] * 4
    long = drift.reference(FLIGHTS, (months(name) for name in names))
    exact = drift.reference(FLIGHTS, [months(name) for name in names[:3]])
    rows = sum(int(months(name)["arr_delay"].notna().sum()) for name in names)
    assert rows > 100_000
    for counted in long.numbers.values():
        assert 50_000 <= sum(counted.counts) <= 100_000
    assert all(sum(counts.values()) == rows for counts in long.labels.values())
    shift = drift.compare(long, months("2013-04"))
    for name, value in drift.compare(exact, months("2013-04")).psi.items():
        assert shift.psi[name] == pytest.approx(value, abs=0.02)


def test_months_are_taken_one_by_one(months):
    names = ["2013-01", "2013-02"]
    each = drift.reference(FLIGHTS, (months(name) for name in names))
    assert each == drift.reference(FLIGHTS, [months(name) for name in names])
