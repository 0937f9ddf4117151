from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.measures.debug.walk import Seen, Walked, Walker, flat
from benchmarks.measures.debug.walks import Look
from benchmarks.places import ROOT, STATE
from benchmarks.stacks.rest import Silent


def look(at="the UI", **more):
    return Look(at=at, look="something", **more)


TASKS = {
    "task_instances": [
        {"task_id": "ingest", "map_index": -1, "try_number": 2, "state": "success", "start_date": "1", "end_date": "2"},
        {"task_id": "train", "map_index": 0, "try_number": 4, "state": "failed", "start_date": "3", "end_date": "4"},
        {"task_id": "select", "map_index": -1, "try_number": 0, "state": "upstream_failed"}
        | {"start_date": None, "end_date": None},
    ]
}
LOG = {
    "content": [
        {"event": "::group::Log message source details", "sources": ["/logs/1"]},
        {"timestamp": "t", "event": "begun", "level": "info", "logger": "shared"},
        {
            "timestamp": "t",
            "event": "Task failed",
            "error_detail": [
                {
                    "exc_type": "DataError",
                    "exc_value": "the month is spoilt",
                    "frames": [{"filename": "steps.py", "lineno": 3, "name": "validate"}],
                }
            ],
        },
    ]
}


def test_a_walk_stops_where_the_cause_is_and_takes_along_what_it_has_found(tmp_path):
    asked = []

    def ask(method, path, body):
        asked.append((method, path, body))
        return TASKS if path.endswith("taskInstances") else LOG

    log = tmp_path / "never.log"
    looks = [
        look(get="/runs/{run}/taskInstances", finds="failed task", shows="message"),
        look(get="/runs/{run}/{task}/{try}?map_index={map_index}"),
        look(at="terminal", file=str(log)),
    ]
    walked = Walker({"run": "r1"}, ask).walk(looks, re.compile("the month is spoilt"))
    assert asked == [("GET", "/runs/r1/taskInstances", None), ("GET", "/runs/r1/train/4?map_index=0", None)]
    assert (len(walked.seen), walked.switches, walked.cause_in) == (2, 0, "log")
    assert walked.cause_line == "DataError: the month is spoilt"
    assert walked.found.lines[: walked.found.at][-3:] == ("begun", "Task failed", "  steps.py:3 validate")


def test_a_cause_that_stands_nowhere_is_hidden_after_every_look(tmp_path):
    (tmp_path / "out.log").write_text("one\ntwo\n")
    looks = [
        look(at="terminal", output=1, shows="message"),
        look(at="terminal", output=0),
        look(at="MLflow", mlflow=True, shows="elsewhere"),
    ]
    walker = Walker({"output": str(tmp_path / "out.log"), "exit_code": "1"}, mlflow=lambda _: "bakeoff.failure: it")
    walked = walker.walk(looks, re.compile("nothing like it"))
    assert (walked.cause_in, walked.cause_line, walked.found) == ("hidden", "", None)
    assert (len(walked.seen), walked.switches) == (3, 1)
    assert [each.lines for each in walked.seen] == [
        ("two", "(exit code 1)"),
        ("one", "two", "(exit code 1)"),
        ("bakeoff.failure: it",),
    ]


def test_what_stands_only_outside_the_tool_is_hidden_but_found(tmp_path):
    walked = Walker(
        {},
        mlflow=lambda _: (
            f"bakeoff.failure: {STATE}/x on 10.1.2.3:53, registry-1.example.org and {ROOT}/y on 127.0.0.1:80 broke"
        ),
    ).walk([look(at="MLflow", mlflow=True, shows="elsewhere")], re.compile("broke"))
    assert walked.cause_in == "hidden"
    assert walked.cause_line == "bakeoff.failure: .bakeoff/x on (an address), (a registry) and y on 127.0.0.1:80 broke"


def silent(*_):
    raise Silent("it does not answer", where="there", fix="start it")


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ({"get": "/health"}, "it does not answer"),
        ({"get": "/runs/{nobody}"}, "KeyError"),
        ({"file": "/no/such/file"}, "FileNotFoundError"),
        ({"run": ("/no/such/command",)}, "FileNotFoundError"),
        ({"logs": "mlflow"}, "KeyError"),
    ],
)
def test_a_look_that_cannot_be_made_says_so_and_the_walk_goes_on(way, told):
    looks = [look(**way), look(run=(sys.executable, "-c", "print('the cause')"))]
    walked = Walker({}, silent).walk(looks, re.compile("the cause"))
    assert told in walked.seen[0].lines[0]
    assert walked.cause_line == "the cause"


def test_a_posted_look_names_the_run_in_its_body():
    asked = []
    walker = Walker({"run": "r1"}, lambda *call: asked.append(call) or [])
    walker.walk([look(post="/logs", body={"logs": {"any_": ["{run}"]}, "limit": 5})], re.compile("x"))
    assert asked == [("POST", "/logs", {"logs": {"any_": ["r1"]}, "limit": 5})]


@given(st.lists(st.sampled_from(["UI", "terminal", "MLflow"]), max_size=8))
def test_switches_are_changes_of_place(places):
    walked = Walked(tuple(Seen(look(at=each, output=0), (), None) for each in places), 0.0)
    assert walked.switches == sum(places[n] != places[n + 1] for n in range(len(places) - 1))
    assert walked.switches <= max(len(places) - 1, 0)


@given(st.lists(st.text(alphabet=st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)))
def test_a_record_of_a_log_is_a_line(texts):
    assert flat([{"timestamp": "t", "message": each, "level": 20} for each in texts]) == texts


def test_a_page_is_a_line_a_value_without_what_is_empty():
    page = {"state": {"type": "FAILED", "message": "a\nb", "data": None}, "tags": ["x", ""]}
    assert flat(page) == ["type: FAILED", "message: a", "message: b", "tags: x"]


@pytest.mark.parametrize("ways", [{}, {"get": "/a", "file": "b"}])
def test_a_look_is_made_in_one_way(ways):
    with pytest.raises(ValidationError, match="in one way"):
        look(**ways)


def test_a_page_shows_only_some_of_what_it_is_made_of():
    page = look(get="/x", only=["task_id", "state"])
    told = {"tasks": [{"task_id": "gate", "state": "success", "rendered_fields": {"reason": "not better"}}]}
    walked = Walker({}, lambda *_: told).walk([page], re.compile("not better"))
    assert walked.seen[0].lines == ("task_id: gate", "state: success")
