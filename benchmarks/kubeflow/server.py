"""Where a Kubeflow Pipelines server is and what it runs: what `./bakeoff up kubeflow` leaves for its clients."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from benchmarks.places import STATE
from benchmarks.stacks import env_file
from benchmarks.stacks.rest import is_this_machine
from shared.errors import ConfigError

UP = "./bakeoff up kubeflow"
#: Bearer token of the KFP API, where it asks for one; standalone servers do not.
TOKEN = "BAKEOFF_KFP_TOKEN"


class Server(BaseModel):
    """One server. It never holds a credential."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Base URL; `{host}/apis/v2beta1/healthz` answers. The UI's service forwards it: pages and API are one address.
    host: str
    #: MLflow as this machine reaches it.
    mlflow: str
    #: MLflow as pods reach it; None: by the same address or, where that is this machine's own, by the ConfigMap.
    mlflow_in_pods: str | None = None
    #: S3 endpoint as this machine reaches it; None: the data are there already.
    object_store: str | None = None
    #: s3://bucket/prefix; None: the ConfigMap has it.
    data_remote: str | None = None
    #: What the pods run.
    image: str
    namespace: str = "kubeflow"
    #: Of kubectl, when there is one: for the states of pods.
    context: str | None = None

    @field_validator("host", "mlflow", "mlflow_in_pods", "object_store")
    @classmethod
    def _is_an_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address begins with http:// or https:// and names a host")
        if parts.password or parts.username:
            raise ValueError("credentials do not belong in an address: give them by environment variables")
        return address.rstrip("/")

    @field_validator("data_remote")
    @classmethod
    def _is_a_bucket(cls, remote: str | None) -> str | None:
        if remote is not None and (not remote.startswith("s3://") or not urlsplit(remote).netloc):
            raise ValueError("the data go to an S3 bucket, such as s3://mlpipeline/bakeoff/dvc")
        return remote

    @field_validator("image")
    @classmethod
    def _is_one_version(cls, image: str) -> str:
        tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        if "@" not in image and tag in ("", "latest"):
            raise ValueError(f"{image} is another image every day: name it with a tag that is not latest, or a digest")
        return image

    @property
    def tracking_uri_in_pods(self) -> str | None:
        """What is sent along as MLflow's address; None leaves it to the ConfigMap: in a pod, 127.0.0.1 is the pod."""
        if self.mlflow_in_pods:
            return self.mlflow_in_pods
        return None if is_this_machine(self.mlflow) else self.mlflow


def cluster_of(env: Path | None = None, context: str | None = None) -> str:
    """What `up` calls a cluster: somebody else's by its context, Kind's by the env file's prefix."""
    if context:
        return re.sub(r"[^A-Za-z0-9._-]+", "-", context)
    return f"{env_file.read_one('STACK', (env or env_file.DEFAULT).absolute())}-kubeflow"


def path(cluster: str) -> Path:
    """The file that `up` writes."""
    return STATE / "kind" / cluster / "server.json"


def write(server: Server, cluster: str) -> Path:
    """Leave a server's description for its clients."""
    target = path(cluster)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(server.model_dump_json(indent=2) + "\n")
    return target


def read(cluster: str) -> Server:
    """The server that `up` has left.

    Raises:
        ConfigError: there is none, or the file is damaged.
    """
    source = path(cluster)
    if not source.exists():
        raise ConfigError(
            "no Kubeflow Pipelines server is known here",
            where=str(source),
            fix=f"run `{UP}`, or name a server of your own by --host, --mlflow and --image",
        )
    try:
        return make(**json.loads(source.read_text()))
    except (ValueError, TypeError) as error:
        raise ConfigError("the server's description is damaged", where=str(source), fix=f"run `{UP}` again") from error


def make(**fields: str | None) -> Server:
    """A server out of options; those that are None take their defaults.

    Raises:
        ConfigError: naming what makes no sense.
    """
    try:
        return Server.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        fault = error.errors()[0]
        name = "--" + "-".join(str(part) for part in fault["loc"]).replace("_", "-")
        what = str(fault["msg"]).removeprefix("Value error, ")
        raise ConfigError(what, where=name, fix=f"correct {name}") from None


def token() -> str:
    """The bearer token, or ''."""
    return os.environ.get(TOKEN, "")
