"""The table of capabilities: whole, its code where it says, each cell held by a test that has passed."""

from __future__ import annotations

import ast

import pytest

from benchmarks.capabilities import cells, lines, outcomes
from benchmarks.capabilities.cells import BAD_INPUT, CAPABILITIES, TOOLS, Cell, Verdict
from benchmarks.places import ROOT


def marked(tool):
    """(marker, id) of the tests of a tool's real stack, as its files have them."""
    found = set()
    for path in (ROOT / "tests" / "stacks" / tool).glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            for each in getattr(node, "decorator_list", []):
                if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.args:
                    found.add((each.func.attr, getattr(each.args[0], "value", None)))
    return found


@pytest.mark.parametrize("tool", TOOLS)
def test_every_capability_has_an_entry_and_its_code_is_there(tool):
    for cell in cells.read(tool).capabilities.values():
        assert bool(cell.code) == (cell.verdict is not Verdict.NOT) or cell.verdict is Verdict.NATIVE
        for said in cell.code:
            assert lines.find(said).code


@pytest.mark.parametrize("tool", TOOLS)
def test_every_cell_that_claims_something_has_a_test_and_it_has_passed(tool):
    there, shown = marked(tool), outcomes.read()
    wanted = [
        ("capability", name) for name, cell in cells.read(tool).capabilities.items() if cell.verdict is not Verdict.NOT
    ]
    wanted += [("bad_input", name) for name in BAD_INPUT]
    assert [each for each in wanted if each not in there] == []
    for kind, name in wanted:
        ended = {each.outcome for each in shown.of(tool, kind.replace("_", "-"), name)}
        assert ended == {"passed"}, (tool, kind, name, ended)


def test_the_results_name_tests_that_exist():
    for each in outcomes.read().tests:
        path, _, name = each.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), each.test
        assert each.id in (CAPABILITIES if each.kind == "capability" else BAD_INPUT)


@pytest.mark.parametrize(
    "said",
    [
        {"verdict": "not possible", "how": "no way"},
        {"verdict": "extra parts", "how": "with parts", "cites": ["https://example.org"]},
        {"verdict": "native", "how": "of itself", "parts": ["a part"]},
        {"verdict": "perhaps", "how": "?"},
    ],
)
def test_a_cell_that_does_not_say_why_is_refused(said):
    with pytest.raises(ValueError, match=r"citation|parts|verdict"):
        Cell.model_validate(said)
