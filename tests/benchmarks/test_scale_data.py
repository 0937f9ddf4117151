from __future__ import annotations

import json

import pandas as pd
import pytest

from benchmarks import scale_data
from shared import data
from shared.config import parse_config
from shared.datasets.flights import DATASET as FLIGHTS
from shared.errors import ConfigError, StorageError

ROWS = 200_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("scale") / "rows"
    assert scale_data.make(ROWS, 0, out, lambda month, count: None)
    return out


def test_a_retraining_ingests_the_folder_by_data_version(folder, tmp_path):
    config = parse_config({"month": "2013-03", "state": tmp_path / "state", **scale_data.settings(ROWS, folder)})
    version, files, revision = data.fetch_window(config, tmp_path / "in")
    assert version.endswith(".dir")
    assert set(files) == {"2013-01", "2013-02", "2013-03"}
    assert revision == "unknown"  # the folder is in no version control


def test_what_is_finished_is_left_alone(folder):
    before = (folder / FLIGHTS.path("2013-01")).stat().st_mtime_ns
    assert not scale_data.make(ROWS, 0, folder, lambda month, count: pytest.fail("made again"))
    assert (folder / FLIGHTS.path("2013-01")).stat().st_mtime_ns == before


def test_what_was_interrupted_is_made_anew(folder):
    note = json.loads((folder / "scale.json").read_text())
    (folder / "scale.json").write_text(json.dumps({**note, "finished": False}))
    (folder / FLIGHTS.path("2013-07")).unlink()
    assert scale_data.make(ROWS, 0, folder, lambda month, count: None)
    assert sum(len(pd.read_parquet(folder / FLIGHTS.path(month))) for month in FLIGHTS.windows) == ROWS


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="holds something else"):
        scale_data.make(ROWS, 0, tmp_path, lambda month, count: None)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_nonsense_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError):
        scale_data.make(10, 0, tmp_path / "new", lambda month, count: None)
    assert not (tmp_path / "new").exists()
