"""The Kubeflow arm on a real server: the pipeline is deployed, run in an experiment and followed by the public API."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import Any

from benchmarks import environments, results
from benchmarks.arms import ArmFailed
from benchmarks.kubeflow import data, deploy, image, nodes, pods
from benchmarks.kubeflow.api import KfpApi
from benchmarks.kubeflow.server import UP, Server, token
from benchmarks.places import ENVIRONMENT, ArmName, Stack
from benchmarks.stacks.arms import StackArm
from benchmarks.stacks.follow import Attempt, Look
from shared.config import RetrainConfig
from shared.errors import BakeoffError

EXPERIMENT = "bakeoff"
#: The line of 2.17 is what this project is written against.
VERSIONS = ("2.17",)
#: So long a pod may need to start before it is told that none has. An image of this size is pulled within it.
START_S = 60.0
#: Between two questions to kubectl, each of which is a process.
_PODS_S = 10.0
#: The last line of a Python traceback.
_ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Failure|Interrupt|Exit|Failed)(?::|$).*")


class KubeflowTool:
    """The pipeline `retrain` on one server: what `StackArm` needs of a tool.

    Args:
        server: where it is, and what it runs.
        experiment: in which the runs are grouped.
        limit_s: so long a run may take; None: as long as it wants.
    """

    def __init__(self, server: Server, experiment: str = EXPERIMENT, limit_s: float | None = None) -> None:
        self.server, self.experiment, self._limit_s = server, experiment, limit_s
        self.kfp = KfpApi(server.host, token(), server.namespace)
        self.address, self.rest = server.host, self.kfp.rest
        self.version: deploy.Version | None = None
        self.health_version = ""
        #: Every run that was started, or found to be started.
        self.runs: list[str] = []
        self._since = 0.0
        self._asked_pods, self._pods = 0.0, ""

    def check(self) -> None:
        """See that the server answers, and have the pipeline there.

        Raises:
            Silent, Refused, CompileFailed
        """
        self.health_version = self.kfp.health().version
        if self.version is None:
            self.version = deploy.upload(self.kfp, deploy.compile_ir(self.server.image), deploy.commit())

    def trigger(self, config: RetrainConfig, request: dict[str, Any]) -> str:
        """Start a run, and give its id. Called twice for one config it starts one: KFP has no key for that, but a name.

        Raises:
            Silent, Refused
        """
        assert self.version is not None
        self._since = time.monotonic()
        name = f"{deploy.PIPELINE} {config.request_id}"
        experiment = self.kfp.experiment(self.experiment)
        for run in self.kfp.runs(experiment):
            if run.get("display_name") == name:
                return self._started(run)
        made = self.kfp.create_run(
            name, experiment, self.version.pipeline, self.version.id, parameters(config, request, self.server)
        )
        return self._started(made)

    def _started(self, run: dict[str, Any]) -> str:
        self.runs.append(str(run["run_id"]))
        return self.runs[-1]

    def look(self, run: str, config: RetrainConfig) -> Look:
        """The run and its tasks now.

        Raises:
            ArmFailed: it has taken longer than it may.
        """
        found = self.kfp.run(run)
        tasks = self.kfp.nodes(found)
        look = nodes.look_of(found, tasks, [candidate.title for candidate in config.all_candidates])
        took = time.monotonic() - self._since
        if look.state in ("waiting", "running") and (hint := self._held_up(run, tasks, took)):
            look = Look("waiting", look.said, look.attempts, hint)
        if self._limit_s is not None and took > self._limit_s and look.state in ("waiting", "running"):
            what = f"the run has not ended within {self._limit_s:.0f} s and is {look.said}"
            raise ArmFailed(
                f"{what}: {look.message}" if look.message else what,
                where=self.page(run),
                fix="open that page to see what it waits for; --timeout gives it more time",
            )
        return look

    def _held_up(self, run: str, tasks: list[nodes.Node], took: float) -> str:
        """Why a pod does not start: the workflow's word, else Kubernetes', else where to look after a minute."""
        if told := nodes.stuck(tasks):
            return told
        if self.server.context and time.monotonic() - self._asked_pods > _PODS_S:
            self._asked_pods = time.monotonic()
            self._pods = "; ".join(pods.reasons(self.server.context, self.server.namespace, run)[:2])
        if self._pods:
            return self._pods
        if took > START_S and not nodes.has_begun(tasks):
            return (
                f"no pod has started within {START_S:.0f} s: see `kubectl --namespace {self.server.namespace} get pods "
                f"--selector pipeline/runid={run}` and `describe` the one that waits (image, memory, CPU)"
            )
        return ""

    def cause(self, run: str, attempt: Attempt) -> str:
        """Why a task has failed, from its pod's log, else as the workflow tells it; '' when neither says."""
        told = attempt.task.get("message") or ""
        if (pod := attempt.task.get("pod")) and (error := error_of(self.log(run, pod))):
            return error
        return told or attempt.error

    def log(self, run: str, pod: str) -> str:
        """What a pod has written: by the UI, else by kubectl; '' when neither has it."""
        with contextlib.suppress(BakeoffError):
            return self.kfp.pod_log(run, pod)
        return pods.log(self.server.context, self.server.namespace, pod) if self.server.context else ""

    def cancel(self, run: str) -> None:
        """End a run; its pods are ended."""
        self.kfp.terminate(run)

    def page(self, run: str) -> str:
        """Where a person sees the run."""
        return self.kfp.page(run)


class KubeflowStack(StackArm):
    """Kubeflow Pipelines on a cluster.

    Args:
        folder: receives logs of the harness's own.
        server: where it is, and what it runs.
        experiment: in which the runs are grouped.
        limit_s: so long a run may take; None: as long as it wants.
    """

    name = ArmName.KUBEFLOW
    stack = Stack.KIND

    def __init__(
        self, folder: Path, server: Server, experiment: str = EXPERIMENT, limit_s: float | None = None
    ) -> None:
        self.tool = KubeflowTool(server, experiment, limit_s)
        super().__init__(folder, server.mlflow, self.tool)
        self.server = server

    def prepare(self) -> None:
        """Bring the data where they are wanted, and the pipeline. Nothing is started.

        Raises:
            Silent, Refused, CompileFailed, DataError, ConfigError
        """
        environments.ensure(ENVIRONMENT[self.name])  # it holds the compiler
        super().prepare()
        bring_data(self.server)

    def warning(self) -> str:
        told = []
        if not is_known(self.tool.health_version):
            told.append(f"this server is KFP {self.tool.health_version}; the project is written against {VERSIONS[0]}")
        name = self.server.image.rpartition("/")[2]
        with contextlib.suppress(BakeoffError):  # of a checkout that has never built one, nothing is known
            ours = image.name(name.partition("-kubeflow:")[0])
            if "-kubeflow:" in name and name != ours:
                told.append(f"the pods run {name}, and this checkout's code would be {ours}: run `{UP}`")
        return "; ".join(told)

    def versions(self) -> dict[str, str]:
        """What is compiled with here; the image's name says what runs there."""
        found = results.versions(self.name) if environments.is_ready(ENVIRONMENT[self.name]) else {}
        return {**found, **({"kfp-server": self.tool.health_version} if self.tool.health_version else {})}


def is_known(version: str) -> bool:
    """Is a server of a line that this project is written against?"""
    return version.removeprefix("v").startswith(tuple(f"{line}." for line in VERSIONS))


def bring_data(server: Server) -> str:
    """Push the data where the server's description names a store and a bucket, and the environment the credentials.

    Returns:
        The registry's commit; '' where the data are taken to be there.

    Raises:
        DataError, ConfigError
    """
    if not server.object_store or not server.data_remote or data.credentials() is None:
        return ""
    return data.push(server.data_remote, server.object_store, *data.required_credentials())


def parameters(config: RetrainConfig, request: dict[str, Any], server: Server) -> dict[str, Any]:
    """The pipeline's arguments. What is empty there is the image's or the cluster's own, so it is not sent."""
    own = {"month": config.month, "dataset": config.dataset}
    if config.data_rev:
        own["data_rev"] = config.data_rev
    if server.data_remote:
        own["data_remote"] = server.data_remote
    settings = {name: value for name, value in request.items() if name not in (*own, "data_rev")}
    if server.tracking_uri_in_pods:
        settings["tracking_uri"] = server.tracking_uri_in_pods
    return {**own, "settings": settings}


def error_of(log: str) -> str:
    """The raised error in a pod's log: the last line of its last traceback."""
    lines = [line.strip() for line in log.splitlines()]
    return next((line for line in reversed(lines) if _ERROR.match(line)), "")
