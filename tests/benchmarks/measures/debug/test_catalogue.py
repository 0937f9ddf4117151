from __future__ import annotations

import re

import pytest

from benchmarks.measures import debug, rounds
from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.debug import catalogue, inject, sheet
from benchmarks.measures.debug.catalogue import CONTROL, Edit, Fault, cells, fault, faults
from benchmarks.measures.debug.walks import walks
from benchmarks.places import ARMS, ROOT, ArmName
from shared.errors import ConfigError

TOOLS = [tool for tool in ARMS if tool is not ArmName.PLAIN]
ALL = [cell for tool in ARMS for where in Where for cell in cells(tool, where)]
#: What is told before a run, or instead of one.
TOLD = {("import-error", ArmName.AIRFLOW): "not_parsed", ("wrong-image-tag", ArmName.KUBEFLOW): "failed"}


def test_the_issue_is_covered():
    assert len(faults()) - 1 >= 12
    assert [each.id for each in faults()].count(CONTROL) == 1
    assert len({each.id for each in faults()}) == len(faults())


def test_the_matrix_has_no_empty_cell():
    found = {(cell.tool, cell.where, cell.fault.id) for cell in ALL}
    wanted = {(tool, where, each.id) for tool in TOOLS for where in Where for each in faults()}
    assert found == wanted | {(ArmName.PLAIN, Where.EMBEDDED, each.id) for each in faults()}


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: "-".join(cell.labels.values()))
def test_each_cell_is_run_or_says_why_not(cell):
    if cell.why_not:
        assert "`./bakeoff" in cell.why_not or "caches" in cell.why_not
        return
    cell.fault.cause_of(cell.tool, cell.where)
    for edit in cell.fault.edits_of(cell.tool, cell.where):
        text = (ROOT / edit.file).read_text()
        changed = edit.apply(text)
        assert changed != text
        compile(changed, edit.file, "exec")  # broken in the way it says, and in no other
    assert cell.fault.kind not in ("code", "memory", "stale_cache") or cell.fault.edits_of(cell.tool, cell.where)
    alert = TOLD.get((cell.fault.id, cell.tool), cell.fault.ends)
    assert cell.fault.id == CONTROL or walks(cell.tool).of(cell.where, alert), "no walk begins with what is told"


@pytest.mark.parametrize("tool", ARMS)
def test_each_tool_has_a_walk_for_whatever_is_told(tool):
    for where in Where:
        if (tool, where) == (ArmName.PLAIN, Where.COMPOSE) or (tool, where) == (ArmName.KUBEFLOW, Where.COMPOSE):
            continue
        for alert in ("failed", "running", "recovered", "succeeded"):
            looks = walks(tool).of(where, alert)
            assert looks
            assert looks[-1].shows == "elsewhere" or tool in (ArmName.AIRFLOW, ArmName.PREFECT)
        assert walks(tool).resume[where]


def test_every_kind_has_an_injector():
    assert {each.kind for each in faults()} <= set(inject._KINDS)


@pytest.mark.parametrize(("profile", "minutes"), [("quick", 4), ("full", 65)])
def test_the_profiles_keep_to_their_time(profile, minutes):
    where = [Where.EMBEDDED] if profile == "quick" else list(Where)
    groups = debug.groups(Asked(profile=profile, where=where))
    cases = [case.labels for group in groups for case in group.cases]
    assert len({tuple(each.items()) for each in cases}) == len(cases)
    assert rounds.estimate_s(groups) <= 60 * minutes
    assert {each["fault"] for each in cases} >= {CONTROL, "schema-change", "import-error", "gate-rejection"}


def test_every_figure_has_a_definition():
    assert all(len(each.definition) > 20 for each in debug.FIGURES)


def test_the_printed_sheet_is_the_catalogue():
    assert (ROOT / "docs" / "debug-sheet.md").read_text() == sheet.markdown()


def test_an_unknown_fault_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(ConfigError, match=r"there is no fault nonsense.*schema-change"):
        fault("nonsense")


def test_an_edit_goes_before_its_line_with_its_indentation():
    edit = Edit(file="a.py", before="b = 1", insert="a = 0\n\nc = 2\n")
    assert edit.apply("def f():\n    b = 1\n    return b\n") == (
        "def f():\n    a = 0\n\n    c = 2\n    b = 1\n    return b\n"
    )


@pytest.mark.parametrize("text", ["", "b = 1\nb = 1\n"])
def test_an_edit_whose_anchor_is_not_there_once_is_refused(text):
    with pytest.raises(ConfigError, match=rf"occurs {text.count('b')} times"):
        Edit(file="a.py", before="b = 1", insert="a = 0\n").apply(text)


def test_a_cause_may_differ_from_place_to_place():
    each = Fault(
        id="x", title="", broken="", kind="code", ends="failed", cause={"embedded": "a", "compose": "b", "airflow": "c"}
    )
    found = [each.cause_of(tool, where) for tool in (ArmName.PREFECT, ArmName.AIRFLOW) for where in Where]
    assert found == [re.compile(one) for one in "abcc"]


def test_the_catalogue_is_where_its_errors_say():
    assert (ROOT / "benchmarks/measures/debug/faults.yaml") == catalogue.FOLDER / "faults.yaml"
