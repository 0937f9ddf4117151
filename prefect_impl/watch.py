"""Watch the champion: drift is told as an event, and the trigger of `retrain` (prefect.yaml) listens to it."""

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.states import Completed

from prefect_impl.flow import RETRY
from shared import monitor
from shared.config import RetrainConfig
from shared.records import Drift


@task(**RETRY)
def measure(config: RetrainConfig) -> Drift:
    return monitor.watch(config, config.work_dir / f"watch-{flow_run.id}")


@flow(flow_run_name="watch-{config.month}")
def watch(config: RetrainConfig) -> State:
    """Measure how far a month has moved away from what the champion was trained on, and ask for a retraining if so."""
    drift = measure(config)
    if not drift.retrain:
        return Completed(name="NoDrift", message=f"version {drift.champion_version} knows such months")
    resource = {
        "prefect.resource.id": f"bakeoff.dataset.{config.dataset}",
        "bakeoff.month": config.month,
        "bakeoff.model": config.model_name,
    }
    asked = config.model_dump(mode="json", exclude_unset=True)
    emit_event("bakeoff.model.drifted", resource, payload={"config": asked, "reasons": drift.reasons})
    return Completed(name="Drifted", message="; ".join(drift.reasons))
