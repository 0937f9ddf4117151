"""The machine's own browser, for pictures of the tools' pages and for the tests of ours."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from shared.errors import StorageError

#: Names under which Linux knows the browser, and macOS's place for it.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
#: No sandbox: in a container root has none. The rest keeps the browser from calling home.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
]


def browser() -> Path:
    """The machine's own browser: none is downloaded.

    Raises:
        StorageError: there is none.
    """
    found = [Path(path) for name in BROWSERS if (path := shutil.which(name))]
    found += [path for path in MAC if os.access(path, os.X_OK)]
    if not found:
        raise StorageError(
            "there is no Chromium and no Chrome on this machine",
            where="PATH",
            fix="install one: `apt-get install chromium`, `dnf install chromium`, or on macOS `brew install --cask "
            "chromium`",
        )
    return found[0]
