"""Run the pipeline without a cluster, for the harness: `python -m kubeflow_impl REQUEST.json`."""

import os

from kfp import local

from kubeflow_impl.pipeline import arguments, retrain
from shared.config import RetrainConfig
from shared.events import LISTENER
from shared.serve import serve


def run(config: RetrainConfig) -> None:
    """Run once by KFP's local runner: every component in a process of its own, as it would be in a pod."""
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(config.work_dir / "kubeflow"),
        raise_on_error=True,
    )
    os.environ[LISTENER] = str(config.events or "")  # `fetch` is given nothing that would spoil its cache
    retrain(**arguments(config.json_dict()))


serve(run)
