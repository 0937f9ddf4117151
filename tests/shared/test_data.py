from __future__ import annotations

import shutil

import pytest
from dvc.repo import Repo

from shared.data import fetch_window, load, load_holdout
from shared.datasets.flights import DATASET as FLIGHTS
from shared.errors import DataError, StorageError
from shared.files import make_folder, read_window


def test_a_window_is_fetched_by_version(make_config, small_repo, tmp_path):
    version, files, revision = fetch_window(make_config("2013-03"), tmp_path / "out")
    assert version.endswith(".dir")
    assert sorted(files) == ["2013-01", "2013-02", "2013-03"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{month}.parquet" for month in files]
    assert revision == "unknown"  # nothing is committed in that repository


def test_new_data_are_a_new_version(make_config, spoil, tmp_path):
    before = fetch_window(make_config(), tmp_path / "out")[0]
    spoil("2013-03", lambda frame: frame.iloc[1:])
    assert fetch_window(make_config(), tmp_path / "out")[0] != before


def test_a_changed_byte_is_noticed(make_config, small_repo, tmp_path):
    path = small_repo / FLIGHTS.path("2013-02")
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(DataError, match="the file of 2013-02 has changed") as caught:
        fetch_window(make_config(), tmp_path / "out")
    assert "data build --force" in caught.value.fix


def test_a_truncated_file_is_noticed(make_config, small_repo, tmp_path):
    path = small_repo / FLIGHTS.path("2013-03")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:5000])
    with pytest.raises(DataError, match="the file of 2013-03 has changed"):
        fetch_window(make_config(), tmp_path / "out")


def test_a_month_that_is_not_tracked_is_told(make_config, tmp_path):
    with pytest.raises(DataError, match="DVC has no data for 2013-01 to 2013-06"):
        fetch_window(make_config("2013-06"), tmp_path / "out")


def test_a_folder_without_dvc_is_told(make_config, tmp_path):
    with pytest.raises(DataError, match="DVC has no data"):
        fetch_window(make_config(data_repo=str(tmp_path)), tmp_path / "out")


def test_an_unreadable_parquet_is_told(tmp_path):
    path = tmp_path / "2013-03.parquet"
    path.write_bytes(b"PAR1 this is not parquet")
    with pytest.raises(DataError, match="not readable as parquet"):
        read_window(path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        make_folder(tmp_path / "file" / "below")


def test_flights_that_never_landed_leave_and_categories_stay(small_repo):
    paths = [small_repo / FLIGHTS.path(month) for month in ("2013-01", "2013-02")]
    features, late = load(FLIGHTS, paths, FLIGHTS.features)
    assert list(features) == list(FLIGHTS.features)
    assert len(features) == len(late) < sum(len(read_window(path)) for path in paths)
    assert set(late) == {0, 1}
    assert all(features[name].dtype == "category" for name in FLIGHTS.categorical)


def test_training_and_gate_read_the_holdout_in_the_same_order(small_repo):
    path = small_repo / FLIGHTS.path("2013-03")
    features, late = load(FLIGHTS, [path], FLIGHTS.features)
    again, late_again, days = load_holdout(FLIGHTS, path, (*FLIGHTS.features, *FLIGHTS.slices))
    assert again.equals(features)
    assert (late == late_again).all()
    assert len(days) == len(late)


def test_an_image_says_which_revision_it_holds(make_config, tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_REVISION", "0123abc")
    assert fetch_window(make_config(), tmp_path / "out")[2] == "0123abc"


def test_the_data_may_come_from_a_remote_that_the_repository_does_not_know(make_config, small_repo, tmp_path):
    remote = tmp_path / "remote"
    repo = Repo(str(small_repo), config={"core": {"remote": "there"}, "remote": {"there": {"url": str(remote)}}})
    repo.push()
    repo.close()
    version, files, _ = fetch_window(make_config(), tmp_path / "out")
    for local in (small_repo / FLIGHTS.folder, small_repo / ".dvc" / "cache"):
        shutil.rmtree(local)
    config = make_config(data_remote=str(remote))
    assert fetch_window(config, tmp_path / "again")[:2] == (version, files)
    with pytest.raises(DataError, match="DVC has no data"):
        fetch_window(make_config(), tmp_path / "out")


def test_a_remote_that_is_not_there_is_told(make_config, small_repo, tmp_path):
    for local in (small_repo / FLIGHTS.folder, small_repo / ".dvc" / "cache"):
        shutil.rmtree(local)
    with pytest.raises(DataError, match="DVC cannot fetch the data: FileNotFoundError"):
        fetch_window(make_config(data_remote=str(tmp_path / "nowhere")), tmp_path / "out")
