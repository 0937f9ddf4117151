"""The data registry, built from the real data and read as a container reads it: from the volume's files alone."""

import json
import tarfile

import pytest
import yaml
from dvc.api import DVCFileSystem

from benchmarks import dataset
from benchmarks.stacks import registry
from shared import datasets
from shared.datasets.flights import DATASET as FLIGHTS


class Volume:
    """A folder in place of the volume; the one-off container's `tar` is run here."""

    def __init__(self, folder):
        self.folder = folder

    def run_one_off(self, service, *command, stdin):
        assert (service, command[0]) == ("data", "tar")
        with tarfile.open(stdin) as tar:
            tar.extractall(self.folder, filter="fully_trusted")


@pytest.fixture
def published(tmp_path):
    return registry.publish(Volume(tmp_path / "volume"), tmp_path / "built"), tmp_path


def test_a_published_version_is_read_from_the_volume_alone(published):
    commit, folder = published
    (folder / "built").rename(folder / "gone")
    volume = DVCFileSystem(str(folder / "volume" / "registry"), rev=commit)
    for name, version in dataset.check().items():
        assert volume.info(datasets.get(name).folder)["dvc_info"]["md5"] == version
    volume.get_file(FLIGHTS.path("2013-03"), str(folder / "march"))
    assert (folder / "march").read_bytes() == (registry.ROOT / FLIGHTS.path("2013-03")).read_bytes()


def test_nothing_of_this_machine_is_published(published):
    _, folder = published
    assert (folder / "built" / "registry" / ".dvc" / "config.local").exists()
    texts = [path.read_bytes() for path in (folder / "volume" / "registry").rglob("*") if path.is_file()]
    assert not any(str(registry.ROOT).encode() in text for text in texts)
    assert not (folder / "volume" / "registry" / ".dvc" / "config.local").exists()


def test_the_same_data_are_the_same_commit_and_earlier_ones_stay_readable(tmp_path):
    first = registry.build(tmp_path)
    assert registry.build(tmp_path) == first == registry.build(tmp_path / "another")
    pointer = tmp_path / "registry" / f"{FLIGHTS.folder}.dvc"
    known = yaml.safe_load(pointer.read_text())["outs"][0]["md5"]
    pointer.write_text("outs: []\n")  # an earlier state of the registry
    registry._run(tmp_path / "registry", "git", "-c", "user.name=t", "-c", "user.email=t", "commit", "-qam", "none")
    later = registry.build(tmp_path)
    assert later != first
    old = DVCFileSystem(str(tmp_path / "registry"), rev=first)
    assert old.info(FLIGHTS.folder)["dvc_info"]["md5"] == known


def test_a_month_that_lands_is_a_version_that_ends_with_it(tmp_path):
    volume = Volume(tmp_path / "volume")
    notice = registry.land(volume, "flights", "2013-03", {"model_name": "of-a-test"}, tmp_path / "built")
    again = registry.land(volume, "flights", "2013-03", {"model_name": "of-a-test"}, tmp_path / "built")
    assert notice == again == json.loads((tmp_path / "volume" / "arrivals" / "2013-03.json").read_text())
    assert (notice["month"], notice["settings"]) == ("2013-03", {"model_name": "of-a-test"})
    (tmp_path / "built").rename(tmp_path / "gone")
    landed = DVCFileSystem(str(tmp_path / "volume" / "registry"), rev=notice["data_rev"])
    months = sorted(each.rsplit("/")[-1] for each in landed.ls(FLIGHTS.folder, detail=False))
    assert months == ["2013-01.parquet", "2013-02.parquet", "2013-03.parquet"]
    landed.get_file(FLIGHTS.path("2013-03"), str(tmp_path / "march"))
    assert (tmp_path / "march").read_bytes() == (registry.ROOT / FLIGHTS.path("2013-03")).read_bytes()


def test_what_lands_leaves_the_whole_data_as_they_were(tmp_path):
    volume = Volume(tmp_path / "volume")
    whole = registry.publish(volume, tmp_path / "built")
    registry.land(volume, "flights", "2013-02", {}, tmp_path / "built")
    assert registry.commit(tmp_path / "built") == whole == registry.publish(volume, tmp_path / "built")
    latest = DVCFileSystem(str(tmp_path / "volume" / "registry"))
    assert len(latest.ls(FLIGHTS.folder, detail=False)) == 12
