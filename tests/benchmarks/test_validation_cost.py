from __future__ import annotations

import pytest

from benchmarks import docs_validation, locks, validation_cost
from benchmarks.places import LOCKS, ROOT
from benchmarks.validation_cost import FAULTS, MONTH, Run, finding
from shared.config import RetrainConfig
from shared.files import read_window

CONFIG = RetrainConfig(month=MONTH)
SPEC = CONFIG.spec


def path(month):
    return ROOT / SPEC.path(month)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    return validation_cost.spoil(SPEC, path(MONTH), tmp_path_factory.mktemp("spoilt"))


def ours(files, reference=("2013-01",)):
    """The one of the three that needs no more than the core environment."""
    asked = validation_cost.request(CONFIG, files, [path(month) for month in reference])
    return validation_cost.run_tool("ours", asked, environment="core")


def test_the_rules_are_the_contract():
    rules = validation_cost.rules(SPEC, [MONTH], SPEC.rows)
    frame = read_window(path(MONTH))
    assert rules["types"] == {name: str(kind) for name, kind in frame.dtypes.items()}
    assert rules["ranges"]["wind_speed"] == (0, 200)
    assert rules["dates"] == {"flight_date": ("2013-04-01 00:00:00", "2013-04-30 00:00:00")}
    assert rules["key"] == list(SPEC.key)
    schema = SPEC.contract.contract(MONTH, SPEC.rows)
    for name, column in schema.columns.items():
        told_by_type = "must be in milliseconds"
        errors = [str(check.error) for check in column.checks if check.error != told_by_type]
        if name in rules["patterns"]:
            assert f"every value must match {rules['patterns'][name]}" in errors
        share = rules["nulls"][name]
        assert column.nullable == (share > 0)
        if share:
            assert f"at most {share:.0%} may be missing" in errors
        covered = (name in rules["patterns"]) + (name in rules["ranges"]) + (name in rules["dates"]) + (share > 0)
        assert covered == len(errors), f"{name}: a rule of the contract that the other tools are not told"


def test_the_rules_of_several_months_reach_to_the_last():
    rules = validation_cost.rules(SPEC, ["2013-01", "2013-12"], SPEC.rows)
    assert rules["dates"]["flight_date"] == ("2013-01-01 00:00:00", "2013-12-31 00:00:00")


def test_each_fault_changes_what_it_says_and_nothing_else(spoilt):
    assert list(spoilt) == list(FAULTS)
    clean = read_window(path(MONTH))
    wind, renamed, twice, key, nulls, destination = (read_window(each) for each in spoilt.values())
    assert (wind.compare(clean)["wind_speed"]["self"] == 1048).all()
    assert set(clean) - set(renamed) == {"visib"}
    assert (len(twice) - len(clean), int(twice.duplicated().sum())) == (1, 1)
    assert (int(key.duplicated().sum()), int(key.duplicated(list(SPEC.key)).sum())) == (0, 1)
    more = nulls["humid"].isna().mean() - clean["humid"].isna().mean()
    assert more == pytest.approx(0.05, abs=0.001)
    assert (destination["dest"] == "ZZZ").sum() == 30
    for frame in (wind, twice, key, nulls, destination):
        assert {name: kind.name for name, kind in frame.dtypes.items()} == {n: k.name for n, k in clean.dtypes.items()}


def test_ours_runs_in_a_process_of_its_own_and_is_measured():
    run = ours([path(MONTH)], ("2013-01", "2013-02"))
    assert run.status == "succeeded"
    assert 0 < run.import_s + run.read_s + run.rules_s + run.drift_s <= run.seconds
    assert run.cpu_s > 0
    assert 50 < run.peak_mib < 2000
    assert "temp" in run.drifted


def test_ours_takes_several_months_one_by_one():
    run = ours([path("2013-02"), path("2013-03")])
    assert "2013-02: rows set aside for an impossible reading" in run.complaints
    assert not any("broken" in each for each in run.complaints)


@pytest.mark.parametrize("fault", FAULTS)
def test_ours_tells_every_fault(spoilt, fault):
    told = finding("ours", fault, ours([path(MONTH)]), ours([spoilt[fault]]))
    assert told.told, told


def test_what_a_tool_says_of_the_clean_month_too_is_not_told():
    fault = "5 % of a feature newly missing"
    before = Run(seconds=1, cpu_s=1, complaints=["humid: too many missing", "other"])
    same = finding("a tool", fault, before, before)
    assert (same.told, same.as_ever) == (False, ["humid: too many missing"])
    more = before.model_copy(update={"complaints": [*before.complaints, "humid: new"]})
    assert finding("a tool", fault, before, more).new == ["humid: new"]
    assert finding("a tool", fault, before, Run(seconds=1, cpu_s=1, error="ValueError: humid")).told


def test_a_failed_run_stays_a_row_and_takes_the_summary_with_it():
    good, bad = Run(seconds=1, cpu_s=1), Run(seconds=1, cpu_s=1, status="failed", error="out of luck")
    cost = validation_cost.cost("a tool", MONTH, 10, [good, bad])
    assert cost.seconds is None
    assert [run.error for run in cost.runs] == [None, "out of luck"]
    assert "failed: out of luck" in docs_validation._cost(cost, None)


def test_a_tool_that_cannot_start_is_a_failed_run(monkeypatch):
    monkeypatch.setitem(validation_cost.TOOLS, "nobody", "nobody")
    run = validation_cost.run_tool("nobody", {}, environment="core")
    assert run.status == "failed"
    assert "nobody" in run.error


def test_the_other_tools_run_on_the_versions_of_the_core_but_for_pandas():
    """The finding behind it: Evidently 0.7.23 sets no upper bound on pandas, but cannot be imported with 3.1."""
    core, bench = (set(locks._pins(LOCKS / f"{name}.txt")) for name in ("core", "bench"))
    for name in locks.SAME_EVERYWHERE:
        if name != "pandas":
            assert {pin for pin in core if locks._name(pin) == name} <= bench, name
    [pandas] = [pin for pin in bench if locks._name(pin) == "pandas"]
    assert pandas.startswith("pandas==3.0.")


def test_the_committed_result_can_be_shown():
    assert docs_validation.costs().count("\n| ") == 6
    assert all(fault in docs_validation.findings() for fault in FAULTS)
