from __future__ import annotations

import io

from rich.console import Console

from benchmarks import results, retraining
from benchmarks.display import Display


def event(step, label, state):
    return {"step": step, "label": label, "state": state, "time": 0.0}


def run(console):
    with Display(console, ["plain", "airflow"]) as display:
        display.begin("plain", "starting")
        display.event("plain", event("retrain", "2013-03", "started"))
        display.event("plain", event("ingest", "", "started"))
        display.event("plain", event("ingest", "", "finished"))
        display.event("plain", event("train", "a", "started"))
        display.event("plain", event("train", "b", "started"))
        display.event("plain", event("train", "a", "finished"))
        display.end("plain", "done: all well")


def test_without_a_terminal_every_change_is_a_line():
    text = io.StringIO()
    run(Console(file=text, width=100))
    lines = [line.split(" s  ", 1)[1] for line in text.getvalue().splitlines()]
    assert lines == [
        "starting",
        "2013-03: starting",
        "2013-03: ingesting",
        "2013-03: training a",
        "2013-03: training a, b",
        "done: all well",
    ]


def test_when_all_wait_again_the_clocks_do_too(monkeypatch):
    now = 0.0
    monkeypatch.setattr("benchmarks.display.time.monotonic", lambda: now)
    text = io.StringIO()
    display = Display(Console(file=text), ["plain"])
    display.begin("plain", "first")
    now = 60.0
    display.begin("plain", "second")
    display.reset()
    display.begin("plain", "third")
    assert [line.split()[1] for line in text.getvalue().splitlines()] == ["0.0", "60.0", "0.0"]


def test_square_brackets_in_an_error_are_shown_as_they_are():
    failed = results.ArmResult(
        name="plain", status="failed", seconds=0, stop_s=0, adapter_lines=1, versions={}, tracking_uri="",
        retrainings=[], error="type datetime64[us] instead of datetime64[ms] [/x]",
    )  # fmt: skip
    text = io.StringIO()
    with Display(Console(file=text, width=100), ["plain"]) as display:
        display.end("plain", retraining._last_words(failed))
    assert "type datetime64[us] instead of datetime64[ms] [/x]" in text.getvalue()


def test_in_a_terminal_there_is_one_line_an_arm():
    text = io.StringIO()
    run(Console(file=text, width=100, force_terminal=True))
    last = text.getvalue().rsplit("plain", 1)[1]
    assert "done: all well" in last
    assert "airflow" in last
    assert "waiting" in last
