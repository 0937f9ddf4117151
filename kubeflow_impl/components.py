"""The steps as Kubeflow components: each opens its artifacts, calls the core, and writes what it learnt.

The image holds the core and its libraries, so a component is a call and installs nothing (`install_kfp_package=False`).
The data are a `Dataset` artifact, which the platform moves between pods; its metadata say which retraining it is of.
"""

import os

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

#: Named by its content: `./bakeoff build kubeflow` builds it and prints its name.
IMAGE = os.environ.get("BAKEOFF_KFP_IMAGE", "bakeoff-kubeflow:not-built")

component = dsl.component(base_image=IMAGE, install_kfp_package=False)


@component
def fetch(month: str, dataset: str, data_repo: str, data_rev: str, data_remote: str, data: Output[Dataset]):
    """Fetch the months of the window by data version: the same inputs give the same files, so this may be cached."""
    from shared import steps

    if "://" in data_repo and not data_rev:
        raise ValueError("a data_repo elsewhere may change, and the cache would not see it: name its data_rev too")
    places = {"data_repo": data_repo, "data_rev": data_rev, "data_remote": data_remote}
    known = {name: value for name, value in places.items() if value}  # "" is the image's or the cluster's own
    fetched = steps.fetch({"month": month, "dataset": dataset, **known}, out=data.path)
    data.metadata.update(fetched.json_dict())


@component
def ingest(month: str, dataset: str, settings: dict, run: str, data: Input[Dataset], opened: Output[Artifact]):
    """Open the MLflow run of this retraining."""
    import os

    from shared import steps

    pages = os.environ.get("BAKEOFF_KFP_UI")  # where a browser finds Kubeflow's
    window = steps.ingest(
        {"month": month, "dataset": dataset, **settings},
        "kubeflow",
        run,
        orchestrator_url=f"{pages}/#/runs/details/{run}" if pages else None,
        fetched={**data.metadata, "data": data.path},
    )
    opened.metadata.update(data_version=window.data_version, window=window.json_dict())
    with open(opened.path, "w") as text:
        text.write(window.run_url or window.run_id)


@component
def validate(data: Input[Dataset], opened: Input[Artifact], validated: Output[Dataset]) -> list:
    """Hold the data against the contract; return the candidates to train."""
    from shared import steps

    window = steps.validate({**opened.metadata["window"], "data": data.path}, out=validated.path)
    validated.metadata.update(psi=window.report.psi, window=window.json_dict())
    return window.json_dict()["config"]["candidates"]


@component
def train(candidate: dict, data: Input[Dataset], metrics: Output[Metrics]) -> dict:
    """Fit one candidate and score the holdout."""
    from shared import steps

    trained = steps.train({**data.metadata["window"], "data": data.path}, candidate)
    metrics.metadata.update(auc=trained.auc, log_loss=trained.log_loss)
    return trained.json_dict()


@component
def select(trained: list) -> dict:
    """Choose the candidate with the lowest log loss."""
    from shared import steps

    return steps.select(trained).json_dict()


@component
def evaluate(challenger: dict, data: Input[Dataset], verdict: Output[Artifact], metrics: Output[Metrics]) -> bool:
    """Let the challenger meet the champion; return whether it passes (kfp.local branches on a single output only)."""
    from shared import steps

    judged = steps.evaluate({**data.metadata["window"], "data": data.path}, challenger)
    verdict.metadata.update(judged.json_dict())
    with open(verdict.path, "w") as text:
        text.write(judged.reason)
    metrics.metadata.update(auc=challenger["auc"], champion_auc=judged.champion_auc, auc_gain_low=judged.auc_gain[1])
    return judged.promote


@component
def register(verdict: Input[Artifact], data: Input[Dataset], model: Output[Model]) -> int:
    """Register the challenger and make it champion."""
    from shared import steps

    outcome = steps.register({**data.metadata["window"], "data": data.path}, verdict.metadata)
    model.metadata.update(outcome.json_dict())
    return outcome.version
