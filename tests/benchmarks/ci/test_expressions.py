"""Expressions: what GitHub says they come to, and that any other is refused by its name."""

from __future__ import annotations

import pytest

from benchmarks.ci import expressions
from shared.errors import ConfigError

NAMES = {"vars.A": "a", "vars.EMPTY": "", "github.ref": "refs/heads/main", "steps.one-two.outputs.x": "y"}
STATUS = {"success": False, "failure": True, "always": True, "cancelled": False}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("vars.A", "a"),
        ("'it''s'", "it's"),
        ("vars.A == 'A'", True),
        ("vars.A != 'b'", True),
        ("github.ref == 'refs/heads/main' && vars.EMPTY != ''", False),
        ("github.ref == 'refs/heads/main' && vars.A != ''", True),
        ("vars.EMPTY || vars.A", "a"),
        ("vars.A && vars.EMPTY", ""),
        ("vars.A || vars.A && vars.EMPTY", "a"),
        ("!vars.EMPTY", True),
        ("!(vars.A == 'a')", False),
        ("true && failure()", True),
        ("success() || always()", True),
        ("true == 'true'", True),
        ("steps.one-two.outputs.x", "y"),
    ],
)
def test_a_value(text, value):
    assert expressions.parse(text).value(NAMES.__getitem__, STATUS) == value
    assert expressions.condition(f"${{{{ {text} }}}}").value(NAMES.__getitem__, STATUS) == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "vars.A ==",
            "(vars.A",
            "vars.A vars.A",
            "format('{0}', vars.A)",
            "hashFiles('x')",
            "contains(vars.A, 'a')",
        ),
        *("vars.A > 'a'", "vars[0]", "12", "success(1)", "vars.A()", "unknown", "'open", "vars.*"),
    ],
)
def test_any_other_is_refused_by_its_text(text):
    with pytest.raises(ConfigError) as refused:
        expressions.parse(text)
    assert refused.value.where == (text.strip() or "${{ }}")


def test_texts_are_filled():
    assert expressions.fill("${{ vars.A }}/${{ vars.EMPTY }}b$C", NAMES.__getitem__) == "a/b$C"
    assert [each.names for each in expressions.within("${{ vars.A }}-${{github.ref}}")] == [{"vars.A"}, {"github.ref"}]
