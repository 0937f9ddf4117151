from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.measures.catalog import Where
from benchmarks.measures.debug import inject
from benchmarks.measures.debug.catalogue import Edit
from benchmarks.measures.debug.ledger import Broken, EndProcess, Ledger, Remove, Restore
from benchmarks.measures.debug.place import Place, begin
from benchmarks.places import ArmName
from shared.errors import StorageError

LINES = st.lists(st.sampled_from(["a = 1", "b = 2", "    c = 3", "", "ü = 4"]), max_size=5)


class Killed(BaseException):
    """As a kill ends a command: nothing after it is done."""


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def place_of(folder: Path) -> Place:
    return Place(ArmName.PLAIN, Where.EMBEDDED, folder / "scratch", checkout=folder / "code")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(before=st.lists(LINES, min_size=1, max_size=3), stop=st.integers(0, 12), mends=st.integers(1, 3))
def test_whatever_was_changed_and_wherever_it_was_killed_mending_gives_the_same_bytes(
    tmp_path, monkeypatch, before, stop, mends
):
    """Break is cut off at any call that changes something; mend is called once or more; the bytes are as they were."""
    for folder in ("code", "scratch"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
    (tmp_path / "code").mkdir()
    edits = []
    for number, lines in enumerate(before):
        text = "\n".join([*lines, "anchor = 0", ""])
        (tmp_path / "code" / f"{number}.py").write_bytes(text.encode())
        edits.append(Edit(file=f"{number}.py", before="anchor = 0", insert="import nothing\n"))
    original = contents(tmp_path / "code")
    ledger = Ledger(tmp_path / "broken.json")
    left = [stop]

    def cut(real):
        def called(*arguments, **more):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(*arguments, **more)

        return called

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", cut(Path.write_text))
        patched.setattr(Path, "write_bytes", cut(Path.write_bytes))
        try:
            inject.edit(begin(place_of(tmp_path), ledger, "a-fault"), tuple(edits))
        except Killed:
            pass
        else:
            assert contents(tmp_path / "code") != original
    for _ in range(mends):
        Ledger(tmp_path / "broken.json").mend_all()
    assert {name: each for name, each in contents(tmp_path / "code").items() if name in original} == original
    assert ledger.read() == []
    assert not (tmp_path / "broken.json").exists()


def test_a_process_is_ended_with_its_family_and_only_if_it_is_still_the_same(tmp_path):
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    process = subprocess.Popen([sys.executable, "-c", code + "print('up', flush=True); time.sleep(60)"], stdout=-1)
    process.stdout.readline()
    created = psutil.Process(process.pid).create_time()
    family = psutil.Process(process.pid).children()
    EndProcess(pid=process.pid, created=created - 100).undo()  # another process that once had this pid
    assert process.poll() is None
    EndProcess(pid=process.pid, created=created).undo()
    process.wait(5)
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family)
    EndProcess(pid=process.pid, created=created).undo()  # once more does nothing
    process.stdout.close()


def test_what_cannot_be_undone_stays_in_the_ledger_and_stops_nothing_else(tmp_path):
    ledger = Ledger(tmp_path / "broken.json")
    (tmp_path / "made").mkdir()
    well = Broken(fault="b", tool=ArmName.PLAIN, where=Where.EMBEDDED, at="", undo=(Remove(path=tmp_path / "made"),))
    gone = Restore(path=tmp_path / "nowhere" / "file", kept=tmp_path / "kept")
    (tmp_path / "kept").write_text("x")
    ill = Broken(fault="a", tool=ArmName.AIRFLOW, where=Where.EMBEDDED, at="", undo=(gone,))
    ledger.put(well)
    ledger.put(ill)
    with pytest.raises(StorageError, match="cannot be undone"):
        ledger.mend_all()
    assert [each.fault for each in ledger.read()] == ["a"]
    assert not (tmp_path / "made").exists()
    (tmp_path / "nowhere").mkdir()
    ledger.mend_all()
    assert (tmp_path / "nowhere" / "file").read_text() == "x"


@pytest.mark.parametrize("text", ["{", "[]", '{"broken": [{"fault": "x"}]}'])
def test_a_damaged_ledger_is_told_and_kept(tmp_path, text):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(StorageError, match="no ledger of faults"):
        Ledger(tmp_path / "broken.json").read()
    assert (tmp_path / "broken.json").read_text() == text


def test_the_ledger_survives_json(tmp_path):
    ledger = Ledger(tmp_path / "broken.json")
    broken = Broken(
        fault="x",
        tool=ArmName.PREFECT,
        where=Where.COMPOSE,
        at="now",
        settings={"gate": {"min_auc_gain": 0.2}},
        env={"A": "b"},
        root=tmp_path,
        undo=(EndProcess(pid=1, created=2.0), Restore(path=tmp_path / "a", kept=tmp_path / "b")),
    )
    ledger.put(broken)
    assert ledger.read() == [broken]
    assert ledger.of(ArmName.PREFECT, Where.COMPOSE) == broken
    assert ledger.of(ArmName.PREFECT, Where.EMBEDDED) is None
    assert json.loads((tmp_path / "broken.json").read_text())["schema_version"] == 1
