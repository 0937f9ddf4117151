from __future__ import annotations

import json
import re
from statistics import median

import pytest
from axe_playwright_python.sync_playwright import Axe

WIDTHS = (390, 1280, 1920)
SERIOUS = ("serious", "critical")


def test_nothing_is_told_on_the_console_and_nothing_is_fetched(show, page_file):
    page = show(page_file, unfold=True)
    assert page.told == []
    assert [each for each in page.asked if not each.startswith(("file:", "data:"))] == []


def test_it_opens_within_a_second(show, made):
    page, seconds = show(made), []
    for _ in range(3):
        page.reload()
        seconds.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
    assert min(seconds) < 1  # the quickest: what else the machine does is not the page's
    assert made.stat().st_size < 3_000_000


@pytest.mark.parametrize("unfold", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(show, page_file, width, unfold):
    page = show(page_file, width, unfold=unfold)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = """() => [...document.querySelectorAll('svg.chart text')]
        .filter(each => { const box = each.getBoundingClientRect();
            return box.left < -1 || box.right > innerWidth + 1 })
        .map(each => each.textContent)"""
    assert page.evaluate(cut) == []


DRAWN = """() => [...document.querySelectorAll('svg.chart')].map(svg => {
    const box = svg.getBoundingClientRect();
    const marks = [...svg.querySelectorAll('use.mark')].map(each => each.getBoundingClientRect());
    return {
        name: svg.querySelector('title').textContent, said: svg.querySelector('desc').textContent,
        width: box.width, height: box.height, of: Number(svg.dataset.marks),
        marks: marks.length, told: svg.querySelectorAll('.told').length,
        inside: marks.every(m => m.width > 5 && m.left >= box.left - 9 && m.right <= box.right + 9
            && m.top >= box.top - 1 && m.bottom <= box.bottom + 1),
        inked: [...svg.querySelectorAll('use.mark')].every(m => getComputedStyle(m).fill !== 'none'
            && getComputedStyle(m).fill !== getComputedStyle(document.body).backgroundColor),
    }
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_and_named(show, page_file, scheme):
    charts = show(page_file, 390, scheme, unfold=True).evaluate(DRAWN)
    assert charts
    for chart in charts:
        assert chart["marks"] + chart["told"] == chart["of"] > 0, chart
        assert chart["inside"], chart
        assert chart["inked"], chart
        assert chart["width"] > 300, chart
        assert chart["name"], chart
        assert chart["said"], chart


def test_there_is_a_picture_of_every_measure_without_unfolding_anything(show, made):
    page = show(made)
    for name in ("setup", "overhead", "footprint", "debug", "migration", "peers"):
        assert page.locator(f"#{name} svg.chart").first.is_visible(), name


def number(text):
    return float(text.replace(",", ""))


def shortened(value):
    """With the digits that the page gives it."""
    return round(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3)


def kept(folder):
    """Of each figure of each measure, by its own count: n, median, least and most of every case that succeeded."""
    found = {}
    for file in sorted(folder.glob("bench-*.json")):
        result = json.loads(file.read_text())
        cases = {}
        for each in result["samples"]:
            if each["status"] == "succeeded" and not each["warmup"]:
                for name, value in each["figures"].items():
                    if name == "detect_s" and each["texts"].get("alert") == "running":
                        continue  # waited for in vain
                    where = (name, each["case"].get("work", ""), json.dumps(each["case"], sort_keys=True))
                    cases.setdefault(where, []).append(value)
        for (name, work, _), values in cases.items():
            id = f"{result['measure']}-{name}{'-' * bool(work)}{work}".replace(" ", "-")
            of = (median(values), min(values), max(values))
            found.setdefault(id, []).append((len(values), *map(shortened, of)))
    return found


def test_the_tables_agree_with_the_result_files(show, made):
    rows = """() => [...document.querySelectorAll('table.numbers')].map(table => [table.dataset.figure,
        [...table.tBodies[0].rows].filter(row => row.cells.length === 7)
            .map(row => [...row.cells].slice(2, 6).map(cell => cell.textContent))])"""
    shown = {name: [tuple(map(number, row)) for row in found] for name, found in show(made).evaluate(rows)}
    expected = kept(made.parent / "results")
    assert expected.keys() <= shown.keys()
    for name, cases in expected.items():
        for seen, right in zip(sorted(shown[name]), sorted(cases), strict=True):
            assert seen == pytest.approx(right, rel=0.006, abs=0.0006), (name, seen, right)


def test_what_is_beyond_plain_python_agrees_with_the_result_file(show, made):
    samples = json.loads((made.parent / "results" / "bench-overhead.json").read_text())["samples"]
    took = {}
    for each in samples:
        if each["case"].get("work") == "retraining" and each["case"]["where"] == "embedded" and not each["warmup"]:
            took.setdefault(each["case"]["tool"], {})[each["round"]] = each["figures"].get("makespan_s")
    page = show(made)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    table = page.locator("table[data-figure='overhead-over_plain_s-retraining'] tbody")
    for tool in ("prefect", "airflow", "kubeflow"):
        pairs = [(took[tool][each], took["plain"].get(each)) for each in sorted(took[tool])]
        right = median(one - other for one, other in pairs if one is not None and other is not None)
        row = table.locator("tr", has_text="embedded").filter(has_text=re.compile(tool, re.IGNORECASE))
        assert number(row.locator("td").nth(2).inner_text()) == pytest.approx(right, rel=0.006, abs=0.006)


def test_a_fault_that_was_never_told_is_not_given_a_time(show, made):
    told = show(made).locator("table.matrix tr", has_text=re.compile(r"^\s*hang")).inner_text()
    assert "told nothing in" in told


def test_the_text_of_a_chart_agrees_with_its_table(show, made):
    texts = """() => [...document.querySelectorAll('.figure')].map(figure => [
        [...figure.querySelectorAll('svg.chart g > text:last-of-type:not(.told)')].map(each => each.textContent),
        [...figure.querySelectorAll('table.numbers tbody tr')].filter(row => row.cells.length === 7)
            .map(row => row.cells[3].textContent)])"""
    compared = 0
    for texts_of, medians in show(made).evaluate(texts):
        if texts_of:  # charts of rows have their figures in the table alone
            assert sorted(each.split(" ")[0] for each in texts_of) == sorted(medians)
            compared += len(medians)
    assert compared > 100


def test_the_headline_agrees_with_the_result_file(show, made):
    page = show(made)
    group = page.locator("[data-headline] tbody", has_text="From nothing to a first registered model, cold caches")
    cells = group.locator("tr", has_text="embedded").locator("td b").all_inner_texts()
    samples = json.loads((made.parent / "results" / "bench-setup.json").read_text())["samples"]
    for tool, seen in zip(("plain", "prefect", "airflow", "kubeflow"), cells, strict=True):
        right = [
            each["figures"]["tthw_s"]
            for each in samples
            if each["case"] == {"tool": tool, "where": "embedded", "cache": "cold"} and not each["warmup"]
        ]
        assert number(seen) == pytest.approx(median(right), rel=0.006)


def test_the_debug_matrix_has_no_empty_cell_and_tells_by_shape_and_text(show, made):
    cells = show(made).evaluate(
        """() => [...document.querySelectorAll('table.matrix tbody td')].map(cell =>
            [cell.querySelector('use').getAttribute('href'), cell.textContent.trim().split(/\\s{2,}|,/)[0].trim(),
             cell.querySelector('svg').getBoundingClientRect().width])"""
    )
    assert len(cells) == 16 * 6
    assert all(shape == f"#k-{text.replace(' ', '-')}" and width > 10 for shape, text, width in cells)
    assert len({shape for shape, _, _ in cells}) == 7


@pytest.mark.parametrize(("scheme", "unfold"), [("light", False), ("dark", False), ("light", True)])
def test_axe_finds_nothing_serious(show, page_file, scheme, unfold):
    # The colours of a thousand cells more are no others, and looking at each takes axe long.
    options = {"rules": {"color-contrast": {"enabled": not unfold}}, "resultTypes": ["violations"]}
    found = Axe().run(show(page_file, 1280, scheme, unfold), options=options).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in SERIOUS]
    assert serious == []


def test_it_can_be_read_by_keyboard(show, made):
    page = show(made)
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.textContent")
    assert first == "To the figures"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    wide = """() => [...document.querySelectorAll('main *')].filter(each => each.scrollWidth > each.clientWidth + 1
        && getComputedStyle(each).overflowX === 'auto' && !(each.tabIndex === 0 && each.getAttribute('aria-label')))
        .map(each => each.outerHTML.slice(0, 100))"""
    assert show(made, 390, unfold=True).evaluate(wide) == []
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("each => each.open")


def test_a_result_file_can_be_downloaded_as_it_is(show, made, tmp_path):
    page = show(made, unfold=True)
    with page.expect_download() as started:
        page.locator("a[download='bench-debug.json']").click()
    started.value.save_as(tmp_path / "got.json")
    got = json.loads((tmp_path / "got.json").read_text())
    assert got == json.loads((made.parent / "results" / "bench-debug.json").read_text())


def test_dark_and_light_differ(show, made):
    colours = [
        show(made, scheme=each).evaluate("getComputedStyle(document.body).backgroundColor")
        for each in ("light", "dark")
    ]
    assert colours[0] != colours[1]
