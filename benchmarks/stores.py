"""Tracking stores: each arm has one of its own, so that arms cannot help each other."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.places import STATE
from shared.config import RetrainConfig


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
    if not template.exists():
        make_folder(template.parent)
        making = template.with_suffix(".making")
        making.unlink(missing_ok=True)
        blank = config.model_copy(update={"tracking_uri": f"sqlite:///{making}"})
        tracking.connect(blank).search_experiments()
        making.rename(template)
    shutil.copyfile(template, target)
