"""
### Airflow for the data, Kubeflow for the training

Airflow sees that the month is there and what version of the data it belongs to; the retraining is a run of the pipeline
that `./bakeoff up kubeflow` has deployed. The connection `kubeflow` says where.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from airflow.sdk import dag, task

from airflow_impl import common
from airflow_impl.common import Json
from airflow_impl.kfp import KfpRun
from shared import steps


@dag(
    schedule=None,
    params={"month": common.MONTH, "settings": common.settings()},
    default_args=common.DEFAULTS,
    doc_md=__doc__,
    tags=["bake-off"],
)
def hybrid():
    @task
    def data(params=None, partition_key=None, triggering_asset_events=None) -> Json:
        """Fetch the months once, to see that they are what their version says; give the pipeline's arguments."""
        asked = common.request(params, partition_key, triggering_asset_events)
        with TemporaryDirectory() as folder:
            fetched = steps.fetch(asked, Path(folder))
        print(f"data version {fetched.data_version}")
        month, revision = asked.pop("month"), asked.pop("data_rev")
        return {"month": month, "settings": asked} | ({"data_rev": revision} if revision else {})

    KfpRun(
        task_id="retrain",
        doc_md="Run the pipeline `retrain` on Kubeflow, and wait for it without a worker.",
        pipeline="retrain",
        arguments=data(),
    )


hybrid()
