"""A person's consent to a promotion, for tools that cannot ask a person themselves: a tag of the MLflow run."""

from __future__ import annotations

import logging
import time

from shared.config import Record, StoreConfig
from shared.errors import ConfigError
from shared.records import Window
from shared.tracking import connect, explained

log = logging.getLogger(__name__)

TAG = "bakeoff.approval"
#: Who refuses when nobody answers.
NOBODY = "nobody in time"


class Answer(Record):
    """What was said, and by whom."""

    approve: bool
    by: str


def wait(window: Window, timeout_s: float, every_s: float = 5.0) -> Answer:
    """Wait until somebody answers on the retraining's MLflow run (`answer`); silence is a refusal.

    Raises:
        TrackingError
    """
    deadline = time.monotonic() + timeout_s
    log.info("waiting for an answer: `./bakeoff approve %s`, or set the tag %s", window.run_id, TAG)
    while True:
        if told := _told(window):
            word, _, name = told.partition(" ")
            return Answer(approve=word == "approve", by=name or "somebody")
        if time.monotonic() > deadline:
            return Answer(approve=False, by=NOBODY)
        time.sleep(every_s)


@explained
def _told(window: Window) -> str:
    return str(connect(window.config).get_run(window.run_id).data.tags.get(TAG, ""))


@explained
def answer(config: StoreConfig, run_id: str, by: str, *, approve: bool) -> None:
    """Answer for a retraining that waits.

    Raises:
        RegistryError: there is no such run.
        ConfigError: it has ended, or nobody is named.
        TrackingError
    """
    client = connect(config)
    run = client.get_run(run_id)
    if not by.strip():
        raise ConfigError("an answer needs a name", where="--by", fix="say who answers")
    if run.info.status != "RUNNING":
        raise ConfigError(f"the run has ended ({run.info.status})", where=f"MLflow run {run_id}", fix="retrain again")
    client.set_tag(run_id, TAG, f"{'approve' if approve else 'refuse'} {by.strip()}")
