"""Run the pipeline without a cluster, for the harness: `python -m kubeflow_impl REQUEST.json`."""

import contextlib
import json
import os
import signal

from kfp import local

from kubeflow_impl.pipeline import MLFLOW, arguments, retrain
from shared.config import RetrainConfig
from shared.events import LISTENER
from shared.files import make_folder
from shared.serve import serve

# What a container is told of this process's environment.
PASSED_ON = (LISTENER, "BAKEOFF_REVISION", *MLFLOW)


def run(config: RetrainConfig) -> None:
    """Run once by KFP's local runner: every component in a process or a container of its own, as in a pod."""
    os.environ[LISTENER] = str(config.events or "")  # `fetch` is given nothing that would spoil its cache
    folder = make_folder(config.work_dir / "kubeflow")  # a container engine would make it, and keep it to itself
    in_containers = os.environ.get("BAKEOFF_KFP_RUNNER") == "docker"
    runner = docker_runner(config) if in_containers else local.SubprocessRunner(use_venv=False)
    local.init(runner=runner, pipeline_root=str(folder), raise_on_error=True)
    retrain(**arguments(config.json_dict()))


def docker_runner(config: RetrainConfig) -> local.DockerRunner:
    """Containers see the given folders only, a network only if MLflow is on one, and do not outlive this process."""
    import docker

    def stop(*_: object) -> None:
        # At once, not by an exception: KFP would wait for the containers of other threads, and try them again.
        of_this_run = {"label": f"bakeoff={config.request_id}"}
        for container in docker.from_env().containers.list(all=True, filters=of_this_run):
            with contextlib.suppress(docker.errors.APIError):  # it is going already
                container.remove(force=True)
        os._exit(130)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    mounts = json.loads(os.environ["BAKEOFF_KFP_MOUNTS"])
    return local.DockerRunner(
        mounts=[docker.types.Mount(type="bind", **mount) for mount in mounts],
        user=os.environ.get("BAKEOFF_KFP_USER"),
        network_mode="host" if config.tracking_uri.startswith("http") else "none",
        environment={name: os.environ[name] for name in PASSED_ON if name in os.environ},
        labels={"bakeoff": config.request_id},
    )


serve(run)
