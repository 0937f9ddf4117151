"""One promotion at a time, whoever runs it and wherever: a lock that is kept in the registry itself.

MLflow has no compare-and-set, but the names of registered models are unique in its database, on SQLite as on a server
with Postgres. So who creates the model `<name>-lock` holds the lock, and deleting it gives it back; it is there for the
second or two of a promotion.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from shared.errors import TrackingError

log = logging.getLogger(__name__)

#: Seconds that a lock may be held before its holder is taken for dead (killed in the middle of a promotion).
STALE_S = 60.0
#: Seconds that others wait for it: longer, so that a dead holder stops nobody.
PATIENCE_S = 90.0
_POLL_S = 0.1


@contextmanager
def hold(client: MlflowClient, model_name: str) -> Iterator[Callable[[], None]]:
    """Hold the lock of a registered model.

    Yields:
        A check to make right before the move that must not happen twice: it raises when the lock has been lost.

    Raises:
        TrackingError: somebody else holds it, for longer than one waits.
    """
    name, owner = f"{model_name}-lock", uuid.uuid4().hex
    deadline = time.monotonic() + PATIENCE_S
    while not _take(client, name, owner):
        if time.monotonic() > deadline:
            raise TrackingError(
                f"another retraining has been promoting for more than {PATIENCE_S:.0f} s",
                where=f"registered model {name}",
                fix="run again; if nothing else runs, delete that registered model in MLflow",
            )
        time.sleep(_POLL_S * (0.5 + random.random()))  # not in step with others who wait

    def still_ours() -> None:
        if _owner(client, name) != owner:
            raise TrackingError(
                f"the lock was lost: this promotion took more than {STALE_S:.0f} s and another has begun",
                where=f"registered model {name}",
                fix="run again",
            )

    try:
        yield still_ours
    finally:
        if _owner(client, name) == owner:
            client.delete_registered_model(name)


def _take(client: MlflowClient, name: str, owner: str) -> bool:
    try:
        client.create_registered_model(name, tags={"owner": owner}, description="Held while a champion is promoted.")
    except MlflowException as error:
        # MLflow looks at the one that is in the way, which may have gone again by then.
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            raise
        _break_if_stale(client, name)
        return False
    return True


def _owner(client: MlflowClient, name: str) -> str | None:
    try:
        return str(client.get_registered_model(name).tags.get("owner"))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _break_if_stale(client: MlflowClient, name: str) -> None:
    try:
        held = client.get_registered_model(name)
        if time.time() - held.creation_timestamp / 1000 < STALE_S:
            return
        # Renamed before it is deleted: another may have found it stale too, and have taken it in the meantime.
        aside = f"{name}-{uuid.uuid4().hex}"
        client.rename_registered_model(name, aside)
        if _owner(client, aside) != held.tags.get("owner"):
            client.rename_registered_model(aside, name)
            return
        log.warning("a promotion was cut off more than %.0f s ago: its lock is removed", STALE_S)
        client.delete_registered_model(aside)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"):
            raise
