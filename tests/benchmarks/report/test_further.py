from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from benchmarks.places import RESULTS
from benchmarks.report import cli, further, further_ci, further_runs, tables
from shared.errors import ConfigError


def test_tables_of_the_documents_get_captions_scopes_and_a_region_that_scrolls():
    rows = ["| tool | s |", "|---|---:|", "| [Prefect](../x.md) | **1** |"]
    text = "\n".join([*rows, "| [Airflow](https://example.org) | <b>2</b><br>3 |", "", "Done."])
    html = tables.html(text, "What & why")
    assert '<div class="scroll" tabindex="0" role="region" aria-label="What &amp; why">' in html
    assert "<caption><span>What &amp; why</span></caption>" in html
    assert '<th scope="col" class="number">s</th>' in html
    assert '<th scope="row">Prefect</th>' in html
    assert '<a href="https://example.org">Airflow</a>' in html
    assert "&lt;b&gt;2&lt;/b&gt;<br>3" in html
    assert "style=" not in html


def test_two_tables_have_names_of_their_own():
    html = tables.html("| a |\n|---|\n| 1 |\n\n| b |\n|---|\n| 2 |\n", "It")
    assert 'aria-label="It"' in html
    assert 'aria-label="It, 2"' in html


def test_a_sentence_has_its_code_and_no_markup_of_its_own():
    assert tables.inline("from `up` <b>on</b>") == "From <code>up</code> &lt;b&gt;on&lt;/b&gt;"


def test_a_file_of_the_folder_comes_before_the_committed_one(tmp_path):
    told = json.loads((RESULTS / "demo.json").read_text())
    told["arms"][0]["seconds"] = 77.0
    (tmp_path / "demo.json").write_text(json.dumps(told))
    found = {each.id: each for each in further.sections(tmp_path)[0]}
    assert found["demo"].figures[0].marks[0].timing.median == 77.0
    assert found["stacks"].file == RESULTS / "stacks.json"


def test_what_failed_is_a_row_of_its_chart(tmp_path):
    told = json.loads((RESULTS / "ci-run.json").read_text())
    told["runs"][0]["steps"][0]["status"] = "failed"
    (tmp_path / "ci-run.json").write_text(json.dumps(told))
    [shown] = further_ci.ci_run(tmp_path / "ci-run.json").figures
    [failed] = [mark for mark in shown.marks if not mark.timing]
    assert (failed.tool, failed.told) == (told["runs"][0]["tool"], "failed")


def test_a_run_of_many_tasks_that_failed_is_a_row_too(tmp_path):
    told = json.loads((RESULTS / "scale-out.json").read_text())
    told["spreads"][0] |= {"tasks": [], "error": "the queue was full"}
    (tmp_path / "scale-out.json").write_text(json.dumps(told))
    marks = [mark for shown in further_runs.scale_out(tmp_path / "scale-out.json").figures for mark in shown.marks]
    assert [(mark.told, mark.cause) for mark in marks if not mark.timing] == [("failed", "the queue was full")]


def test_every_machine_of_a_file_is_named_once():
    found = further.environments(RESULTS / "scale-out.json")
    assert len(found) == len({(each.date, each.commit) for each in found}) >= 1


@pytest.fixture
def printed(monkeypatch):
    streams = {"out": io.StringIO(), "err": io.StringIO()}
    for name, stream in streams.items():
        monkeypatch.setattr(cli, name, Console(file=stream, width=200))
    return streams


def test_the_command_writes_the_page_and_says_what_is_missing(tmp_path, printed):
    (tmp_path / "results").mkdir()
    target = tmp_path / "new" / "report.html"
    cli.report(target, tmp_path / "results")
    assert target.read_text().startswith("<!doctype html>")
    assert "debug is not measured yet: `./bakeoff bench debug`" in printed["err"].getvalue()
    assert "report.html" in printed["out"].getvalue()
    with pytest.raises(ConfigError, match="folder of that name"):
        cli.report(tmp_path, tmp_path / "results")
