"""What is applied to the cluster: KFP's manifests, rendered once and kept, and ours with this cluster's secrets."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from benchmarks.kind import settings, tools
from benchmarks.kind.settings import FORWARDS, Target
from benchmarks.kind.tools import Kubectl
from benchmarks.places import STATE
from benchmarks.stacks.engine import StackError

#: KFP's repository is large, and its kustomizations fetch Argo's as well.
FETCH_S = 900.0
#: KFP's own Secret with the keys of its object store.
OBJECT_STORE_SECRET = "mlpipeline-minio-artifact"
#: What the pipeline's pods are told by (`kubeflow_impl`), and who makes it.
SECRETS = ("bakeoff-data", "bakeoff-postgres")


def kfp(kustomization: Path, tell: Callable[[str], None], timeout_s: float = FETCH_S) -> Path:
    """KFP's manifests of one kustomization, rendered; kept, so that the next cluster needs no network.

    Raises:
        StackError: they cannot be fetched.
    """
    text = (kustomization / "kustomization.yaml").read_bytes()
    name = f"kfp-{settings.KFP_VERSION}-{kustomization.name}-{hashlib.sha256(text).hexdigest()[:12]}.yaml"
    kept = STATE / "kind" / "manifests" / name
    if kept.exists():
        return kept
    tell(f"fetching KFP {settings.KFP_VERSION}'s manifests ({kustomization.name})")
    try:
        rendered = tools.kustomize(kustomization, timeout_s)
    except StackError as error:
        raise StackError(
            f"KFP's manifests could not be fetched: {error.what}",
            where=f"kubectl kustomize {kustomization}",
            fix="see that git is installed and github.com can be reached, then run the same command again",
        ) from error
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_text(rendered)
    part.replace(kept)
    return kept


def documents(rendered: Path | str) -> list[dict[str, Any]]:
    """The objects of a rendered file or text."""
    text = rendered.read_text() if isinstance(rendered, Path) else rendered
    return [each for each in yaml.safe_load_all(text) if each]


def definitions(objects: list[dict[str, Any]]) -> list[str]:
    """The names of the custom resource definitions among some objects."""
    return [each["metadata"]["name"] for each in objects if each["kind"] == "CustomResourceDefinition"]


def images(objects: list[dict[str, Any]]) -> list[str]:
    """Every image that some objects need, also those that are named in variables and arguments only."""
    found: set[str] = set()
    for each in objects:
        for container in containers(each):
            found.add(container["image"])
            for variable in container.get("env") or []:
                if re.fullmatch(r"V2_(DRIVER|LAUNCHER)_IMAGE", variable["name"]) and variable.get("value"):
                    found.add(variable["value"])
            arguments = [*(container.get("command") or []), *(container.get("args") or [])]
            found.update(after for name, after in pairwise(arguments) if name == "--executor-image")
    return sorted(found)


def containers(thing: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All containers of what makes pods, init containers too."""
    spec = thing.get("spec") or {}
    pod = spec if thing["kind"] == "Pod" else ((spec.get("template") or {}).get("spec") or {})
    yield from pod.get("initContainers") or []
    yield from pod.get("containers") or []


def overlay(target: Target, mlflow_image: str, object_store: tuple[str, str], postgres_password: str) -> Path:
    """Write the overlay of ours for one cluster: its secrets, MLflow's image, the browser's addresses.

    Args:
        target: the cluster; its folder becomes the kustomization.
        mlflow_image: what MLflow runs.
        object_store: access key and secret key of KFP's object store.
        postgres_password: of MLflow's database.

    Returns:
        The folder, for `kubectl apply --kustomize`.
    """
    folder = target.folder
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    key, secret = object_store
    data = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_ENDPOINT_URL": settings.OBJECT_STORE_IN_PODS,
    }
    _private(folder / "data.env", "".join(f"{name}={value}\n" for name, value in data.items()))
    _private(folder / "postgres.env", f"POSTGRES_PASSWORD={postgres_password}\n")
    kubeflow, mlflow, _ = FORWARDS
    addresses = {"BAKEOFF_KFP_UI": target.address(kubeflow), "BAKEOFF_MLFLOW_UI": target.address(mlflow)}
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bakeoff"}, "data": addresses}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": settings.NAMESPACE,
        "resources": [os.path.relpath(settings.OURS, folder.resolve())],
        "images": [{"name": "bakeoff-mlflow", **_image(mlflow_image)}],
        "patches": [{"patch": yaml.safe_dump(patch)}],
        # The pipeline refers to them by name, so their names end in no hash.
        "generatorOptions": {
            "disableNameSuffixHash": True,
            "labels": dict([settings.PART_OF.split("=")]),
        },
        "secretGenerator": [
            {"name": "bakeoff-data", "envs": ["data.env"]},
            {"name": "bakeoff-postgres", "envs": ["postgres.env"]},
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization, sort_keys=False))
    return folder


def secret(kubectl: Kubectl, name: str) -> dict[str, str]:
    """What a Secret of the cluster holds; nothing when there is none.

    Raises:
        StackError: the cluster does not answer.
    """
    found = kubectl.get("secret", name)
    data = found[0].get("data") or {} if found else {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def object_store(kubectl: Kubectl) -> tuple[str, str]:
    """The keys of KFP's object store, as KFP's own Secret has them.

    Raises:
        StackError: there is no such Secret.
    """
    held = secret(kubectl, OBJECT_STORE_SECRET)
    if not held.get("accesskey") or not held.get("secretkey"):
        raise StackError(
            "KFP's Secret with the keys of its object store is missing or empty",
            where=f"Secret {OBJECT_STORE_SECRET} in namespace {kubectl.namespace} of {kubectl.context}",
            fix="see that KFP standalone is installed there: `./bakeoff status kubeflow`",
        )
    return held["accesskey"], held["secretkey"]


def postgres_password(kubectl: Kubectl) -> str:
    """The password of MLflow's database: the cluster's own, or a new one where it has none yet.

    The database keeps the password of its first start, so what the cluster holds counts, not a file of ours.
    """
    return secret(kubectl, "bakeoff-postgres").get("POSTGRES_PASSWORD") or secrets.token_urlsafe(24)


def _image(reference: str) -> dict[str, str]:
    """As kustomize's `images` wants it."""
    name, at, digest = reference.partition("@")
    last = name.rpartition("/")[2]
    tag = last.partition(":")[2]
    made = {"newName": name.removesuffix(f":{tag}") if tag else name}
    return {**made, "digest": digest} if at else {**made, "newTag": tag}


def _private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, also while it is written."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    part.replace(path)
