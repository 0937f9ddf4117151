"""Retrain only where the month has drifted from what the champion was trained on: a condition around the pipeline.

python -m kubeflow_impl.drift drift.yaml    # compile to IR YAML, to upload to a Kubeflow Pipelines server
"""

import sys

from kfp import compiler, dsl, kubernetes

from kubeflow_impl.components import component
from kubeflow_impl.pipeline import OBJECT_STORE, retrain, task


@component
def watch(month: str, dataset: str, data_repo: str, data_rev: str, settings: dict) -> bool:
    """Say whether the month asks for a retraining."""
    import tempfile
    from pathlib import Path

    from shared import monitor
    from shared.config import parse_config

    known = {name: value for name, value in {"data_repo": data_repo, "data_rev": data_rev}.items() if value}
    config = parse_config({"month": month, "dataset": dataset, **known, **settings})
    seen = monitor.watch(config, Path(tempfile.mkdtemp()))
    print("; ".join(seen.reasons) or "no drift")
    return seen.retrain


@dsl.pipeline(name="retrain-on-drift", description="Retrain where a month differs from the champion's training months.")
def on_drift(
    month: str = "2013-05",
    dataset: str = "flights",
    data_repo: str = "",
    data_rev: str = "",
    settings: dict = {},  # noqa: B006 - KFP reads the default, nothing changes it
):
    """Look at a month, and retrain if need be; the arguments are those of `retrain`."""
    about = {"month": month, "dataset": dataset, "data_repo": data_repo, "data_rev": data_rev, "settings": settings}
    seen = task(watch(**about), "1", "1Gi")
    kubernetes.use_secret_as_env(seen, "bakeoff-data", {key: key for key in OBJECT_STORE}, optional=True)
    with dsl.If(seen.output == True, name="has-drifted"):  # noqa: E712 - compiled, not evaluated
        retrain(**about)


if __name__ == "__main__":
    compiler.Compiler().compile(on_drift, sys.argv[1])
