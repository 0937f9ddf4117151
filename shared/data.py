"""Ingest: the months (or other windows) up to one, by data version; and how later steps read them."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shared.config import RetrainConfig
from shared.datasets import Dataset
from shared.errors import DataError, StorageError
from shared.files import make_folder

log = logging.getLogger(__name__)


def fetch_window(config: RetrainConfig, out: Path, months: list[str] | None = None) -> tuple[str, dict[str, str], str]:
    """Copy the months of a window out of DVC's hands and check every byte against the recorded version.

    Args:
        config: names the month, the data set, the repository and the revision of the data.
        out: folder to fill; an earlier attempt's files are replaced.
        months: only these; by default the training months and the holdout.

    Returns:
        The version of the whole data set (DVC's checksum), the checksum of each month copied, and the revision of the
        code (the one that an image says it holds, by BAKEOFF_REVISION; else the git commit, `-dirty` when the work tree
        differs from it, or `unknown` outside git).

    Raises:
        DataError: a month is not tracked, is missing, or differs from its recorded version.
        StorageError: `out` cannot be written.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    make_folder(out, empty=True)
    months = months or [*config.train_months, config.month]
    try:
        dvc = DVCFileSystem(config.data_repo, rev=config.data_rev, **_remote(config.data_remote))
        version = str(dvc.info(config.spec.folder)["dvc_info"]["md5"])
        files = {month: _fetch(dvc, config.spec.path(month), out / f"{month}.parquet") for month in months}
    except (DvcException, FileNotFoundError, KeyError) as error:
        raise DataError(
            f"DVC has no data for {months[0]} to {months[-1]}: {error}",
            where=f"{config.data_repo}/{config.spec.folder}",
            fix="run `./bakeoff data build`",
        ) from error
    except OSError as error:
        if error.errno is None:  # an object store's refusal, which has no number
            raise _unfetched(config, error) from error
        raise StorageError(  # such as a full disk
            f"the data cannot be copied: {error.strerror}", where=str(out), fix="free space there, then run again"
        ) from error
    except DataError:
        raise
    except Exception as error:  # each kind of remote has a client with errors of its own
        raise _unfetched(config, error.__cause__ or error) from error
    revision = _code_revision(dvc)
    log.info("ingested %d %ss up to %s, data version %s", len(months), config.spec.window_is, months[-1], version)
    return version, files, revision


def _remote(url: str | None) -> dict[str, Any]:
    """How DVC is told of a remote that the repository's own configuration does not know."""
    return {"remote": "elsewhere", "config": {"remote": {"elsewhere": {"url": url}}}} if url else {}


def _unfetched(config: RetrainConfig, cause: BaseException) -> DataError:
    return DataError(
        f"DVC cannot fetch the data: {type(cause).__name__}: {cause}",
        where=config.data_remote or config.data_repo,
        fix="see that the remote is in reach, holds this version, and that its credentials are right",
    )


def _fetch(dvc: object, path: str, copy: Path) -> str:
    expected = str(dvc.info(path)["dvc_info"]["md5"])  # type: ignore[attr-defined]
    dvc.get_file(path, str(copy))  # type: ignore[attr-defined]
    with copy.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != expected:
        raise DataError(
            f"the file of {copy.stem} has changed: its version says md5 {expected}, the file has {found}",
            where=path,
            fix="restore it by `./bakeoff data build --force`; if the change is meant, record it by `dvc commit`",
        )
    return expected


def _code_revision(dvc: object) -> str:
    if of_image := os.environ.get("BAKEOFF_REVISION"):
        return of_image
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    scm = dvc.repo.scm  # type: ignore[attr-defined]
    try:
        return str(scm.get_rev()) + ("-dirty" if scm.is_dirty(untracked_files=False) else "")
    except (DvcException, SCMError, AttributeError):  # an empty repository, or none at all
        return "unknown"


def load(dataset: Dataset, paths: list[Path], features: tuple[str, ...]) -> tuple[pd.DataFrame, NDArray[np.int8]]:
    """Read features and target of the rows that have an answer (a cancelled flight, or the last day, has none).

    Reading all files in one call keeps the categories; `pd.concat` of single windows would turn them into strings.

    Returns:
        Features, shape (n, len(features)), categories as pandas categories; target, shape (n,), 0 or 1.
    """
    frame = _answered(dataset, paths, [*features, dataset.outcome])
    return frame.drop(columns=dataset.outcome), dataset.positive(frame)


def load_holdout(
    dataset: Dataset, path: Path, columns: tuple[str, ...]
) -> tuple[pd.DataFrame, NDArray[np.int8], NDArray[Any]]:
    """Read the holdout's columns, target and block of each row, in the same order as `load`."""
    wanted = list(dict.fromkeys(columns))
    frame = _answered(dataset, [path], list(dict.fromkeys([*wanted, dataset.outcome, dataset.block])))
    return frame[wanted], dataset.positive(frame), frame[dataset.block].to_numpy()


def _answered(dataset: Dataset, paths: list[Path], columns: list[str]) -> pd.DataFrame:
    """Read columns of the rows with an answer: Arrow leaves the others out while it reads, and keeps no second copy."""
    frame: pd.DataFrame = pd.read_parquet(  # type: ignore[call-overload]  # of several files its stubs know nothing
        paths,
        columns=columns,
        filters=~pc.field(dataset.outcome).is_null(nan_is_null=True),
        to_pandas_kwargs={"split_blocks": True, "self_destruct": True},
    )
    pa.default_memory_pool().release_unused()  # else Arrow keeps what it decompressed, more than the frame itself
    return frame
