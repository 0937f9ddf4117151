"""Bring Kubeflow Pipelines up on a cluster, and take it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import environments
from benchmarks.display import Display
from benchmarks.kind import cluster, doctor, forward, images, manifests, settings, waiting
from benchmarks.kind.settings import FORWARDS, Target
from benchmarks.kind.tools import Kubectl
from benchmarks.kubeflow import data, image, server
from benchmarks.stacks import doctor as stack_doctor
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.lifecycle import only_one, teller
from shared.errors import ConfigError

APPLY_S = 180.0
ESTABLISHED_S = 120
#: What is ours and may go with `down` on somebody else's cluster; what holds data only when asked.
_KINDS = "deployments,statefulsets,services,configmaps,secrets"
_VOLUMES = "persistentvolumeclaims"
#: By this name `kubectl apply --server-side` knows next time what it has written.
_MANAGER = ("--server-side", "--force-conflicts", "--field-manager", "bakeoff")


@dataclass(frozen=True)
class Up:
    """A cluster with all that the pipeline needs."""

    cluster: str
    context: str
    url: str
    mlflow_url: str
    object_store: str
    image: str
    data_rev: str  # commit of the data registry
    not_loaded: list[str]  # images that are left to the node to pull

    def json_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"tool": "kubeflow", **asdict(self)}


def up(target: Target, console: Console, *, step_image: str | None = None, mlflow_image: str | None = None) -> Up:
    """Have the cluster, install what is missing, wait until all is ready, push the data; what is done costs seconds.

    Args:
        target: the cluster.
        console: for progress.
        step_image: what the pipeline's pods run, on a cluster of somebody else's.
        mlflow_image: what MLflow runs, on a cluster of somebody else's.

    Raises:
        StackError: with the cause and the remedy.
    """
    _check_images(target, step_image, mlflow_image)
    stack_doctor.require(doctor.checks(target))
    with only_one(target.name):
        try:
            return _up(target, console, step_image, mlflow_image)
        except KeyboardInterrupt:
            console.print(
                "what is made and installed stays: the same command goes on,"
                f" `./bakeoff down kubeflow{target.options}` removes it",
                highlight=False,
                soft_wrap=True,
            )
            raise


def _up(target: Target, console: Console, step_image: str | None, mlflow_image: str | None) -> Up:
    kubectl = Kubectl.of(target)
    with Display(console, [target.name]) as display:
        tell = teller(display, target.name)
        if not environments.is_ready("kubeflow"):
            tell("building the kubeflow environment, which pushes the data")
            environments.ensure("kubeflow")
        tell("building the image of the steps")
        step = step_image or image.ensure(lambda line: tell(f"building: {line}"), target.prefix)
        mlflow = mlflow_image or images.ensure_mlflow(lambda line: tell(f"building: {line}"), target.prefix)
        not_loaded: list[str] = []
        if target.kind:
            cluster.ensure(target, tell)
            for each in (step, mlflow):
                if cluster.canonical(each) not in cluster.node_images(target):
                    tell(f"loading {each}")
                    cluster.load(target, each)
                cluster.require_image(target, each)
        if not _has_foreign_kfp(kubectl) and not _is_ready(kubectl):
            if target.kind:
                wanted = images.upstream(tell)
                if unlisted := sorted(set(wanted) - set(images.listed())):
                    display.console.print(f"not in kind/images.txt: {', '.join(unlisted)}", highlight=False)
                not_loaded = images.prefetch(target, wanted, tell)
            _install_kfp(kubectl, tell)
        _install_ours(target, kubectl, mlflow, tell)
        waiting.until_ready(kubectl, tell)
        tell("forwarding the ports")
        forward.start(target, tell)
        tell("pushing the data to the object store")
        kubeflow, ml, store = (target.address(each) for each in FORWARDS)
        commit = data.push(settings.DATA_REMOTE, store, *manifests.object_store(kubectl))
        server.write(
            server.Server(
                host=kubeflow, mlflow=ml, object_store=store, data_remote=settings.DATA_REMOTE, image=step,
                mlflow_in_pods=settings.MLFLOW_IN_PODS, namespace=settings.NAMESPACE, context=target.context,
            ),
            target.name,
        )  # fmt: skip
        display.end(target.name, "[green]ready[/green]")
    return Up(target.name, target.context, kubeflow, ml, store, step, commit, not_loaded)


def _check_images(target: Target, step_image: str | None, mlflow_image: str | None) -> None:
    given = {"--image": step_image, "--mlflow-image": mlflow_image}
    if target.kind:
        if said := [name for name, value in given.items() if value]:
            fix = "leave it out: what Kind's node runs is built here and copied to it"
            raise ConfigError("this option is for a cluster that is there already", where=", ".join(said), fix=fix)
        return
    for name, value in given.items():
        if not value:
            fix = f"push the image to a registry that the cluster reaches, and name it: {name} REGISTRY/NAME:TAG"
            raise ConfigError("a cluster that is there already cannot get images of this machine", where=name, fix=fix)
        tag = value.rpartition("/")[2].partition(":")[2]
        if "@" not in value and tag in ("", "latest"):
            fix = "name it with a tag that is not latest, or a digest"
            raise ConfigError(f"{value} is another image every day", where=name, fix=fix)


def _is_ready(kubectl: Kubectl) -> bool:
    """Is this version installed and ready already? Then nothing of KFP is applied again."""
    found = [image for each in kubectl.get("deployment", "ml-pipeline") for image in manifests.images([each])]
    return any(image.endswith(f":{settings.KFP_VERSION}") for image in found) and not waiting.lacks(kubectl)


def _has_foreign_kfp(kubectl: Kubectl) -> bool:
    """Has somebody else installed KFP in this namespace? Then it is used as it is."""
    found = kubectl.get("deployment", "ml-pipeline", "--show-managed-fields")
    if not found:
        return False
    managers = {each.get("manager") for each in found[0]["metadata"].get("managedFields") or []}
    return "bakeoff" not in managers


def _install_kfp(kubectl: Kubectl, tell: Callable[[str], None]) -> None:
    scoped, kfp = manifests.kfp(settings.CLUSTER_SCOPED, tell), manifests.kfp(settings.KFP, tell)
    for what, arguments, timeout_s in steps(scoped, manifests.definitions(manifests.documents(scoped)), kfp):
        tell(what)
        kubectl.run(*arguments, timeout_s=timeout_s)


def steps(scoped: Path, definitions: list[str], kfp: Path) -> list[tuple[str, list[str], float]]:
    """KFP's installation: first what is of the whole cluster, then, when its definitions are established, KFP itself.

    Returns:
        For each step what it does, kubectl's arguments, and how many seconds it may take.
    """
    apply = ["apply", *_MANAGER, "--filename"]
    wait = ["wait", "--for", "condition=established", f"--timeout={ESTABLISHED_S}s"]
    return [
        ("installing KFP's definitions and roles", [*apply, str(scoped)], APPLY_S),
        ("waiting for KFP's definitions", [*wait, *(f"crd/{name}" for name in definitions)], ESTABLISHED_S + 10),
        (f"installing KFP {settings.KFP_VERSION}", [*apply, str(kfp)], APPLY_S),
    ]


def _install_ours(target: Target, kubectl: Kubectl, mlflow: str, tell: Callable[[str], None]) -> None:
    tell("installing MLflow and its database")
    keys, password = manifests.object_store(kubectl), manifests.postgres_password(kubectl)
    folder = manifests.overlay(target, mlflow, keys, password)
    kubectl.run("apply", *_MANAGER, "--kustomize", str(folder), timeout_s=APPLY_S)


def down(target: Target, console: Console, *, volumes: bool = False) -> str:
    """Delete the Kind cluster if it is ours; of somebody else's cluster, only what is ours on it.

    Args:
        target: the cluster.
        console: for progress.
        volumes: on somebody else's cluster, also what MLflow and its database hold; a Kind cluster keeps nothing.

    Returns:
        What was removed and what is kept.

    Raises:
        StackError: kind, kubectl or the engine is missing, or the cluster is not ours.
    """
    with only_one(target.name):
        forwarded = forward.stop(target)
        if target.kind is None:
            said = _remove_ours(target, console, volumes)
        elif not cluster.exists(target):
            said = f"{target.name} is not up; nothing is kept" + ("; its forwards were ended" if forwarded else "")
        else:
            said = _delete(target, console)
        for name in ("server.json", "creating", "data.env", "postgres.env", "kustomization.yaml"):
            (target.folder / name).unlink(missing_ok=True)
        return said


def _delete(target: Target, console: Console) -> str:
    unfinished = (target.folder / "creating").exists()
    if not unfinished and not _is_ours_or_dead(target):
        raise StackError(
            f"the Kind cluster {target.kind} is not one that `./bakeoff up kubeflow` has made: it is left alone",
            where=f"context {target.context}",
            fix=f"if it may go: `kind delete cluster --name {target.kind}`",
        )
    with Display(console, [target.name]) as display:
        display.begin(target.name, "deleting the Kind cluster")
        cluster.delete(target)
        display.end(target.name, "down")
    return f"{target.name}: deleted the Kind cluster, with all that it held; the images stay in the engine"


def _is_ours_or_dead(target: Target) -> bool:
    """Is it ours, or does it not answer but carry what only `up` leaves here?"""
    try:
        return cluster.is_ours(target)
    except StackError:
        return (target.folder / "kustomization.yaml").exists()


def _remove_ours(target: Target, console: Console, volumes: bool) -> str:
    kinds = f"{_KINDS},{_VOLUMES}" if volumes else _KINDS
    with Display(console, [target.name]) as display:
        display.begin(target.name, "removing what is ours")
        # The claim of the database's volume was made by its StatefulSet, and has the label of its template.
        told = Kubectl.of(target).run(
            "delete", kinds, "--selector", settings.PART_OF, "--ignore-not-found", timeout_s=180
        )
        display.end(target.name, "down")
    removed = len([line for line in told.splitlines() if " deleted" in line])
    kept = "" if volumes else ", and the volumes of MLflow and its database (--volumes removes them)"
    return f"{target.name}: removed {removed} objects of ours; kept: Kubeflow Pipelines{kept}"
