"""The steps as Kubeflow components: each opens its artifacts, calls the core, and writes what it learnt.

The image holds the core and its libraries, so a component is a call and installs nothing (`install_kfp_package=False`).
The data are a `Dataset` artifact, which the platform moves between pods; its metadata say which retraining it is of.
"""

import os
from typing import NamedTuple

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
def validate(data: Input[Dataset], opened: Input[Artifact], validated: Output[Dataset]) -> NamedTuple(
    "Validated", [("complete", bool), ("candidates", list)]
):
    """Hold the data against the contract; return whether they need no imputing, and the candidates to train."""
    from shared import steps

    window = steps.validate({**opened.metadata["window"], "data": data.path}, out=validated.path)
    validated.metadata.update(psi=window.report.psi, window=window.json_dict())
    return not window.report.impute, steps.candidates(window)


@component
def impute(data: Input[Dataset], imputed: Output[Dataset]):
    """Fill in the numbers that the month hardly has."""
    from shared import steps

    window = steps.impute({**data.metadata["window"], "data": data.path}, out=imputed.path)
    imputed.metadata.update(window=window.json_dict())


@component
def train(candidate: dict, data: Input[Dataset], metrics: Output[Metrics]) -> dict:
    """Fit one candidate and score the holdout; {} where it failed and the settings tolerate that."""
    from shared import steps

    trained = steps.train_or_skip({**data.metadata["window"], "data": data.path}, candidate)
    if trained is None:  # a failed task would end the loop, and nothing could collect from it
        return {}
    metrics.metadata.update(auc=trained.auc, log_loss=trained.log_loss)
    return trained.json_dict()


@component
def select(trained: list, data: Input[Dataset]) -> dict:
    """Choose the candidate with the lowest log loss."""
    from shared import steps

    return steps.select(data.metadata["window"], [each for each in trained if each]).json_dict()


@component
def evaluate(
    challenger: dict, approval: bool, data: Input[Dataset], verdict: Output[Artifact], metrics: Output[Metrics]
) -> str:
    """Let the challenger meet the champion; return what comes next: to register, to ask, or nothing."""
    from shared import steps

    judged = steps.evaluate({**data.metadata["window"], "data": data.path}, challenger)
    verdict.metadata.update(judged.json_dict())
    with open(verdict.path, "w") as text:
        text.write(judged.reason)
    metrics.metadata.update(auc=challenger["auc"], champion_auc=judged.champion_auc, auc_gain_low=judged.auc_gain[1])
    return "reject" if not judged.promote else "ask" if approval else "register"


@component
def approve(timeout_s: int, verdict: Input[Artifact], data: Input[Dataset]) -> bool:
    """Wait for a person's answer, holding the pod: Kubeflow has nothing that waits without one."""
    from shared import approval, steps
    from shared.records import Window

    window = Window(**{**data.metadata["window"], "data": data.path})
    answer = approval.wait(window, timeout_s)
    if not answer.approve:
        steps.refuse(window, verdict.metadata, answer.by)
    return answer.approve


@component
def register(verdict: Input[Artifact], data: Input[Dataset], model: Output[Model]) -> int:
    """Register the challenger and make it champion."""
    from shared import steps

    outcome = steps.register({**data.metadata["window"], "data": data.path}, verdict.metadata)
    model.metadata.update(outcome.json_dict())
    return outcome.version
