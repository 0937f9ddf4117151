"""The pipeline with an alert: a webhook is told of a run that has failed, and of a challenger that was not promoted.

python -m kubeflow_impl.alerting alerted.yaml    # compile to IR YAML, to upload to a Kubeflow Pipelines server

An exit handler runs whatever has happened, but gets no output of what it encloses, only how that ended. So what came of
a run that has succeeded is read from MLflow.
"""

import sys

from kfp import compiler, dsl
from kfp.dsl import PipelineTaskFinalStatus

from kubeflow_impl.components import component
from kubeflow_impl.pipeline import RETRY, retrain, task


@component
def alert(status: PipelineTaskFinalStatus, month: str, dataset: str, settings: dict, run: str, webhook: str):
    """Post what went wrong; nothing where a champion was made."""
    import httpx

    from shared.config import RetrainConfig
    from shared.registry import outcome_of
    from shared.tracking import connect

    config = RetrainConfig(month=month, dataset=dataset, **settings)
    client = connect(config)
    experiment = client.get_experiment_by_name(config.model_name)
    ours = f"tags.`bakeoff.orchestrator_run` = '{run}'"
    found = client.search_runs([experiment.experiment_id], ours) if experiment else []
    if status.state != "SUCCEEDED":
        cause = found[0].data.tags.get("bakeoff.failure") if found else None
        told = {"event": "failed", "reason": cause or status.error_message or "no cause was left in MLflow"}
    elif (outcome := outcome_of(config, found[0])).promoted:
        return
    else:
        told = {"event": "rejected", "reason": outcome.reason}
    httpx.post(webhook, json={"run": run, "month": month, **told}).raise_for_status()


@dsl.pipeline(name="retrain-alerted", description="Retrain, and tell a webhook unless that has made a champion.")
def alerted(
    webhook: str,
    month: str = "2013-05",
    dataset: str = "flights",
    data_repo: str = "",
    data_rev: str = "",
    data_remote: str = "",
    settings: dict = {},  # noqa: B006 - KFP reads the default, nothing changes it
    approval: bool = False,
    approval_s: int = 86_400,
):
    """Retrain once; `webhook` is an address that takes JSON, all else is as in `retrain`."""
    about = {"month": month, "dataset": dataset, "settings": settings}
    told = task(alert(run=dsl.PIPELINE_JOB_ID_PLACEHOLDER, webhook=webhook, **about), "1", "1Gi").set_retry(**RETRY)
    places = {"data_repo": data_repo, "data_rev": data_rev, "data_remote": data_remote}
    with dsl.ExitHandler(told, name="retraining"):
        retrain(**about, **places, approval=approval, approval_s=approval_s)


if __name__ == "__main__":
    compiler.Compiler().compile(alerted, sys.argv[1])
