"""Where things are: the repository, its environments, the folder of all that runs write."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
LOCKS = ROOT / "locks"
STATE = ROOT / ".bakeoff"
#: Committed result files: the only source of every figure in the documents.
RESULTS = ROOT / "benchmarks" / "results"


class ArmName(StrEnum):
    """The four arms, in the order in which they are shown."""

    PLAIN = "plain"
    PREFECT = "prefect"
    AIRFLOW = "airflow"
    KUBEFLOW = "kubeflow"


class Stack(StrEnum):
    """Where a tool runs: as processes of the harness, or on its real servers (`./bakeoff up`)."""

    EMBEDDED = "embedded"
    COMPOSE = "compose"
    KIND = "kind"


ARMS = tuple(ArmName)
#: The environment of each arm: the plain one runs in the core environment, as the harness does.
ENVIRONMENT: dict[ArmName, str] = {arm: "core" if arm is ArmName.PLAIN else arm.value for arm in ARMS}
#: The folder of each arm's own code; the plain arm is one module of the core.
ADAPTER: dict[ArmName, list[Path]] = {
    ArmName.PLAIN: [ROOT / "shared" / "pipeline.py"],
    ArmName.PREFECT: [ROOT / "prefect_impl" / name for name in ("__main__.py", "flow.py")],
    ArmName.AIRFLOW: [
        ROOT / "airflow_impl" / name
        for name in ("common.py", "connections.py", "approval.py", "webhook.py", "dags/retrain.py")
    ],
    # Without containers.py: how the harness has them run is no part of the pipeline, as with the other tools.
    ArmName.KUBEFLOW: [ROOT / "kubeflow_impl" / name for name in ("__main__.py", "components.py", "pipeline.py")],
}


def python(environment: str) -> Path:
    """The interpreter of one environment."""
    return VENVS / environment / "bin" / "python"


#: Settings of the user's own servers and databases: an arm that took them would write there.
_FOREIGN = (
    *("VIRTUAL_ENV", "PYTHONHOME", "AIRFLOW", "PREFECT_", "BAKEOFF_STATE", "BAKEOFF_TRACKING_URI"),
    *("BAKEOFF_DATA_RE", "BAKEOFF_REVISION", "BAKEOFF_MLFLOW_UI", "BAKEOFF_EVENTS", "BAKEOFF_KFP_"),
    *("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT", "MLFLOW_RUN_ID"),
)


def child_env(**more: str) -> dict[str, str]:
    """Environment variables for a child process: this one's, without what would point it at somebody's other work."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**env, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **more}
