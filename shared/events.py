"""The event stream: what each step is doing, one JSON object a line, for whoever listens. It never stops a step."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


#: The listener of steps that are not told of one.
LISTENER = "BAKEOFF_EVENTS"


def tell(listener: Path | str | None, **event: Any) -> None:
    """Append an event, stamped with the time (seconds since 1970), in one write: processes may share the file."""
    listener = listener or os.environ.get(LISTENER)
    if not listener:
        return
    try:
        with Path(listener).open("a") as stream:
            stream.write(json.dumps({"time": time.time(), **event}) + "\n")
    except OSError as error:
        log.warning("no event written to %s: %s", listener, error)


def read(listener: Path, skip: int = 0) -> list[dict[str, Any]]:
    """The whole events after the first `skip`, oldest first; a line that is still being written is left for later."""
    if not listener.exists():
        return []
    lines = listener.read_text().splitlines(keepends=True)[skip:]
    return [json.loads(line) for line in lines if line.endswith("\n")]
