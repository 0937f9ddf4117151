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
from contextlib import contextmanager, suppress

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from shared.errors import TrackingError

log = logging.getLogger(__name__)

#: Seconds that one waits on the same holder before it is taken for dead (killed in the middle of a promotion). By the
#: waiter's own clock: the server's may differ.
STALE_S = 60.0
#: Seconds that one waits in all.
PATIENCE_S = 180.0
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
    start = time.monotonic()
    holder, since = None, start
    while not _take(client, name, owner):
        now, present = time.monotonic(), _owner(client, name)
        if present != holder:
            holder, since = present, now
        elif holder is not None and now - since > STALE_S:
            _break(client, name, holder)
        if now - start > PATIENCE_S:
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
        return _owner(client, name) == owner  # a lost answer makes the client ask again for what it has been given
    return True


def _owner(client: MlflowClient, name: str) -> str | None:
    try:
        return str(client.get_registered_model(name).tags.get("owner"))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _break(client: MlflowClient, name: str, holder: str) -> None:
    """Remove a dead holder's lock. Were one taken in this very moment, its holder would find out before its move."""
    if _owner(client, name) != holder:
        return
    log.warning("a promotion was cut off more than %.0f s ago: its lock is removed", STALE_S)
    with suppress(MlflowException):  # another waiter was faster
        client.delete_registered_model(name)
