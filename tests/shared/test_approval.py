from __future__ import annotations

import threading

import pytest

from shared import approval, promotion, registry, steps, tracking
from shared.errors import ConfigError, RegistryError


@pytest.fixture
def judged(make_config):
    """A retraining that has come as far as a verdict to promote."""
    window = steps.validate(steps.ingest(make_config("2013-03"), "plain", "run-1"))
    return window, steps.evaluate(window, steps.train(window, window.candidates[0]))


def test_an_answer_is_heard_while_it_is_waited_for(judged):
    window, _ = judged
    later = threading.Timer(0.5, approval.answer, (window.config, window.run_id, "Ann"), {"approve": True})
    later.start()
    assert approval.wait(window, timeout_s=30, every_s=0.1) == approval.Answer(approve=True, by="Ann")
    later.join()


def test_a_refusal_and_silence_are_no_consent(judged):
    window, _ = judged
    assert approval.wait(window, timeout_s=0) == approval.Answer(approve=False, by=approval.NOBODY)
    approval.answer(window.config, window.run_id, "Ann", approve=False)
    assert approval.wait(window, timeout_s=0) == approval.Answer(approve=False, by="Ann")


def test_an_answer_needs_a_name_and_a_run_that_waits(judged):
    window, verdict = judged
    with pytest.raises(ConfigError, match="name"):
        approval.answer(window.config, window.run_id, " ", approve=True)
    steps.refuse(window, verdict, "Ann")
    with pytest.raises(ConfigError, match="has ended"):
        approval.answer(window.config, window.run_id, "Bob", approve=True)


def test_a_refusal_ends_the_retraining_and_leaves_the_champion(judged):
    window, verdict = judged
    config = window.config
    outcome = steps.refuse(window, verdict, "Ann")
    assert (outcome.promoted, outcome.version) == (False, None)
    assert outcome.reason.startswith("refused by Ann; the gate had said: ")
    assert steps.refuse(window, verdict, "Ann") == outcome == registry.outcome(config)
    assert registry.champion(config) is None
    [entry] = registry.promotion_log(config)
    assert (entry.event, entry.champion, entry.reason) == ("refused", None, outcome.reason)
    assert tracking.connect(config).get_run(window.run_id).info.status == "FINISHED"


def test_what_was_refused_is_not_promoted_and_the_reverse(judged, make_config):
    window, verdict = judged
    steps.refuse(window, verdict, "Ann")
    with pytest.raises(RegistryError, match="was refused"):
        promotion.promote(window, verdict)
    assert registry.champion(window.config) is None
    other = steps.validate(steps.ingest(make_config("2013-03", request_id="other"), "plain", "run-2"))
    passed = steps.evaluate(other, steps.train(other, other.candidates[0]))
    promotion.promote(other, passed)
    with pytest.raises(RegistryError, match="too late"):
        steps.refuse(other, passed, "Bob")
    assert registry.champion(other.config) == 1
