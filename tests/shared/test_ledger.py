from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ledger, registry, tracking
from shared.errors import RegistryError
from shared.ledger import Entry


@pytest.fixture
def model(make_config):
    """A registered model without a log, and a client of its registry."""
    config = make_config()
    client = tracking.connect(config)
    client.create_registered_model(config.model_name)
    return client, config.model_name


def add(model, event="rejected", **fields):
    return ledger.append(*model, event, "because", **fields)


def test_entries_are_numbered_and_read_in_order(model):
    written = [add(model, "promoted", champion=1), add(model), add(model, "promoted", champion=2, former=1)]
    assert ledger.read(*model) == written
    assert [entry.number for entry in written] == [1, 2, 3]
    assert ledger.champions(written) == [1, 2]


def test_a_model_that_is_not_there_has_an_empty_log(model):
    assert ledger.read(model[0], "nothing") == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_changed_entry_is_told_and_set_aside_by_a_repair(model, number):
    for _ in range(3):
        add(model)
    client, name = model
    key = f"log.{number:04d}"
    text = client.get_registered_model(name).tags[key]
    client.set_registered_model_tag(name, key, text.replace("because", "for no reason"))
    with pytest.raises(RegistryError, match=rf"damaged at entry {number} \(changed\)"):
        ledger.read(*model)
    with pytest.raises(RegistryError, match="damaged"):
        add(model)
    mark = ledger.repair(*model)
    assert (mark.number, mark.event, list(mark.damaged)) == (4, "repaired", [number])
    assert [entry.number for entry in ledger.read(*model)] == [each for each in (1, 2, 3, 4) if each != number]
    assert add(model).number == 5
    # What was damaged is still there, and damaging it once more is told once more.
    assert "for no reason" in client.get_registered_model(name).tags[key]
    client.set_registered_model_tag(name, key, "something else")
    with pytest.raises(RegistryError, match=f"entry {number}"):
        ledger.read(*model)


@pytest.mark.parametrize("number", [1, 2])
def test_a_removed_entry_is_told_the_last_one_too(model, number):
    add(model)
    add(model)
    model[0].delete_registered_model_tag(model[1], f"log.{number:04d}")
    with pytest.raises(RegistryError, match=rf"damaged at entry {number} \(missing\)"):
        ledger.read(*model)
    ledger.repair(*model)
    assert len(ledger.read(*model)) == 2


def test_a_sound_log_needs_no_repair(model):
    add(model)
    assert ledger.repair(*model) is None
    assert len(ledger.read(*model)) == 1


def test_an_entry_of_a_release_that_knows_more_is_sound(model):
    add(model)
    content = {**ledger.read(*model)[0].model_dump(mode="json"), "number": 2, "weather": "fine"}
    text = json.dumps({**content, "digest": ledger._seal(content)})
    model[0].set_registered_model_tag(model[1], "log.0002", text)
    assert [entry.number for entry in ledger.read(*model)] == [1, 2]


def test_an_entry_that_is_no_json_is_told(model):
    add(model)
    model[0].set_registered_model_tag(model[1], "log.0001", "scribble")
    with pytest.raises(RegistryError, match="damaged at entry 1"):
        ledger.read(*model)


@given(st.lists(st.sampled_from(["promote", "roll back", "reject"]), max_size=30))
def test_the_champions_are_a_stack(moves):
    entries: list[Entry] = []
    stack: list[int] = []
    version = 0
    for move in moves:
        former = stack[-1] if stack else None
        if move == "promote":
            version += 1
            stack.append(version)
            entry = Entry(number=1, time="", event="promoted", reason="", champion=version, former=former)
        elif move == "roll back" and len(stack) > 1:
            stack.pop()
            entry = Entry(number=1, time="", event="rolled back", reason="", champion=stack[-1], former=former)
        else:
            entry = Entry(number=1, time="", event="rejected", reason="", champion=former, former=former)
        entries.append(entry)
        assert ledger.champions(entries) == stack


def test_a_damaged_log_stops_a_retraining_and_leaves_the_champion(make_config):
    from shared.pipeline import retrain

    retrain(make_config("2013-03"), "run-1")
    config = make_config("2013-04", gate={"min_auc_gain": -1})
    client = tracking.connect(config)
    client.set_registered_model_tag(config.model_name, "log.0001", "{}")
    with pytest.raises(RegistryError, match="history --repair"):
        retrain(config, "run-2")
    assert registry.champion(config) == 1
    registry.repair_log(config)
    assert retrain(config, "run-2").promote  # the same run goes on where it was
    assert registry.champion(config) == 2
