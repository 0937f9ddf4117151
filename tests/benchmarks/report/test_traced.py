from __future__ import annotations

import pytest

from benchmarks.places import ROOT
from tests.benchmarks.report import traced

ENTRIES = traced.entries()


def untraced(path, text, entries):
    """Figures of a document that no entry covers."""
    spans = [match.span() for each in entries if each.document == path for match in each.pattern.finditer(text)]
    return [
        f"{path}:{found.line}: {found.text}"
        for found in traced.find(text)
        if not any(start <= found.start < end for start, end in spans)
    ]


@pytest.mark.parametrize("path", traced.documents(), ids=lambda each: str(each.relative_to(ROOT)))
def test_every_figure_stands_in_a_generated_block_or_is_traced(path):
    name = str(path.relative_to(ROOT))
    assert untraced(name, path.read_text(), ENTRIES) == [], (
        "generate it (make docs), or name its source in docs/figures.yaml"
    )


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda each: each.text[:40])
def test_every_entry_is_of_a_figure_that_is_there(entry):
    text = (ROOT / entry.document).read_text()
    spans = [match.span() for match in entry.pattern.finditer(text)]
    assert len(spans) == 1, entry.text
    [(start, end)] = spans
    assert any(start <= found.start < end for found in traced.find(text)), f"no figure in {entry.text!r}"


@pytest.mark.parametrize("entry", [each for each in ENTRIES if each.measured], ids=lambda each: each.text[:40])
def test_what_was_measured_is_what_its_result_file_says(entry):
    exact = [traced.value(entry.measured.file, each) for each in entry.measured.values]
    assert len(exact) == len(entry.numbers)
    for shown, right in zip(entry.numbers, exact, strict=True):
        assert traced.is_rounded(shown, right), (entry.text, right)


@pytest.mark.parametrize(
    "entry", [each for each in ENTRIES if each.counted or each.worked_out], ids=lambda each: each.text[:40]
)
def test_what_is_counted_or_worked_out_comes_out_the_same(entry):
    exact = [traced.COUNTS[each]() for each in entry.counted] or [traced.work_out(each) for each in entry.worked_out]
    assert len(exact) == len(entry.numbers)
    for shown, right in zip(entry.numbers, exact, strict=True):
        assert traced.is_rounded(shown, right), (entry.text, right)


@pytest.mark.parametrize("entry", [each for each in ENTRIES if each.set], ids=lambda each: each.text[:40])
def test_a_setting_stands_where_its_entry_says(entry):
    for path, says in entry.set.items():
        assert says in (ROOT / path).read_text(), (entry.text, path, says)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("It takes 12 s.", ["12 s"]),
        ("up to 3.5 times, 40 % more, 1,200 MiB", ["3.5 times", "40 %", "1,200 MiB"]),
        ("Airflow 3.3.2 and Python 3.11 since 2026", []),
        ("`--wait 180 s`\n```sh\nsleep 3 s\n```\n", []),
        ("| what | s |\n|---|---:|\n| build | 64.7 |\n", ["64.7"]),
        ("<!-- [[[cog cog.outl(x()) ]]] -->\n| a | 3 |\n12 s\n<!-- [[[end]]] -->\n5 ms", ["5 ms"]),
    ],
)
def test_a_figure_is_known_by_its_unit_or_by_being_alone_in_a_cell(text, told):
    assert [each.text for each in traced.find(text)] == told


def test_a_figure_that_no_entry_covers_is_named_with_its_line():
    entry = traced.Entry(document="a.md", text="takes 12 s", published="elsewhere")
    assert untraced("a.md", "It\ntakes\n12 s and 13 s.", [entry]) == ["a.md:3: 13 s"]
    assert untraced("b.md", "takes 12 s", [entry]) == ["b.md:1: 12 s"]


def test_rounding_is_to_the_digits_shown():
    assert traced.is_rounded("1.27", 1.2661)
    assert not traced.is_rounded("1.26", 1.2661)
    assert traced.is_rounded("4,482", 4482)
    assert traced.work_out("23 * 12 / 42") == pytest.approx(6.5714, abs=1e-4)


def test_an_entry_names_one_source():
    with pytest.raises(ValueError, match="one source"):
        traced.Entry(document="a.md", text="12 s")
    with pytest.raises(ValueError, match="one source"):
        traced.Entry(document="a.md", text="12 s", published="x", by_hand="y")
