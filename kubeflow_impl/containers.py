"""The pipeline in containers on this machine, by `kfp.local.DockerRunner`; the harness says what they may see."""

import contextlib
import json
import os
import signal

import docker
from kfp import local

from kubeflow_impl.pipeline import MLFLOW
from shared.config import RetrainConfig
from shared.events import LISTENER

# What a container is told of this process's environment.
PASSED_ON = (LISTENER, "BAKEOFF_REVISION", *MLFLOW)


def runner(config: RetrainConfig) -> local.DockerRunner:
    """Containers see the given folders only, a network only if MLflow is on one, and do not outlive this process."""

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
