"""The contract between the harness and an adapter that runs as one process: requests in, events and an exit code out.

The request is a JSON file with a list of configs (`RetrainConfig`), which are run in order. Each run tells its start
and end in its config's event stream. The outcome is not passed back: it is in MLflow, where it is for every arm.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shared import events
from shared.config import RetrainConfig, parse_config
from shared.errors import BakeoffError

#: Set by a harness that holds the process's standard input open for as long as it lives.
STOP_WITH_STDIN = "BAKEOFF_STOP_WITH_STDIN"


def serve(retrain: Callable[[RetrainConfig], object]) -> None:
    """Run the retrainings of the request file named on the command line; end the process with 0, 1 or 130.

    Args:
        retrain: the adapter's way to run one; it raises when the run fails.
    """
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("shared").setLevel(os.environ.get("BAKEOFF_LOG_LEVEL", "INFO"))
    signal.signal(signal.SIGTERM, _interrupt)  # a stop from outside cleans up as Ctrl-C does
    if os.environ.get(STOP_WITH_STDIN):
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        for request in json.loads(Path(sys.argv[1]).read_text()):
            config = parse_config(request)
            start = time.perf_counter()
            events.tell(config.events, step="retrain", label=config.month, state="started")
            retrain(config)
            seconds = time.perf_counter() - start
            events.tell(config.events, step="retrain", label=config.month, state="finished", seconds=seconds)
    except BakeoffError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_stdin() -> None:
    """End when whoever holds the other end of standard input is gone, even if it was killed and could tell nobody."""
    # Not by sys.stdin: a thread that waits inside its buffer holds a lock that Python's own end cannot get, and aborts.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
