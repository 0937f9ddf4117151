"""Kubeflow's pipeline by `kfp.local.DockerRunner`: every component in a container of the image that pods run.

Of this machine a container sees the arm's own folder, at its own path, and the DVC remote of the data, to be read. All
of a run's containers carry its request id as a label; by it they are removed when the run is stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.arms import KubeflowArm
from benchmarks.kubeflow import image
from benchmarks.places import ROOT, ArmName, Stack
from benchmarks.stacks import engine, registry, stack
from benchmarks.stacks.env_file import DEFAULT
from shared.config import RetrainConfig
from shared.errors import BakeoffError, ConfigError

#: The label of a run's containers, with the request id as its value (`kubeflow_impl/containers.py`).
LABEL = "bakeoff"


class Runner(StrEnum):
    """How `kfp.local` runs a component."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


def check(on: ArmName, mode: Stack, runner: Runner, *, mount_code: bool) -> bool:
    """Is the retraining to run in containers of `kfp.local`?

    Raises:
        ConfigError: the options do not go together.
    """
    if runner is Runner.DOCKER and (on is not ArmName.KUBEFLOW or mode is not Stack.EMBEDDED):
        raise ConfigError(
            "the runner is a choice of Kubeflow's embedded mode only",
            where=f"--on {on} --stack {mode} --runner {runner}",
            fix="leave --runner away, or choose --on kubeflow without --stack",
        )
    if mount_code and runner is not Runner.DOCKER:
        fix = "leave it away: without containers this checkout's code is what runs; or add --runner docker"
        raise ConfigError("there is no image to mount the code over", where="--mount-code", fix=fix)
    return runner is Runner.DOCKER


def places() -> dict[str, Any]:
    """Where the data are as the containers see them, and which version: fields of `RetrainConfig`.

    Raises:
        DataError: the checkout's data differ from their version.
    """
    return {"data_repo": image.REGISTRY, "data_rev": image.publish()}


class DockerArm(KubeflowArm):
    """`kfp.local` with the Docker runner.

    Args:
        folder: receives the harness's own files.
        prefix: of the image's name.
        tell: is called with what is being done before the run.
        code: a `shared/` that is mounted over the image's, so that nothing has to be built.
    """

    stopped = "stopped; no process and no container is left behind"

    def __init__(
        self,
        folder: Path,
        prefix: str = image.PREFIX,
        tell: Callable[[str], None] = lambda line: None,
        code: Path | None = None,
    ) -> None:
        super().__init__(folder)
        self.prefix, self.tell, self.code = prefix, tell, code
        self.image = ""
        self._user = ""
        self._configs: list[RetrainConfig] = []

    def prepare(self) -> None:
        """The environment, the engine, the image.

        Raises:
            StackError: no engine answers, or the image cannot be built.
        """
        super().prepare()
        # A rootless engine's root is this user; any other engine has the same users as this machine.
        rootless = any("name=rootless" in option for option in engine.info().get("SecurityOptions") or [])
        self._user = "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"
        self.tell("looking at the image")
        wanted = image.ensure_packages if self.code else image.ensure
        self.image = wanted(lambda step: self.tell(f"building the image: {step}"), self.prefix)

    def retrain(self, configs: list[RetrainConfig]) -> Iterator[dict[str, Any]]:
        self._configs = configs
        if self.code:
            text = f"not the code of {self.image} is what runs, but {self.code}, mounted over it"
            yield {"time": time.time(), "step": "retrain", "label": "", "state": "warning", "text": text}
        yield from super().retrain(configs)

    def env(self) -> dict[str, str]:
        return {
            "BAKEOFF_KFP_RUNNER": "docker",
            "BAKEOFF_KFP_IMAGE": self.image,
            "BAKEOFF_KFP_MOUNTS": json.dumps(self.mounts()),
            "BAKEOFF_KFP_USER": self._user,
            "BAKEOFF_REVISION": image.Tree().revision(),
            "DOCKER_HOST": address(),
        }

    def mounts(self) -> list[dict[str, Any]]:
        """What a container sees of this machine."""
        state = str(self._configs[0].state)
        found = [
            {"source": state, "target": state, "read_only": False},
            {"source": str(registry.FOLDER / "remote"), "target": image.REMOTE, "read_only": True},
        ]
        if self.code:
            found.append({"source": str(self.code), "target": image.CODE, "read_only": True})
        return found

    def stop(self) -> None:
        super().stop()
        # The process removes its containers when it is asked to end; one that was killed could not.
        with contextlib.suppress(BakeoffError):  # an engine that is gone has no containers
            for config in self._configs:
                remove_containers(config.request_id)
        self._configs = []

    def versions(self) -> dict[str, str]:
        over = " with other code mounted over it" if self.code else ""
        return {**super().versions(), **({"image": self.image + over} if self.image else {})}


def make(
    config: RetrainConfig, env_file: Path | None, tell: Callable[[str], None], *, mount_code: bool = False
) -> DockerArm:
    """The arm of one retraining.

    Args:
        config: what to retrain.
        env_file: names the image's prefix; by default compose/.env.
        tell: is called with what is being done before the run.
        mount_code: mount this checkout's code over the image's.

    Raises:
        StackError: there is no such file.
    """
    assert config.events is not None
    prefix = stack.prefix((env_file or DEFAULT).absolute())
    return DockerArm(config.events.parent, prefix, tell, ROOT / "shared" if mount_code else None)


def address() -> str:
    """Where the engine of the docker client listens: other clients know nothing of its contexts.

    Raises:
        StackError: docker refuses.
    """
    told = engine.docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
    return os.environ.get("DOCKER_HOST") or told


def remove_containers(request_id: str) -> None:
    """Remove what a run has left, running or not.

    Raises:
        StackError: the engine does not answer.
    """
    for _ in range(2):  # one more may have been on its way
        found = engine.docker("container", "ls", "--all", "--quiet", "--filter", f"label={LABEL}={request_id}").split()
        for container in found:
            with contextlib.suppress(engine.StackError):  # it went by itself
                engine.docker("container", "rm", "--force", container)
        if not found:
            return
