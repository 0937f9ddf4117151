"""`bakeoff data scale`: any number of flights, in a folder that is a DVC repository of its own."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.places import ROOT, STATE
from shared.datasets.flights import DATASET
from shared.errors import StorageError
from shared.files import make_folder

#: Says what a folder holds, and whether it was finished.
_NOTE = "scale.json"
_METHOD = 1  # raise it when the generator makes other rows


def folder_of(rows: int) -> Path:
    """Where that many rows go by default."""
    return STATE / "scale" / str(rows)


def settings(rows: int, folder: Path) -> dict[str, Any]:
    """The settings of a `RetrainConfig` that retrains on such a folder: where it is, and how large a month may be."""
    return {"data_repo": str(folder), "contract": {"min_rows": rows // 24, "max_rows": rows // 6}}


def make(rows: int, seed: int, out: Path, tell: Callable[[str, int], None]) -> bool:
    """Make the flights and give them a version; what is there and finished costs nothing.

    Args:
        rows: how many flights altogether.
        seed: of the bootstrap.
        out: folder to fill; what an interrupted call has left there is replaced.
        tell: called with each month and its number of rows.

    Returns:
        Whether there was anything to do.

    Raises:
        ConfigError: the number of rows makes no sense.
        StorageError: the folder holds something else, or cannot be written.
    """
    from shared.datasets.flights import scale

    scale.check_rows(rows)
    wanted = {"dataset": DATASET.name, "method": _METHOD, "rows": rows, "seed": seed}
    note = out / _NOTE
    if note.exists() and json.loads(note.read_text()) == {**wanted, "finished": True}:
        return False
    if out.exists() and not note.exists() and (out.is_file() or any(out.iterdir())):
        raise StorageError(
            "the folder holds something else than scaled flights",
            where=str(out),
            fix="choose an empty one with --out",
        )
    _empty(out)
    note.write_text(json.dumps({**wanted, "finished": False}))
    folder = make_folder(out / DATASET.folder)
    for month, count in scale.write(rows, seed, ROOT / DATASET.folder, folder):
        tell(month, count)
    _track(out)
    note.write_text(json.dumps({**wanted, "finished": True}))
    return True


def _empty(out: Path) -> None:
    """Remove what an earlier call made, and nothing that a person may have put beside it."""
    make_folder(out)
    (out / _NOTE).unlink(missing_ok=True)
    for name in (".dvc", DATASET.folder.split("/")[0]):
        shutil.rmtree(out / name, ignore_errors=True)


def _track(out: Path) -> None:
    from dvc.repo import Repo

    logging.getLogger("dvc.repo.init").setLevel(logging.WARNING)  # it says on standard output that it has made one
    repo = Repo.init(str(out), no_scm=True, force=True)
    try:
        repo.add(str(out / DATASET.folder))
    finally:
        repo.close()
