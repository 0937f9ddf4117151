from __future__ import annotations

import multiprocessing
import time

import pytest

from shared import lock, tracking
from shared.errors import TrackingError


@pytest.fixture
def client(make_config):
    return tracking.connect(make_config())


def locks(client):
    return [model.name for model in client.search_registered_models() if "-lock" in model.name]


def test_the_lock_is_given_back_even_after_a_failure(client):
    def fails():
        with lock.hold(client, "model") as still_ours:
            still_ours()
            assert locks(client) == ["model-lock"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert locks(client) == []


def test_who_waits_too_long_is_told(client, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE_S", 0.3)
    with lock.hold(client, "model"):
        with (
            pytest.raises(TrackingError, match="another retraining has been promoting") as caught,
            lock.hold(client, "model"),
        ):
            pytest.fail("two hold the lock")
        assert caught.value.transient
        with lock.hold(client, "another model"):
            pass  # nobody waits for a promotion of another model


def test_a_lock_whose_holder_has_died_is_broken_and_its_holder_told(client, monkeypatch):
    monkeypatch.setattr(lock, "STALE_S", 0.5)
    with lock.hold(client, "model") as first_still_ours:
        time.sleep(0.6)
        with lock.hold(client, "model") as second_still_ours:
            second_still_ours()
            with pytest.raises(TrackingError, match="the lock was lost"):
                first_still_ours()
    assert locks(client) == []


def _count(config, path, times):
    for _ in range(times):
        with lock.hold(tracking.connect(config), "model"):
            number = int(path.read_text())
            time.sleep(0.01)
            path.write_text(str(number + 1))


def test_processes_take_turns(make_config, tmp_path):
    path = tmp_path / "number"
    path.write_text("0")
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_count, args=(make_config(), path, 5)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text() == "15"
