from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from types import SimpleNamespace

import pytest

from benchmarks import results
from benchmarks.measures.catalog import Name
from benchmarks.measures.record import ResultError, path
from benchmarks.measures.show import number
from benchmarks.report import beside, collect, figures, flags, headline, markdown, matrix, page
from benchmarks.stacks import engine
from tests.benchmarks.measures.made import ENVIRONMENT, result, sample
from tests.benchmarks.report import made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def collected(folder):
    return collect.collect(folder, made.load)


@pytest.fixture(scope="module")
def html(folder):
    return page.render(*page.gather(folder, made.load))


class Outline(HTMLParser):
    """Tags and attributes, in order."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def all(self, *names):
        return [(tag, attributes) for tag, attributes in self.tags if tag in names]


def test_the_page_has_a_part_for_every_measure_and_every_other_file(html):
    ids = [attributes["id"] for _, attributes in Outline(html).all("section")]
    assert ids[: 1 + len(Name)] == ["glance", *Name]
    assert {"ci", "ci-run", "ci-pull-request", "changes", "ci-broken", "stacks", "scale-out", "demo"} <= {*ids}


def test_the_page_asks_the_network_for_nothing(html):
    outline = Outline(html)
    assert not outline.all("script", "iframe", "object", "embed", "base")
    for tag, attributes in outline.tags:
        for name in ("src", "href", "action", "poster", "data"):
            if address := attributes.get(name):
                assert address.startswith(("#", "data:", "https://")), address
                assert tag == "a" or not address.startswith("https://"), (tag, address)
    assert "@import" not in html
    assert "url(" not in html


def test_the_page_is_small(html):
    assert len(html.encode()) < 3_000_000


def test_headings_come_in_order_and_ids_are_unique(html):
    outline = Outline(html)
    levels = [int(tag[1]) for tag, _ in outline.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in outline.all("a", "use"):
        if attributes["href"].startswith("#"):
            assert attributes["href"][1:] in ids


def test_the_result_files_are_on_the_page_as_they_are(html, folder):
    found = {
        attributes["download"]: attributes["href"]
        for _, attributes in Outline(html).all("a")
        if "download" in attributes
    }
    for name in Name:
        file = path(name, folder)
        kept = base64.b64decode(found[file.name].partition("base64,")[2])
        assert json.loads(kept) == json.loads(file.read_text())


def test_text_of_a_result_file_is_no_markup(html):
    assert "&lt;sqlite3&gt; &amp; &#34;gone&#34;" in html
    assert "<sqlite3>" not in html


def test_every_figure_with_a_sample_is_shown_with_its_definition(collected, html):
    for name, measured in collected.measured.items():
        for figure in measured.measure.figures:
            assert any(each.figure == figure.name for each in figures.show(measured)), (name, figure.name)
            assert figure.definition in html


def test_failures_stand_beside_the_figures_and_are_listed_with_their_cause(collected):
    measured = collected.measured[Name.OVERHEAD]
    failed = [each for each in page.unmeasured(measured) if each.status == "failed"]
    assert [(each.case, each.count) for each in failed] == [("Prefect, embedded, retraining", 1)]
    [shown] = [each for each in figures.show(measured) if each.name == "makespan_s-retraining"]
    [servers] = [panel for panel in shown.panels if panel.title == "compose"]
    assert [(mark.tool, mark.told, mark.cause) for mark in servers.marks if not mark.timing] == [
        ("kubeflow", "not run", made.NO_CLUSTER)
    ]


def test_a_case_is_not_mixed_with_one_that_has_more_labels():
    cases = figures.Cases(
        made.result([sample("plain", case={}, s=1.0), sample("plain", case={"beside": "airflow"}, s=9.0)])
    )
    assert cases.timing({"tool": "plain"}, "s").samples == [1.0]


def test_every_cell_of_the_debug_matrix_has_an_answer(collected, html):
    table = matrix.make(collected.measured[Name.DEBUG])
    assert len(table.columns) == 6
    assert set(table.cells) == {(fault, *column) for fault in made.FAULTS for column in table.columns}
    assert {each.kind for each in table.cells.values()} == set(matrix.KINDS)
    gap = table.cells["stale-cache", "prefect", "compose"]
    assert (gap.kind, gap.cause) == ("not run", "it is not in the result file")
    none = table.cells["stale-cache", "airflow", "compose"]
    assert (none.kind, none.cause) == ("absent", "Airflow caches no result")
    assert table.cells["hang", "airflow", "embedded"].cause == "it was not told within 300 s"
    assert all(each.cause or each.state for each in table.cells.values())
    assert table.faults[:3] == ("control", "hang", "stale-cache")  # as in the catalogue, then what it does not know
    shown = re.search(r"<table class=\"matrix\".*?</table>", html, re.S).group()
    cells = re.findall(r"<td[^>]*><span class=\"kind\">.*?</svg></span>([a-z ]+)", shown, re.S)
    assert len(cells) == len(table.cells)
    assert {each.strip() for each in cells} == set(matrix.KINDS)


def test_where_causes_stand_is_counted_without_the_control(collected):
    [line] = [each for each in headline.lines(collected) if each.what.startswith("Where") and each.where == "embedded"]
    assert "15 seeded faults" in line.what
    counts = list(map(int, line.cells["airflow"].text.split(" / ")))
    assert sum(counts) == 15
    assert counts[3:] == [1, 1]  # the hang was not told; one fault does not exist there
    [servers] = [
        each for each in headline.lines(collected) if each.what.startswith("Where") and each.where == "compose"
    ]
    assert (servers.cells["kubeflow"].text, servers.cells["kubeflow"].cause) == ("not run", made.NO_CLUSTER)


def test_what_was_waited_for_in_vain_is_no_time_until_it_was_told(collected):
    table = matrix.make(collected.measured[Name.DEBUG])
    hang = table.cells["hang", "kubeflow", "embedded"]
    [waited] = hang.untold.samples
    assert "detect_s" not in hang.figures
    [shown] = [each for each in figures.show(collected.measured[Name.DEBUG]) if each.figure == "detect_s"]
    [mark] = [each for panel in shown.panels if panel.title == "embedded, hang" for each in panel.marks[-1:]]
    assert (mark.tool, mark.timing) == ("kubeflow", None)
    assert mark.told == f"not within {number(waited)} s"


def test_seconds_until_told_are_of_the_faults_that_all_tools_told(collected):
    table = matrix.make(collected.measured[Name.DEBUG])
    embedded, servers = (set(table.told_by_all(each)) for each in ("embedded", "compose"))
    assert embedded == set(made.FAULTS) - {"control", "hang", "stale-cache"}
    assert servers == embedded  # of the tools that were run there
    [line] = [each for each in headline.lines(collected) if each.what.startswith("Until") and "embedded" in each.where]
    assert line.where == "embedded, 13 faults"
    assert all(len(cell.timing.samples) == 13 for cell in line.cells.values())


def test_what_a_tool_takes_beyond_plain_python_is_reckoned_round_by_round(collected):
    result = collected.measured[Name.OVERHEAD].result
    case = {"tool": "kubeflow", "where": "embedded", "work": "retraining"}
    theirs = result.timing("makespan_s", **{**case, "tool": "plain"}).samples
    ours = result.timing("makespan_s", **case).samples
    pairs = [one - other for one, other in zip(ours, theirs, strict=True)]
    assert figures.Cases(result).timing(case, figures.OVER).samples == pytest.approx(pairs)
    [line] = [each for each in headline.lines(collected) if each.what.startswith("Of it beyond")]
    assert line.cells["kubeflow"].timing.samples == pytest.approx(pairs)
    assert "plain" not in line.cells or line.cells["plain"].timing is None


def test_published_figures_stand_beside_ours_of_the_same_graph_alone():
    rows = [sample("prefect", case={"work": "graph", "where": "embedded", "graph": "10 linear fib(33)"}, tasks_s=3.4)]
    rows += [sample("prefect", case={"work": "graph", "where": "embedded", "graph": "10 linear"}, tasks_s=0.4)]
    told = beside.table(SimpleNamespace(result=result(rows, "peers")))
    assert "| 10 linear fib(33) | Prefect" in told
    assert "| 3.40 | here |" in told
    assert "Temporal" in told
    assert "0.4" not in told
    assert "fib(10)" not in told
    light = [sample("prefect", case={"work": "graph", "where": "embedded", "graph": "40 linear fib(10)"}, tasks_s=0.1)]
    assert "fib(33)" not in beside.table(SimpleNamespace(result=result(light, "peers")))


def test_memory_is_the_sum_of_a_tools_parts_round_by_round(collected):
    measured = collected.measured[Name.FOOTPRINT]
    labels = {"tool": "airflow", "where": "embedded", "phase": "idle", "role": "control plane"}
    by_part = [
        measured.result.timing("memory_mib", **labels, part=each).samples
        for each in ("api-server", "scheduler", "triggerer")
    ]
    [line] = [
        each
        for each in headline.lines(collected)
        if each.what == "Memory while idle" and each.where == "embedded, control plane"
    ]
    assert line.cells["airflow"].timing.samples == pytest.approx([sum(each) for each in zip(*by_part, strict=True)])


def test_servers_in_a_cluster_stand_in_the_row_of_the_servers(tmp_path):
    samples = [
        sample("airflow", case={"where": "compose", "cache": "cold"}, tthw_s=9.0),
        sample("kubeflow", case={"where": "kind", "cache": "cold"}, status="not run", error="no cluster"),
    ]
    results.write(made.result(samples, "setup"), path("setup", tmp_path))
    found = collect.collect(tmp_path, made.load)
    [line] = [each for each in headline.lines(found) if each.what.startswith("From nothing")]
    assert line.where == "compose"
    assert (line.cells["kubeflow"].text, line.cells["kubeflow"].cause) == ("not run", "no cluster")


def test_what_is_missing_is_named_with_the_command_that_measures_it(tmp_path):
    results.write(made.make("setup"), path("setup", tmp_path))
    found = collect.collect(tmp_path, made.load)
    assert found.missing == tuple(name for name in Name if name is not Name.SETUP)
    text = page.render(found)
    for name in found.missing:
        assert f"<code>./bakeoff bench {name}</code>" in text
        assert f"not measured yet: `./bakeoff bench {name}`" in markdown.summary(tmp_path, made.load)
        assert markdown.measure(name, tmp_path, made.load) == f"Not measured yet: `./bakeoff bench {name}`."


def test_the_plan_in_the_documents_is_the_same_with_and_without_a_container_engine(monkeypatch):
    def gone():
        raise engine.StackError("no engine", where="docker", fix="start it")

    monkeypatch.setattr(engine, "info", dict)
    monkeypatch.setattr(engine, "compose_version", lambda: "2.26.0")
    with_engine = markdown.plan()
    monkeypatch.setattr(engine, "info", gone)
    assert markdown.plan() == with_engine


def test_an_empty_folder_gives_a_page_all_the_same(tmp_path):
    found, sections = page.gather(tmp_path, made.load, committed=tmp_path)
    text = page.render(found, sections)
    assert text.count("Not measured yet.") == len(Name) + sum(each.missing for each in sections)
    assert not found.skipped


def test_a_file_that_cannot_be_used_is_left_out_and_named_with_the_cause(tmp_path):
    made.write(tmp_path)
    setup, overhead, debug = (path(name, tmp_path) for name in ("setup", "overhead", "debug"))
    setup.write_text(setup.read_text()[:300])
    overhead.write_text(overhead.read_text().replace('"schema_version": 1', '"schema_version": 7'))
    debug.rename(path("migration", tmp_path))
    results.write(made.make("peers").model_copy(update={"measure": "speed"}), path("speed", tmp_path))
    (tmp_path / "demo.json").write_text('{"measure": "demo"')
    found, sections = page.gather(tmp_path, made.load)
    told = {each.file: each.cause for each in found.skipped}
    assert "half-written" in told["bench-setup.json"]
    assert "schema version 7" in told["bench-overhead.json"]
    assert "holds a result of debug" in told["bench-migration.json"]
    assert "there is no measure speed" in told["bench-speed.json"]
    assert "no result that this code reads" in told["demo.json"]
    text = page.render(found, sections)
    assert all(f"{file} is left out" in text for file in told)
    assert {*found.measured} == {Name.FOOTPRINT, Name.PEERS}


def test_other_machines_commits_profiles_and_wide_spreads_are_told_first(tmp_path):
    for name, more in {
        "setup": {"environment": {**ENVIRONMENT, "cpus": 64}},
        "overhead": {"profile": "quick", "resumed": True},
        "peers": {"environment": {**ENVIRONMENT, "commit": "fedcba9876543210-dirty"}},
    }.items():
        results.write(made.make(name, **more), path(name, tmp_path))
    told = "\n".join(flags.flags(collect.collect(tmp_path, made.load)))
    assert "different machines" in told
    assert "64 x a CPU" in told
    assert "different versions of the code" in told
    assert "not committed: peers" in told
    assert "Quick profile, with fewer samples and smaller cases: overhead" in told
    assert "gone on with later: overhead" in told
    assert re.search(r"marked with ! .* overhead \(\d+ of \d+\)", told)


def test_equal_conditions_are_not_flagged(tmp_path):
    results.write(made.make("migration"), path("migration", tmp_path))
    results.write(made.make("migration").model_copy(update={"measure": "peers"}), path("peers", tmp_path))
    assert not [
        each for each in flags.flags(collect.collect(tmp_path, made.load)) if "different" in each or "!" in each
    ]


def test_a_figure_without_a_definition_is_named_and_not_shown(tmp_path):
    results.write(made.result([sample(tthw_s=1.0, guess_s=424242.0)], "setup"), path("setup", tmp_path))
    found = collect.collect(tmp_path, made.load)
    assert found.measured[Name.SETUP].undefined == ("guess_s",)
    assert "guess_s" in "\n".join(flags.flags(found))
    shown = re.sub(r"href=\"data:[^\"]*\"", "", page.render(found))
    assert "424,242" not in shown


def test_how_to_measure_again_names_the_profile(collected):
    measured = collected.measured[Name.SETUP]
    assert headline.of(measured) == "./bakeoff bench setup"
    quick = measured.result.model_copy(update={"profile": "quick"})
    assert headline.of(collect.Measured(measured.measure, quick, measured.file)) == "./bakeoff bench setup --quick"


def test_own_results_come_before_the_committed_ones(tmp_path):
    committed = tmp_path / "committed"
    assert collect.folder_of(None, tmp_path, committed) == committed
    own = tmp_path / "results"
    own.mkdir()
    assert collect.folder_of(None, tmp_path, committed) == committed
    results.write(made.make("setup"), path("setup", own))
    assert collect.folder_of(None, tmp_path, committed) == own
    with pytest.raises(ResultError, match="no such folder"):
        collect.folder_of(tmp_path / "other")


def test_the_documents_tables_are_whole(folder, collected):
    told = markdown.summary(folder, made.load)
    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert {line.count(" |") for line in rows[2:]} == {6}
    assert len(rows) == 2 + len(headline.lines(collected))
    for name in Name:
        text = markdown.measure(name, folder, made.load)
        assert f"[bench-{name}.json](../benchmarks/results/bench-{name}.json)" in text
    table = [line for line in markdown.debug_matrix(folder, made.load).splitlines() if line.startswith("| ")]
    assert len(table) == 1 + len(made.FAULTS)
    assert not re.search(r"\| *\|", "\n".join(table))
