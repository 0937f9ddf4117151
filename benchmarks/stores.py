"""Tracking stores: each arm has one of its own, so that arms cannot help each other."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock

from benchmarks.kubeflow import server
from benchmarks.places import STATE, ArmName, Stack
from benchmarks.stacks.settings import settings
from shared import datasets
from shared.config import RetrainConfig, StoreConfig
from shared.errors import StorageError


def create(config: RetrainConfig) -> None:
    """Create the config's SQLite store unless it is there, so that no arm's figures hold that one-off cost (about 4 s).

    MLflow makes the tables once; the empty store is then kept as a template and copied.
    """
    if not config.tracking_uri.startswith("sqlite:///"):
        return
    target = Path(config.tracking_uri.removeprefix("sqlite:///"))
    if target.exists():
        return
    from mlflow.version import VERSION

    from shared import tracking
    from shared.files import make_folder

    make_folder(target.parent)
    template = STATE / "templates" / f"mlflow-{VERSION}.db"
    make_folder(template.parent)
    with FileLock(template.with_suffix(".lock")):  # two that begin at once would write into one file
        if not template.exists():
            making = template.with_suffix(".making")
            making.unlink(missing_ok=True)
            blank = config.model_copy(update={"tracking_uri": f"sqlite:///{making}"})
            tracking.connect(blank).search_experiments()
            making.rename(template)
    shutil.copyfile(template, target)


def existing(
    arm: ArmName,
    state: Path | None = None,
    tracking_uri: str | None = None,
    dataset: str = datasets.DEFAULT,
    stack: Stack = Stack.EMBEDDED,
    env_file: Path | None = None,
) -> StoreConfig:
    """The store that an arm's retrainings have written to.

    Raises:
        ConfigError: there is no such data set, or no such stack.
        StorageError: nothing has been written there yet.
    """
    if stack is Stack.KIND:
        tracking_uri = tracking_uri or server.read(server.cluster_of(env_file)).mlflow
    elif stack is Stack.COMPOSE:
        tracking_uri = tracking_uri or settings(arm, env_file).tracking_uri
    folder = ((state or STATE) / arm).absolute()
    uri = tracking_uri or f"sqlite:///{folder}/mlflow.db"
    if tracking_uri is None and not (folder / "mlflow.db").exists():
        raise StorageError(
            f"the {arm} arm has no tracking store yet",
            where=str(folder),
            fix=f"run `./bakeoff retrain --on {arm} --month 2013-03`, or name another store by --on, --state or "
            "--tracking-uri",
        )
    places = {} if tracking_uri is None else {"artifact_location": None}
    return StoreConfig.model_validate({"dataset": dataset, "state": folder, "tracking_uri": uri, **places})
