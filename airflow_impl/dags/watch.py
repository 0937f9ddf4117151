"""
### Retrain when the data have moved

A month that arrives is held against what the champion was trained on; only drift starts a retraining of it. This is the
other way to listen to arrivals than `retrain_on_arrival`, which retrains with every month: unpause one of the two.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, task

from airflow_impl import common
from airflow_impl.common import Json


@dag(
    schedule=common.ON_ARRIVAL,
    params={"month": common.MONTH, "settings": common.settings()},
    default_args=common.DEFAULTS,
    doc_md=__doc__,
    tags=["bake-off"],
)
def watch():
    @task.short_circuit
    def drifted(params=None, partition_key=None, triggering_asset_events=None) -> Json:
        """Measure the drift; what to retrain, or nothing, which skips the rest."""
        from shared import config, monitor  # pandas: not when the file is parsed

        asked = common.request(params, partition_key, triggering_asset_events)
        with TemporaryDirectory() as folder:
            drift = monitor.watch(config.parse_config(asked), Path(folder))
        print("; ".join(drift.reasons) or "no drift")
        month = asked.pop("month")
        return {"month": month, "settings": asked} if drift.retrain else {}

    TriggerDagRunOperator(
        task_id="retrain",
        doc_md="Start a run of the DAG `retrain`.",
        trigger_dag_id="retrain",
        trigger_run_id="drift__{{ run_id }}",
        conf=drifted(),
        skip_when_already_exists=True,
    )


watch()
