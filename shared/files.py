"""Folders and parquet files: made so that what fails says why, and the same rows give the same bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import DataError, StorageError

if TYPE_CHECKING:  # the command line makes folders too, and should not wait for pandas
    import pandas as pd


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


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file where the disk allows it, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def read_window(path: Path) -> pd.DataFrame:
    """Read one whole window.

    Raises:
        DataError: the file is missing or not readable as parquet.
    """
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow raises subclasses of both for a file that is cut or garbled
        raise DataError(
            f"the file is not readable as parquet: {str(error).splitlines()[0]}",
            where=str(path),
            fix="build it anew by `./bakeoff data build --force`",
        ) from error


def write_window(frame: pd.DataFrame, path: Path) -> None:
    """Write one window so that the same rows always give the same bytes (zstd; times in milliseconds)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.Schema.from_pandas(frame, preserve_index=False)
    for number, field in enumerate(schema):
        if pa.types.is_timestamp(field.type):
            schema = schema.set(number, pa.field(field.name, pa.timestamp("ms")))
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    # The pandas metadata names the versions of pandas and pyarrow: the bytes would change with every upgrade.
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")
