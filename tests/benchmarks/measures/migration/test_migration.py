from __future__ import annotations

import itertools
import shutil

import pytest

from benchmarks import results
from benchmarks.measures import catalog, migration
from benchmarks.measures.migration import core, settings, weight
from benchmarks.measures.migration.settings import SETTINGS, Setting
from benchmarks.places import ADAPTER, ARMS, ROOT, ArmName

CORE = sorted((ROOT / "shared").rglob("*.py"))
TOOLS = [arm for arm in ARMS if arm is not ArmName.PLAIN]


@pytest.fixture(scope="module")
def taken():
    cases = [case for group in migration.groups(catalog.Asked("quick")) for case in group.cases]
    return {tuple(case.labels.values()): case.take(None, print) for case in cases}


def test_every_arm_and_every_way_is_a_case_of_its_own(taken):
    ways = [("move", *map(str, each)) for each in itertools.permutations(ARMS, 2)]
    assert list(taken) == [*(("adapter", str(arm)) for arm in ARMS), *ways]


def test_every_figure_has_a_definition_and_every_count_its_evidence(taken):
    known = {each.name for each in migration.MEASURE.figures}
    for what, each in taken.items():
        assert each.figures.keys() <= known, what
    for arm in TOOLS:
        each = taken["adapter", arm]
        assert len(each.texts["api_names"].split(", ")) == each.figures["api_names"]
        counted = each.texts["server_config_files"].split(", ")
        assert sum(int(file.split(": ")[1]) for file in counted) == each.figures["server_config_lines"] > 0
        assert each.figures["packages"] > 0
        assert ("env_mb" in each.figures) is ("not measured" not in each.texts["env_mb"])


def test_the_core_knows_no_tool(taken):
    assert [taken["adapter", arm].figures["core_lines"] for arm in TOOLS] == [0, 0, 0]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(ARMS, 2)))
def test_there_and_back_is_the_same_seen_from_both_ends(taken, one, other):
    there, back = taken["move", one, other].figures, taken["move", other, one].figures
    assert there["kept_lines"] == back["kept_lines"] > 0
    assert there["removed_lines"] == back["added_lines"]
    assert there["added_lines"] == back["removed_lines"]
    assert there["files_go"] == back["files_come"]
    assert there["files_come"] == back["files_go"]
    assert there["removed_lines"] + there["kept_lines"] == results.lines_of_code(ADAPTER[one])


def test_one_arm_alone_has_no_way():
    groups = migration.groups(catalog.Asked("quick", [ArmName.AIRFLOW]))
    assert [case.labels for group in groups for case in group.cases] == [{"work": "adapter", "tool": "airflow"}]


def test_without_an_environment_the_rest_is_counted_and_the_command_told(monkeypatch):
    monkeypatch.setattr(migration.environments, "is_ready", lambda environment: False)
    found = migration._arm(ArmName.PREFECT, None, print)
    assert "env_mb" not in found.figures
    assert "./bakeoff setup prefect" in found.texts["env_mb"]
    assert found.figures["packages"] > 0


PLANTED = {
    "import airflow": [1],
    "from airflow.sdk import task": [1],
    "x = 1\nkind = 'Airflow'": [2],
    'x = """one\ntwo airflow\n"""': [2],
    "AIRFLOW_HOME = 1": [1],
    '"""As airflow does."""\n# airflow': [],
    'def f():\n    """airflow"""\n    return 1': [],
    'f(orchestrator="plain")': [],
    "if orchestrator == 'x':\n    pass": [1],
    "y = 1 if window.orchestrator else 2": [1],
    "match run.orchestrator:\n    case _: pass": [1],
    "tags = {'orchestrator': orchestrator}": [],
}


@pytest.mark.parametrize("source", PLANTED)
def test_a_core_that_knows_a_tool_is_found(source, tmp_path):
    file = tmp_path / "steps.py"
    file.write_text(source)
    assert core.lines([file], "airflow", tmp_path) == [f"steps.py:{number}" for number in PLANTED[source]]


def test_an_import_planted_in_the_real_core_is_found(tmp_path):
    copy = tmp_path / "steps.py"
    shutil.copyfile(ROOT / "shared" / "steps.py", copy)
    assert core.lines([copy], "kubeflow", tmp_path) == []
    copy.write_text(copy.read_text() + "\nfrom kfp import dsl\n")
    assert core.lines([copy], "kubeflow", tmp_path) == [f"steps.py:{len(copy.read_text().splitlines())}"]


def test_lines_of_settings(tmp_path):
    (tmp_path / "a.yaml").write_text("# why\na: 1\n\n  # and\nb:  # this\n  - c\n")
    (tmp_path / "p.toml").write_text(
        '[tool.x]\na = 1\n# no\n[tool.x.y]\nb = 2\n\n[tool.xy]\nc = 3\n[[tool.x]]\nd = "#"\n'
    )
    (tmp_path / "Dockerfile").write_text("FROM base AS build\nRUN a \\\n  && b\nFROM build AS build-x\nRUN c\n")
    assert settings.lines(Setting("a.yaml"), tmp_path) == ["a: 1", "b:  # this", "- c"]
    table = settings.lines(Setting("p.toml", "tool.x"), tmp_path)
    assert table == ["[tool.x]", "a = 1", "[tool.x.y]", "b = 2", "[[tool.x]]", 'd = "#"']
    assert settings.lines(Setting("Dockerfile", "build"), tmp_path) == ["FROM base AS build", "RUN a \\", "&& b"]
    for gone in (Setting("b.yaml"), Setting("p.toml", "tool.z"), Setting("Dockerfile", "none")):
        with pytest.raises(LookupError):
            settings.lines(gone, tmp_path)


def test_every_file_of_settings_is_counted_or_left_out_with_a_reason():
    counted = {each.path for of in SETTINGS.values() for each in (*of.adapter, *of.servers)}
    there = {
        file.relative_to(ROOT).as_posix()
        for folder in settings.FOLDERS
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and not (folder.endswith("_impl") and file.suffix == ".py")
        if "__pycache__" not in file.parts and file.name != ".env"
    }
    assert not counted & settings.LEFT_OUT.keys()
    assert there == {*counted, *settings.LEFT_OUT} - {"pyproject.toml"}


def test_what_a_tool_adds_is_in_its_lock_alone(tmp_path, monkeypatch):
    (tmp_path / "core.txt").write_text("numpy==2.0 \\\n    --hash=sha256:00\nPy.Arrow==1 \\\n    --hash=sha256:00\n")
    (tmp_path / "tool.txt").write_text(
        "numpy==1.0 \\\n    --hash=sha256:00\npy-arrow[x]==2\ntool==3\nlinked_in==1 ; python_full_version >= '3'\n"
        "never==1 ; sys_platform == 'none' \\\n    --hash=sha256:00\n"
    )
    assert weight.locked("tool", tmp_path) == {"numpy", "py-arrow", "tool", "linked-in"}
    monkeypatch.setattr(weight, "locked", lambda lock, of=weight.locked: of(lock, tmp_path))
    assert weight.added("tool") == {"tool", "linked-in"}


def test_megabytes_are_those_of_the_packages_and_their_bytecode(tmp_path, monkeypatch):
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    made = {"big_one/__init__.py": 1000, "big_one-1.dist-info/METADATA": None, "other/__init__.py": 5000}
    for name, size in made.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("Name: big_one\nVersion: 1\n" if size is None else "#" * size)
    (site / "big_one-1.dist-info" / "RECORD").write_text(
        "big_one/__init__.py,,\nbig_one-1.dist-info/METADATA,,\ngone,,\n"
    )
    monkeypatch.setattr(weight, "VENVS", tmp_path)
    before = weight.megabytes("env", ["big-one"])
    assert before == pytest.approx((1000 + len("Name: big_one\nVersion: 1\n")) / 1e6)
    compiled = weight.Path(weight.importlib.util.cache_from_source(str(site / "big_one" / "__init__.py")))
    compiled.parent.mkdir()
    compiled.write_bytes(b"0" * 300)
    assert weight.megabytes("env", ["big-one"]) - before == pytest.approx(300 / 1e6)
    for missing in ("big-two", "other"):
        with pytest.raises(LookupError, match=missing):
            weight.megabytes("env", [missing])
