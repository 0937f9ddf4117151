from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from benchmarks import dataset
from benchmarks.places import ROOT
from shared import datasets
from shared.errors import DataError


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the data and of what DVC knows of them."""
    for name in ("dvc.lock", *(datasets.get(name).folder for name in datasets.names()), ".dvc/cache"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, target)
    monkeypatch.setattr(dataset, "ROOT", tmp_path)
    return tmp_path


def test_the_built_data_are_the_committed_version(checkout):
    versions = dataset.check()
    assert set(versions) == set(datasets.names())
    assert all(version in (ROOT / "dvc.lock").read_text() for version in versions.values())
    assert len(dataset.recorded_files(versions["flights"])) == 12


def test_a_changed_byte_is_told(checkout):
    path = checkout / "data/flights/2013-07.parquet"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"2013-07\.parquet \(changed\)"):
        dataset.ensure()


def test_a_missing_month_is_told(checkout):
    (checkout / "data/flights/2013-09.parquet").unlink()
    with pytest.raises(DataError, match=r"2013-09\.parquet \(missing\)"):
        dataset.check()


def test_an_empty_cache_is_told(checkout):
    shutil.rmtree(checkout / ".dvc/cache")
    with pytest.raises(DataError, match="cache does not hold version"):
        dataset.check()


def test_a_data_set_without_a_version_is_told(checkout):
    lock = checkout / "dvc.lock"
    lock.write_text(lock.read_text().replace("data/rain", "data/elsewhere"))
    with pytest.raises(DataError, match=r"no version is recorded of rain \(data/rain\).*stage in dvc\.yaml"):
        dataset.check()


@pytest.fixture
def repro(checkout, monkeypatch):
    """Let `dvc repro` write a lock of our choice, and let nothing be installed."""

    def write(lock: str) -> None:
        def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
            (checkout / "dvc.lock").write_text(lock)
            return subprocess.CompletedProcess([], 0)

        monkeypatch.setattr(dataset.subprocess, "run", run)
        monkeypatch.setattr(dataset.environments, "ensure_data_packages", lambda: None)

    return write


def test_a_build_that_gives_other_bytes_is_refused_and_the_version_kept(checkout, repro):
    committed = (checkout / "dvc.lock").read_text()
    repro(committed.replace(dataset.check()["rain"], "0" * 32 + ".dir"))
    with pytest.raises(DataError, match="not, byte for byte, the committed version"):
        dataset.build()
    assert (checkout / "dvc.lock").read_text() == committed


def test_a_new_data_set_gets_its_first_version_by_a_build(checkout, repro):
    lock = checkout / "dvc.lock"
    whole = lock.read_text()
    before = yaml.safe_load(whole)
    del before["stages"]["rain"]
    lock.write_text(yaml.safe_dump(before))
    repro(whole)
    dataset.build()
    assert lock.read_text() == whole
    assert dataset.check()["rain"]
