"""What the commands are told of a Kubeflow server, and the command that verifies one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from benchmarks.kubeflow import server as servers
from benchmarks.kubeflow.server import Server
from benchmarks.places import ArmName
from shared.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.kubeflow.stack_arm import KubeflowStack

Host = Annotated[
    str | None,
    typer.Option(
        help="A Kubeflow Pipelines server of your own: base URL of its UI (service ml-pipeline-ui), which forwards the "
        "API, logs and metadata. By default the one that `./bakeoff up kubeflow` has started."
    ),
]
Mlflow = Annotated[str | None, typer.Option(help="With --host: its MLflow, as this machine reaches it.")]
MlflowInPods = Annotated[
    str | None,
    typer.Option(
        help="The same MLflow as pods reach it. By default the address of --mlflow, unless that is this machine's own "
        "(127.0.0.1): then BAKEOFF_TRACKING_URI in the ConfigMap `bakeoff` of the namespace."
    ),
]
ObjectStore = Annotated[
    str | None,
    typer.Option(
        help="S3 endpoint to bring the data to, as this machine reaches it; needs --data-remote, and AWS_ACCESS_KEY_ID "
        "and AWS_SECRET_ACCESS_KEY in the environment. By default the data are taken to be there."
    ),
]
DataRemote = Annotated[
    str | None,
    typer.Option(
        help="Where pods fetch the data: s3://bucket/prefix. The bucket must be there; pods take endpoint and keys "
        "from the Secret `bakeoff-data`. By default BAKEOFF_DATA_REMOTE in the ConfigMap `bakeoff`."
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        help="What the pods run, as the cluster pulls it; never `latest`. `./bakeoff build kubeflow` builds it and "
        "prints its name; push it where the cluster can pull it."
    ),
]
Namespace = Annotated[str, typer.Option(help="Kubernetes namespace of the runs' pods.")]
Context = Annotated[
    str | None,
    typer.Option(
        help="kubectl context of the cluster: waiting pods are then told with their reason. Without --host, the "
        "cluster that `./bakeoff up kubeflow --context` was given."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the report on standard output; progress on standard error.")]

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


class Target(StrEnum):
    """What can be deployed and verified."""

    KUBEFLOW = "kubeflow"


def server_of(
    on: ArmName,
    host: str | None,
    mlflow: str | None,
    *,
    mlflow_in_pods: str | None = None,
    object_store: str | None = None,
    data_remote: str | None = None,
    image: str | None = None,
    namespace: str = "kubeflow",
    context: str | None = None,
    env_file: Path | None = None,
) -> Server:
    """The server that a command's options mean.

    Raises:
        ConfigError: the options make no sense, or no server is known here.
    """
    if on is not ArmName.KUBEFLOW:
        raise ConfigError(
            f"there is no cluster for {on}",
            where=f"--on {on} --stack kind",
            fix="choose --on kubeflow or --stack compose",
        )
    if host is None:
        known = servers.read(servers.cluster_of(env_file, context))
        changes = {
            "mlflow": mlflow,
            "mlflow_in_pods": mlflow_in_pods,
            "object_store": object_store,
            "data_remote": data_remote,
            "image": image,
        }
        return servers.make(**{**known.model_dump(), **{name: new for name, new in changes.items() if new}})
    if mlflow is None or image is None:
        missing = "--mlflow" if mlflow is None else "--image"
        raise ConfigError(
            f"a server of your own needs {missing} too",
            where="--host",
            fix=f"give {missing}; `./bakeoff verify kubeflow --help` says what each option is",
        )
    if object_store:
        from benchmarks.kubeflow import data

        if not data_remote:
            fix = "name the bucket by --data-remote s3://bucket/prefix"
            raise ConfigError("an object store without a bucket", where="--object-store", fix=fix)
        data.required_credentials()
    return servers.make(
        host=host,
        mlflow=mlflow,
        mlflow_in_pods=mlflow_in_pods,
        object_store=object_store,
        data_remote=data_remote,
        image=image,
        namespace=namespace,
        context=context,
    )


def arm_of(on: ArmName, folder: Path, host: str | None, mlflow: str | None, **more: Any) -> KubeflowStack:
    """The arm of the server that a command's options mean.

    Raises:
        ConfigError: as `server_of`.
    """
    from benchmarks.kubeflow.stack_arm import KubeflowStack

    return KubeflowStack(folder, server_of(on, host, mlflow, **more))


def deploy(
    target: Annotated[Target, typer.Argument(help="Which pipeline.")],
    host: Host = None,
    image: Image = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            help="Without --host: the env file that `./bakeoff up kubeflow` was given, compose/.env by default."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Compile the pipeline and upload it as a version of `retrain`; what is there already stays the one version of it.

    A server that asks for a token gets the one in BAKEOFF_KFP_TOKEN.
    """
    import dataclasses
    import json as library

    from benchmarks import environments
    from benchmarks.kubeflow import deploy as deploying
    from benchmarks.kubeflow.api import KfpApi

    # MLflow has no part in it.
    server = server_of(ArmName.KUBEFLOW, host, host, image=image, env_file=env_file)
    environments.ensure("kubeflow")
    api = KfpApi(server.host, servers.token(), server.namespace)
    try:
        api.health()
        done = deploying.upload(api, deploying.compile_ir(server.image), deploying.commit())
    finally:
        api.rest.close()
    if json:
        print(library.dumps(dataclasses.asdict(done), indent=2))
        return
    what = "uploaded" if done.made else "there already"
    line = (
        f"{deploying.PIPELINE} {done.title} {what}: {server.host}/#/pipelines/details/{done.pipeline}/version/{done.id}"
    )
    out.print(line, soft_wrap=True, highlight=False, markup=False)


def verify(
    target: Annotated[Target, typer.Argument(help="What to verify.")],
    host: Host = None,
    mlflow: Mlflow = None,
    mlflow_in_pods: MlflowInPods = None,
    object_store: ObjectStore = None,
    data_remote: DataRemote = None,
    image: Image = None,
    namespace: Namespace = "kubeflow",
    context: Context = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            help="Without --host: the env file that `./bakeoff up kubeflow` was given, compose/.env by default."
        ),
    ] = None,
    month: Annotated[str, typer.Option(help="The month that is retrained on.")] = "2013-03",
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that each run may take; a task costs about 10 s and two pods.")
    ] = 900,
    any_version: Annotated[
        bool, typer.Option("--any-version", help="Go on with a server of another version than 2.17.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the runs, the experiment and the model there, to look at them.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write the report to this file: JSON with versions and digest, without secrets or addresses."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Prove that a Kubeflow Pipelines 2.17 server runs this project's pipeline as it must: about fifteen minutes.

    Uploads the pipeline twice (one version), runs it twice (the second takes the data from the cache, and only those),
    runs a failing case and finds its cause through the API, compares task states, artifacts, metrics, the registry and
    the model's digest with a plain run on this machine, and switches a recurring run on and off. Works on any server
    reached by URL, and assumes nothing about how it was installed.

    Everything is done under a model and an experiment called bakeoff-verify-..., removed at the end: models of yours
    are not touched. A server that asks for a token gets the one in BAKEOFF_KFP_TOKEN. Ends with 1 if a check fails.
    """
    from benchmarks.kubeflow import verify as verifying

    server = server_of(
        ArmName.KUBEFLOW,
        host,
        mlflow,
        mlflow_in_pods=mlflow_in_pods,
        object_store=object_store,
        data_remote=data_remote,
        image=image,
        namespace=namespace,
        context=context,
        env_file=env_file,
    )
    options = verifying.Options(month=month, timeout_s=timeout, any_version=any_version, keep=keep)
    done = verifying.verify(server, options, err, write_to=report)
    if json:
        print(done.model_dump_json(indent=2))
    else:
        out.print(verifying.table(done))
        out.print(verifying.last_words(done), soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if done.ok else 1)
