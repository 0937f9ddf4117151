from __future__ import annotations

import re
from importlib.metadata import distributions

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag

from benchmarks import cli, processes
from benchmarks.airflow_arm import AirflowArm
from benchmarks.measures import own_stack, setup
from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.rounds import Failed, estimate_s
from benchmarks.measures.setup import compose, downloads, embedded, first_run, told
from benchmarks.measures.setup.embedded import Fresh, Go
from benchmarks.measures.setup.first_run import Answer
from benchmarks.measures.setup.told import Command, Source
from benchmarks.places import ARMS, ENVIRONMENT, LOCKS, ROOT, ArmName, child_env
from benchmarks.results import ArmResult, Retraining
from benchmarks.retraining import make_arm
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.prefect_api import PrefectApi
from shared.config import RetrainConfig

PLACES = [*((tool, Where.EMBEDDED) for tool in ARMS), *((ArmName(tool), Where.COMPOSE) for tool in compose.Tool)]
seconds = st.floats(0, 1e4)


@given(st.builds(Go, seconds, seconds, seconds, seconds, seconds))
def test_the_parts_are_never_negative_and_add_up_to_the_whole(go):
    for cache in setup.CACHES:
        told_of = go.figures(cache)
        parts = [told_of[name] for name in ("download_s", "install_s", "start_s", "first_run_s")]
        assert min(parts) >= 0
        assert told_of["tthw_s"] == pytest.approx(sum(parts))
    assert go.figures("warm")["download_s"] == 0
    assert go.figures("cold")["tthw_s"] >= go.figures("warm")["tthw_s"]


def arm_result(name="plain", status="succeeded", version=1, start_s=2.0, **fields):
    done = Retraining(month="2013-03", status=status, version=version, reason="because")
    return ArmResult(
        name=name,
        status=status,
        seconds=10.0,
        start_s=start_s,
        stop_s=0.0,
        adapter_lines=1,
        versions={},
        tracking_uri="",
        retrainings=[done],
        **fields,
    )


@given(seconds, seconds, st.none() | st.floats(0, 10))
def test_the_parts_of_a_stack_add_up_too(build_s, up_s, start_s):
    told_of = compose.parts(build_s, up_s, arm_result(start_s=start_s))
    assert told_of["tthw_s"] == pytest.approx(build_s + told_of["start_s"] + told_of["first_run_s"])
    assert told_of["first_run_s"] >= 0


@pytest.mark.parametrize(("tool", "where"), PLACES)
def test_every_tool_has_commands_configuration_and_concepts_with_reasons(tool, where):
    counts = told.counts(tool, where)
    assert counts["commands"] == len(told.commands(tool, where)) >= 2
    assert all(len(reason) > 10 for reason in told.concepts(tool, where).values())
    lines = told.configuration(tool, where)
    assert len(lines) == len(told.sources(tool, where))
    # A place without a line is one that has moved; of the settings the harness may need all.
    assert all(lines[each.name] for each in told.sources(tool, where) if not each.but)
    assert (counts["concepts"] == 0) is (tool is ArmName.PLAIN)


@pytest.mark.parametrize("tool", ARMS)
def test_what_is_installed_by_the_listed_commands_is_the_arms_lock_alone(tool):
    install = [each for each in told.commands(tool, Where.EMBEDDED) if each.step == "install"]
    assert [each.by for each in install] == ["verbatim"] * 2
    assert {each.words[0] for each in install} == {"uv"}
    [lock] = {word for each in install for word in each.words if word.startswith("locks/")}
    assert (ROOT / lock).samefile(LOCKS / f"{ENVIRONMENT[tool]}.txt")
    assert all(f".venvs/{ENVIRONMENT[tool]}" in each.words for each in install)


@pytest.mark.parametrize(("tool", "where"), PLACES)
def test_commands_name_what_there_is(tool, where):
    for each in told.commands(tool, where):
        if each.words[:2] == ["python", "-m"]:
            path = ROOT / each.words[2].replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
        assert bool(each.request) is (each.by == "request")


def test_the_command_that_a_cluster_takes_is_one_of_ours():
    names = {each.name or each.callback.__name__ for each in cli.app.registered_commands}
    assert set(re.findall(r"\./bakeoff (\w+)", setup.NO_CLUSTER)) <= names
    [case] = [case for group in setup.groups(Asked()) for case in group.cases if case.cannot]
    assert case.labels["where"] == "kind"


#: As Airflow tells of a run that has ended.
RUN = {"dag_run_id": "r", "state": "success", "end_date": "2026-01-01T00:00:00Z"}


def test_airflows_services_are_those_that_are_listed(monkeypatch, tmp_path):
    """What the measure sees of a real run, without one: the arm's own code, with nothing started."""
    found = []
    monkeypatch.setattr("benchmarks.arms.environments.ensure", lambda *names: None)
    monkeypatch.setattr(AirflowArm, "_wait", lambda *_: found.append("up"))

    class Up:
        pid = 0
        poll = staticmethod(lambda: None)
        wait = staticmethod(lambda timeout: 0)

    monkeypatch.setattr(processes, "start", lambda command, *_, **__: Up())
    monkeypatch.setattr(processes, "stop", lambda *_, **__: None)
    started = first_run._recorded()
    arm = make_arm(ArmName.AIRFLOW, tmp_path)
    arm.home = tmp_path / "home"
    arm._lock = arm._lock.__class__(tmp_path / "lock")
    arm.home.mkdir()
    (arm.home / "simple_auth_manager_passwords.json.generated").write_text('{"admin": "word"}')
    sent = []
    answers = {"/auth/token": {"access_token": "it"}, "/api/v2/dags/retrain/dagRuns": RUN}

    def ask(self, method, path, **more):
        sent.append(f"{method} {path}")
        return {"dag_runs": [], "state": "success", **answers.get(path, {})}

    monkeypatch.setattr(AirflowArm, "_ask", ask)
    arm.prepare()
    assert list(arm.pids()) == []
    list(arm.retrain([RetrainConfig(month="2013-03", state=tmp_path, events=tmp_path / "events")]))
    assert list(arm.pids()) == ["api-server", "scheduler", "dag-processor"]
    listed = told.commands(ArmName.AIRFLOW, Where.EMBEDDED)
    assert told.unlisted(listed, started) == []
    assert {each.request for each in listed if each.request} <= set(sent)
    arm.stop()


def test_airflows_api_is_sent_what_is_listed_for_its_stack(tmp_path, monkeypatch):
    sent = []
    healthy = {part: {"status": "healthy"} for part in ("metadatabase", "scheduler", "dag_processor", "triggerer")}
    api = AirflowApi("http://127.0.0.1:1", ("admin", "word"))

    def ask(method, path, **more):
        sent.append(f"{method} {path}")
        return {"access_token": "it", **healthy}

    monkeypatch.setattr(api.rest, "ask", ask)
    api.check()
    api.trigger(RetrainConfig(month="2013-03", state=tmp_path, request_id="it"), {})
    listed = [each.request for each in told.commands(ArmName.AIRFLOW, Where.COMPOSE) if each.request]
    assert listed
    assert set(listed) <= set(sent)


def test_prefects_api_is_sent_what_is_listed_for_its_stack(tmp_path, monkeypatch):
    sent = []
    api = PrefectApi("http://127.0.0.1:1", ("admin", "word"))

    def ask(method, path, **more):
        sent.append(f"{method} {path}")
        return {"id": "ID"}

    monkeypatch.setattr(api.rest, "ask", ask)
    api.trigger(RetrainConfig(month="2013-03", state=tmp_path, request_id="it"), {})
    listed = [each.request for each in told.commands(ArmName.PREFECT, Where.COMPOSE) if each.request]
    assert listed
    assert set(listed) <= set(sent)


@pytest.mark.parametrize("cached", [True, False])
def test_a_stack_is_built_by_the_listed_command_and_cold_without_its_layers(tmp_path, cached):
    called = []

    class Calls:
        folder = tmp_path

        def follow(self, log, arguments, on_line):
            called.append(arguments)
            return 0

    own_stack.build.build(Calls(), print, cached=cached)
    [listed] = [each for each in told.commands(ArmName.PREFECT, Where.COMPOSE) if each.step == "install"]
    assert called == [[*listed.words[2:], *(["--no-cache"] if not cached else [])]]


def test_a_command_that_is_not_listed_or_not_started_is_told():
    listed = [
        Command(step="start", by="process", type="tool db migrate"),
        Command(step="run", by="process", type="python -m it REQUEST.json"),
    ]
    both = [["/env/bin/tool", "db", "migrate"], ["python", "-m", "it", "/scratch/request.json"]]
    assert told.unlisted(listed, both) == []
    assert told.unlisted(listed, both[:1]) == ["python -m it REQUEST.json (not started)"]
    assert told.unlisted(listed, [*both, ["tool", "serve"]]) == ["tool serve (not listed)"]
    assert told.unlisted(listed, [*both, ["tool", "db", "migrate", "--now"]])
    assert not Command(step="run", by="process", type="tool up").started_as(["tool", "UP"])


def test_configuration_is_counted_where_it_is():
    lines = list(told._of_table("[a]\nx = 1\n# no\n\n[a.b]\ny = 2\n[ab]\nz = 3\n[c]\nw = 4\n", "a"))
    assert lines == ["[a]", "x = 1", "[a.b]", "y = 2"]
    assert told._count(Source(env="PREFECT_"), ArmName.PREFECT) == 3
    variables = make_arm(ArmName.AIRFLOW, ROOT).variables()
    count = told._count(Source(settings="AIRFLOW_"), ArmName.AIRFLOW)
    assert count == len(variables) >= 5
    assert told._count(Source(settings="AIRFLOW_", but=("AIRFLOW_HOME",)), ArmName.AIRFLOW) == count - 1
    with pytest.raises(LookupError, match="no longer sets OTHER"):
        told._count(Source(settings="AIRFLOW_", but=("OTHER",)), ArmName.AIRFLOW)
    assert not any(name.startswith("AIRFLOW") for name in child_env())


WHEELS = {
    "sdist": {"url": "https://index/x-1.tar.gz", "size": 9},
    "wheels": [
        {"url": "https://index/x-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "size": 3},
        {"name": "x-1-py3-none-any.whl", "url": "https://index/0", "size": 2},
    ],
}


def test_the_file_that_was_installed_is_counted():
    assert downloads.installed_bytes(WHEELS, [Tag("cp311", "cp311", "manylinux_2_17_x86_64")]) == 3
    assert downloads.installed_bytes(WHEELS, [Tag("py3", "none", "any"), Tag("py2", "none", "any")]) == 2
    assert downloads.installed_bytes(WHEELS, [Tag("cp311", "cp311", "linux_x86_64")]) == 9  # built here
    assert downloads.installed_bytes({"wheels": WHEELS["wheels"]}, []) == 3
    assert downloads.installed_bytes({"wheels": [{"name": "x-1-py3-none-any.whl"}]}, []) is None


def test_what_real_packages_are_of_is_found(tmp_path):
    [site] = {each.locate_file("") for each in distributions() if each.metadata["Name"] == "numpy"}
    tags = {str(tag) for each in distributions() if each.metadata["Name"] == "pandera" for tag in downloads._tags(each)}
    assert "py3-none-any" in tags
    file = tmp_path / "pylock.toml"
    line = '[[packages]]\nname = "Pandera"\nwheels = [{ name = "pandera-1-py3-none-any.whl"SIZE }]\n'
    file.write_text(line.replace("SIZE", ", size = 77"))
    assert downloads.total_bytes(file, site) == 77
    file.write_text(line.replace("SIZE", ""))
    assert downloads.total_bytes(file, site) is None


def test_a_file_with_two_names_takes_its_room_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d").write_bytes(b"x" * 10)
    assert embedded.size_bytes(tmp_path) == 1010


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A go in a real clean checkout, with uv and the run replaced."""
    ran = []

    def uv(self, words):
        ran.append(words)
        (self.environment / "lib" / "python3.11" / "site-packages").mkdir(parents=True, exist_ok=True)

    def run(self):
        assert (self.folder / "benchmarks" / "cli.py").exists()
        assert (self.folder / "data" / "flights" / "2013-03.parquet").exists()
        assert (self.environment / "stamp").read_text().startswith(f"{self.folder}\n")
        return Answer(prepare_s=1.0, result=arm_result(), started=[]), 3

    monkeypatch.setattr(embedded, "STATE", tmp_path)
    monkeypatch.setattr(Fresh, "_uv", uv)
    monkeypatch.setattr(Fresh, "_run", run)
    monkeypatch.setattr(downloads, "total_bytes", lambda *_: 5_000_000)
    return ran


def test_a_go_runs_the_listed_commands_and_leaves_nothing(fresh, tmp_path):
    told_of = embedded.measure(ArmName.PLAIN, lambda what: None)
    typed = [each.words[1:] for each in told.commands(ArmName.PLAIN, Where.EMBEDDED) if each.by == "verbatim"]
    bare = [[word for word in words if word != "--compile-bytecode"] for words in typed]
    assert fresh[:6] == [*bare, *bare, *typed]
    cold, warm = told_of["cold"].figures, told_of["warm"].figures
    assert (cold["start_s"], cold["first_run_s"], cold["processes"], cold["download_mb"]) == (3.0, 8.0, 3, 5.0)
    assert "download_mb" not in warm
    assert set(cold) <= {each.name for each in setup.MEASURE.figures}
    assert list((tmp_path / "setup").iterdir()) == []


@pytest.mark.parametrize("raised", [KeyboardInterrupt, Failed("no", where="it", fix="mend it")])
def test_a_go_that_is_broken_off_leaves_nothing(fresh, tmp_path, monkeypatch, raised):
    def fail(*_):
        raise raised

    monkeypatch.setattr(Fresh, "_run", fail)
    with pytest.raises((KeyboardInterrupt, Failed)):
        embedded.measure(ArmName.PLAIN, lambda what: None)
    assert list((tmp_path / "setup").iterdir()) == []


def test_a_run_that_registers_nothing_or_starts_what_is_not_listed_has_failed(fresh, tmp_path, monkeypatch):
    checked = Fresh._check
    for result, started, said in [
        (arm_result(status="failed", error="it broke"), [], "it broke"),
        (arm_result(version=None), [], "because"),
        (arm_result(), [["/bin/other"]], r"other \(not listed\)"),
    ]:

        def run(self, result=result, started=started):
            checked(self, Answer(prepare_s=0.0, result=result, started=started))

        monkeypatch.setattr(Fresh, "_run", run)
        with pytest.raises(Failed, match=said):
            embedded.measure(ArmName.PLAIN, lambda what: None)


def test_every_case_has_labels_of_its_own_and_the_quick_profile_keeps_to_its_time():
    cases = [case for group in setup.groups(Asked()) for case in group.cases]
    assert len({tuple(case.labels.items()) for case in cases}) == len(cases)
    assert {case.labels["cache"] for case in cases} == set(setup.CACHES)
    assert estimate_s(setup.groups(Asked("quick", ARMS, [Where.EMBEDDED]))) <= 240
