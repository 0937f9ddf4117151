"""Ingest: the months of one window, by data version; and how later steps read them."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared import flights
from shared.config import RetrainConfig
from shared.errors import DataError, StorageError

log = logging.getLogger(__name__)


def fetch_window(config: RetrainConfig, out: Path) -> tuple[str, dict[str, str], str]:
    """Copy the months of a window out of DVC's hands and check every byte against the recorded version.

    Args:
        config: names the month, the repository and the revision of the data.
        out: folder to fill; an earlier attempt's files are replaced.

    Returns:
        The version of the whole data set (DVC's checksum), the checksum of each month copied, and the revision of the
        code (git commit, `-dirty` when the work tree differs from it, or `unknown` outside git).

    Raises:
        DataError: a month is not tracked, is missing, or differs from its recorded version.
        StorageError: `out` cannot be written.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    make_folder(out, empty=True)
    months = [*config.train_months, config.month]
    try:
        dvc = DVCFileSystem(config.data_repo, rev=config.data_rev)
        version = str(dvc.info(flights.MONTHS_DIR)["dvc_info"]["md5"])
        files = {month: _fetch_month(dvc, month, out) for month in months}
    except (DvcException, FileNotFoundError, KeyError) as error:
        raise DataError(
            f"DVC has no data for {months[0]} to {months[-1]}: {error}",
            where=f"{config.data_repo}/{flights.MONTHS_DIR}",
            fix="run `./bakeoff data build`",
        ) from error
    except OSError as error:  # such as a full disk
        raise StorageError(
            f"the months cannot be copied: {error.strerror}", where=str(out), fix="free space there, then run again"
        ) from error
    revision = _code_revision(dvc)
    log.info("ingested %d months up to %s, data version %s", len(months), config.month, version)
    return version, files, revision


def _fetch_month(dvc: object, month: str, out: Path) -> str:
    path = flights.month_file(month)
    expected = str(dvc.info(path)["dvc_info"]["md5"])  # type: ignore[attr-defined]
    copy = out / f"{month}.parquet"
    dvc.get_file(path, str(copy))  # type: ignore[attr-defined]
    with copy.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != expected:
        raise DataError(
            f"the file of {month} has changed: its version says md5 {expected}, the file has {found}",
            where=path,
            fix="restore it by `./bakeoff data build --force`; if the change is meant, record it by `dvc commit`",
        )
    return expected


def _code_revision(dvc: object) -> str:
    from scmrepo.exceptions import SCMError

    scm = dvc.repo.scm  # type: ignore[attr-defined]
    try:
        return str(scm.get_rev()) + ("-dirty" if scm.is_dirty(untracked_files=False) else "")
    except (SCMError, AttributeError):  # an empty repository, or none at all
        return "unknown"


def make_folder(folder: Path, *, empty: bool = False) -> Path:
    """Make a folder that can be written.

    Raises:
        StorageError: it cannot be made, emptied or written to.
    """
    try:
        if empty and folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise StorageError(
            f"the folder cannot be written: {error.strerror}",
            where=str(folder),
            fix="choose another with --state, or correct its permissions",
        ) from error
    return folder


def read_month(path: Path) -> pd.DataFrame:
    """Read one whole month.

    Raises:
        DataError: the file is missing or not readable as parquet.
    """
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow raises subclasses of both for a file that is cut or garbled
        raise DataError(
            f"the file is not readable as parquet: {str(error).splitlines()[0]}",
            where=str(path),
            fix="build it anew by `./bakeoff data build --force`",
        ) from error


def load(paths: list[Path], features: tuple[str, ...]) -> tuple[pd.DataFrame, NDArray[np.int8]]:
    """Read features and target of the flights that landed; cancelled and diverted ones have no answer to learn from.

    Reading all files in one call keeps the categories; `pd.concat` of single months would turn them into strings.

    Returns:
        Features, shape (n, len(features)), categories as pandas categories; target, shape (n,), 0 or 1.
    """
    frame = pd.read_parquet(paths, columns=[*features, flights.OUTCOME])  # type: ignore[call-overload]
    frame = frame[frame[flights.OUTCOME].notna()]
    return frame[list(features)], flights.late(frame)


def load_holdout(path: Path, columns: tuple[str, ...]) -> tuple[pd.DataFrame, NDArray[np.int8], NDArray[np.datetime64]]:
    """Read the holdout's columns, target and day of each row, in the same order as `load`."""
    wanted = list(dict.fromkeys(columns))
    frame = pd.read_parquet(path, columns=[*wanted, flights.OUTCOME, flights.BLOCK])
    frame = frame[frame[flights.OUTCOME].notna()]
    return frame[wanted], flights.late(frame), frame[flights.BLOCK].to_numpy()
