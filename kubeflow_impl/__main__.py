"""Run the pipeline without a cluster, for the harness: `python -m kubeflow_impl REQUEST.json`."""

import os

from kfp import local

from kubeflow_impl.pipeline import arguments, retrain
from shared.config import RetrainConfig
from shared.events import LISTENER
from shared.files import make_folder
from shared.serve import serve


def run(config: RetrainConfig) -> None:
    """Run once by KFP's local runner: every component in a process or a container of its own, as in a pod."""
    os.environ[LISTENER] = str(config.events or "")  # `fetch` is given nothing that would spoil its cache
    folder = make_folder(config.work_dir / "kubeflow")  # a container engine would make it, and keep it to itself
    if os.environ.get("BAKEOFF_KFP_RUNNER") == "docker":
        from kubeflow_impl import containers

        runner = containers.runner(config)
    else:
        runner = local.SubprocessRunner(use_venv=False)
    local.init(runner=runner, pipeline_root=str(folder), raise_on_error=True)
    retrain(**arguments(config.json_dict()))


serve(run)
