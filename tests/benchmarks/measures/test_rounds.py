from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.display import Display
from benchmarks.measures import rounds
from benchmarks.measures.rounds import Case, Failed, Group, Taken
from shared.errors import BakeoffError
from tests.benchmarks.measures.made import ENVIRONMENT


@pytest.fixture
def display():
    return quiet()


@pytest.fixture(autouse=True)
def _no_git(monkeypatch):
    found = rounds.results.Environment(**ENVIRONMENT)
    monkeypatch.setattr(rounds.results, "environment", lambda: found)


class Counting:
    """A case that says when it was taken, and may fail."""

    def __init__(self, log, fails=()):
        self.log, self.fails, self.count = log, fails, 0

    def case(self, name, **options):
        def take(opened, tell):
            self.log.append(name)
            self.count += 1
            if self.count - 1 in self.fails:
                raise Failed("it broke", where="here", fix="mend it", taken=Taken({"until_s": 1.0}))
            return Taken({"seconds": float(self.count)})

        return Case({"tool": name}, take, **options)


def taken(groups, display, file):
    return rounds.take("overhead", groups, "quick", display, file=file)


def test_cases_take_turns_and_the_warm_up_is_not_counted(display, tmp_path):
    log = []
    cases = [Counting(log).case(name, rounds=2, warmup=1) for name in ("a", "b")]
    result = taken([Group("both", cases)], display, tmp_path / "j")
    assert log == ["a", "b"] * 3
    assert result.timing("seconds", tool="a").samples == [2.0, 3.0]
    assert not (tmp_path / "j").exists()


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=4),
    st.integers(0, 12),
)
def test_what_was_interrupted_goes_on_and_takes_no_sample_twice(tmp_path_factory, plan, stop_at):
    file, log = tmp_path_factory.mktemp("j") / "j", []

    def cases(stop_at):
        def take(opened, tell, name):
            if len(log) == stop_at:
                raise KeyboardInterrupt
            log.append(name)
            return Taken({"seconds": 1.0})

        return [
            Case({"tool": str(n)}, lambda o, t, n=n: take(o, t, n), rounds=count, warmup=warm)
            for n, (count, warm) in enumerate(plan)
        ]

    wanted = sum(count + warm for count, warm in plan)
    with contextlib.suppress(KeyboardInterrupt):
        taken([Group("g", cases(stop_at))], quiet(), file)
    if stop_at < wanted:
        result = taken([Group("g", cases(-1))], quiet(), file)
        assert result.resumed is (stop_at > 0)
        assert len(result.samples) == wanted
    assert len(log) == wanted


def quiet():
    return Display(Console(quiet=True), [])


def test_ctrl_c_says_what_is_kept(display, tmp_path):
    def stop(opened, tell):
        raise KeyboardInterrupt

    groups = [Group("g", [Counting([]).case("a", rounds=1, warmup=0), Case({"tool": "b"}, stop, rounds=6, warmup=0)])]
    with pytest.raises(KeyboardInterrupt, match=r"1 of 7 samples are kept"):
        taken(groups, display, tmp_path / "j")


def test_a_half_written_line_is_taken_again(display, tmp_path):
    file = tmp_path / "j"
    taken([Group("g", [Counting([]).case("a", rounds=1, warmup=0)])], display, tmp_path / "other")
    journal = rounds.Journal(file)
    journal.add(rounds._sample(Case({"tool": "a"}, None), 0, False, "succeeded", Taken({"seconds": 1.0}), ""))
    file.write_text(file.read_text() + '{"case": {"tool"')
    again = rounds.Journal(file)
    assert len(again.samples) == 1
    assert file.read_text().count("\n") == 1


def test_a_failure_is_a_row_with_what_it_had_and_others_go_on(display, tmp_path):
    log = []
    cases = [Counting(log, fails=(1,)).case("a", rounds=3, warmup=0), Counting(log).case("b", rounds=3, warmup=0)]
    result = taken([Group("g", cases)], display, tmp_path / "j")
    [failed] = [each for each in result.samples if each.status == "failed"]
    assert (failed.case, failed.round, failed.error, failed.figures) == ({"tool": "a"}, 1, "it broke", {"until_s": 1.0})
    assert result.timing("seconds", tool="a").samples == [1.0, 3.0]
    assert len(result.of(tool="b")) == 3


def test_what_fails_twice_in_a_row_is_left_alone_and_said_to_be_not_run(display, tmp_path):
    log = []
    result = taken([Group("g", [Counting(log, fails=range(9)).case("a", rounds=4, warmup=0)])], display, tmp_path / "j")
    assert [each.status for each in result.samples] == ["failed", "failed", "not run", "not run"]
    assert len(log) == 2


def test_what_cannot_be_measured_is_one_row_that_says_why(display, tmp_path):
    case = Case({"tool": "kubeflow"}, None, rounds=5, cannot="no cluster: `./bakeoff up kubeflow`")
    [row] = taken([Group("g", [case])], display, tmp_path / "j").samples
    assert (row.status, row.error) == ("not run", case.cannot)


def test_a_group_that_does_not_open_fails_in_each_of_its_samples(display, tmp_path):
    @contextlib.contextmanager
    def opened(tell):
        raise BakeoffError("no engine", where="docker", fix="start it")
        yield

    groups = [
        Group("closed", [Counting([]).case("a", rounds=2)], opened),
        Group("open", [Counting([]).case("b", rounds=1, warmup=0)]),
    ]
    result = taken(groups, display, tmp_path / "j")
    assert {each.error for each in result.samples if each.case["tool"] == "a"} == {"no engine"}
    assert result.timing("seconds", tool="b").samples == [1.0]


def test_a_group_whose_samples_are_there_is_not_opened_again(display, tmp_path):
    opens = []

    @contextlib.contextmanager
    def opened(tell):
        opens.append(1)
        yield "it"

    def stop(given, tell):
        raise KeyboardInterrupt

    def seen(given, tell):
        assert given == "it"
        return Taken({"seconds": 1.0})

    first = Group("first", [Case({"tool": "a"}, seen, rounds=1, warmup=0)], opened)
    with pytest.raises(KeyboardInterrupt):
        taken([first, Group("second", [Case({"tool": "b"}, stop)])], display, tmp_path / "j")
    taken([first, Group("second", [Counting([]).case("b", rounds=1)])], display, tmp_path / "j")
    assert len(opens) == 1


def test_the_time_that_it_takes_leaves_out_what_cannot_be_run():
    cases = [Case({"a": "1"}, None, 5, 1, 10.0), Case({"a": "2"}, None, 5, 1, 10.0, "no cluster")]
    assert rounds.estimate_s([Group("g", cases, estimate_s=30.0)]) == 90.0


def test_a_group_of_which_nothing_can_be_run_is_not_opened_and_takes_no_time():
    group = Group("g", [Case({"a": "1"}, None, 5, 1, 10.0, "no container engine")], estimate_s=30.0)
    assert rounds.estimate_s([group]) == 0.0
    assert rounds.estimate_s([group], elsewhere=True) == 90.0
