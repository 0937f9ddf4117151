"""What the cluster is called, which versions it has, which ports are forwarded, where its files are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from benchmarks.places import ROOT, STATE
from benchmarks.stacks import env_file
from benchmarks.stacks.engine import StackError

MANIFESTS = ROOT / "kind"
CLUSTER_CONFIG = MANIFESTS / "cluster.yaml"
CLUSTER_SCOPED = MANIFESTS / "kfp" / "cluster-scoped"
KFP = MANIFESTS / "kfp"
OURS = MANIFESTS / "bakeoff"
KFP_VERSION = "2.17.0"
NAMESPACE = "kubeflow"
#: In KFP's own object store.
DATA_REMOTE = "s3://mlpipeline/bakeoff/dvc"
OBJECT_STORE_IN_PODS = "http://seaweedfs.kubeflow:9000"
MLFLOW_IN_PODS = "http://bakeoff-mlflow.kubeflow:5000"
#: Ours, by this label, on whatever cluster.
PART_OF = "app.kubernetes.io/part-of=bakeoff"
#: The nodes of a Kind cluster that `up` has made.
NODE_LABEL = "bakeoff=cluster"


@dataclass(frozen=True)
class Forward:
    """A service that this machine reaches on a port of its own."""

    name: str
    variable: str  # of the env file, where there is one
    port: int  # unless the env file says otherwise
    service: str
    service_port: int


FORWARDS = (
    Forward("Kubeflow", "KUBEFLOW_PORT", 8085, "ml-pipeline-ui", 80),
    Forward("MLflow", "KUBEFLOW_MLFLOW_PORT", 5085, "bakeoff-mlflow", 5000),
    Forward("object store", "KUBEFLOW_S3_PORT", 9085, "seaweedfs", 9000),
)


@dataclass(frozen=True)
class Target:
    """One cluster: Kind's of this prefix, or one that somebody else has made."""

    prefix: str
    ports: dict[str, int]  # by the variable's name
    env_file: Path
    context: str
    kubeconfig: Path | None = None
    kind: str | None = None  # the Kind cluster's name; None for somebody else's cluster

    @property
    def name(self) -> str:
        """What it is called in messages, and its folder."""
        return self.kind or re.sub(r"[^A-Za-z0-9._-]+", "-", self.context)

    @property
    def folder(self) -> Path:
        """Where `up` leaves what a client needs."""
        return STATE / "kind" / self.name

    @property
    def node(self) -> str:
        """The container that is the Kind cluster's only node."""
        return f"{self.kind}-control-plane"

    @property
    def options(self) -> str:
        """The options that name this cluster on every command."""
        if self.kind:
            return "" if self.env_file == env_file.DEFAULT else f" --env-file {self.env_file}"
        config = f" --kubeconfig {self.kubeconfig}" if self.kubeconfig else ""
        return f"{config} --context {self.context}"

    def address(self, forward: Forward) -> str:
        """Where this machine reaches a service."""
        return f"http://127.0.0.1:{self.ports[forward.variable]}"


def target(path: Path, *, context: str | None = None, kubeconfig: Path | None = None) -> Target:
    """The cluster that the options and the env file speak of.

    Args:
        path: the env file, for the prefix and other ports; it need not be there.
        context: of a cluster that is there already; Kind's by default.
        kubeconfig: the file that knows this context; kubectl's default.

    Raises:
        StackError: a kubeconfig without a context, or a port that is none.
    """
    if kubeconfig and not context:
        fix = "add --context NAME; `kubectl config get-contexts` lists them"
        raise StackError("which of its clusters is not said", where=f"--kubeconfig {kubeconfig}", fix=fix)
    prefix = env_file.read_one("STACK", path)
    name = f"{prefix}-kubeflow"
    kind = None if context else name
    config = kubeconfig.absolute() if kubeconfig else None
    return Target(prefix, _ports(path), path.absolute(), context or f"kind-{name}", config, kind)


def _ports(path: Path) -> dict[str, int]:
    values = dotenv_values(path, interpolate=False) if path.exists() else {}
    ports: dict[str, int] = {}
    for forward in FORWARDS:
        said = values.get(forward.variable) or str(forward.port)
        if not said.isascii() or not said.isdigit() or not 1024 <= int(said) <= 65535:
            where, fix = f"{forward.variable} in {path}", "use a number from 1024 to 65535"
            raise StackError(f"{forward.variable}={said} is not a port", where=where, fix=fix)
        if int(said) in ports.values():
            where, fix = f"{forward.variable} in {path}", "give each service a port of its own"
            raise StackError(f"port {said} is given twice", where=where, fix=fix)
        ports[forward.variable] = int(said)
    return ports
