"""The images that the cluster needs: ours, built and loaded; the others, loaded where this machine can get them.

python -m benchmarks.kind.images        # prints kind/images.txt anew, out of the rendered manifests
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from benchmarks.kind import cluster, manifests, settings
from benchmarks.kind.settings import Target
from benchmarks.kubeflow import image
from benchmarks.places import ROOT, STATE
from benchmarks.stacks import engine
from benchmarks.stacks.build import Progress, failure
from benchmarks.stacks.engine import StackError

LIST = settings.MANIFESTS / "images.txt"
PULL_S = 900.0
#: Where the list's comment begins that holds as long as nobody has made it anew.
GATHERED = "# Gathered by reading"
#: What MLflow's image is made of.
_MLFLOW = (
    *("compose/Dockerfile", "compose/Dockerfile.dockerignore", "compose/install.sh", "compose/compile_imported.py"),
    *("locks/uv.txt", "locks/core.txt", "locks/core-servers.txt"),
)


def listed(path: Path = LIST) -> list[str]:
    """The images of kind/images.txt."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def upstream(tell: Callable[[str], None]) -> list[str]:
    """Every image of others that the cluster needs, as the manifests themselves name them."""
    folders = (settings.CLUSTER_SCOPED, settings.KFP)
    rendered = [each for folder in folders for each in manifests.documents(manifests.kfp(folder, tell))]
    return [*manifests.images(rendered), _postgres()]


def _postgres() -> str:
    objects = manifests.documents(settings.OURS / "postgres.yaml")
    return next(name for name in manifests.images(objects) if name.startswith("postgres:"))


def node_image() -> str:
    """The image of the node, which kind pulls."""
    config = yaml.safe_load(settings.CLUSTER_CONFIG.read_text())
    return str(config["nodes"][0]["image"])


def prefetch(target: Target, wanted: Iterable[str], tell: Callable[[str], None]) -> list[str]:
    """Copy images to the node, pulling those that the engine has not; what cannot be had is left to the node.

    Returns:
        The images that could neither be pulled nor copied.
    """
    there, missing = cluster.node_images(target), []
    for name in wanted:
        if cluster.canonical(name) in there:
            continue
        try:
            if not image.exists(name):
                tell(f"pulling {name}")
                engine.docker("image", "pull", "--quiet", name, timeout_s=PULL_S)
            tell(f"loading {name}")
            cluster.load(target, name)
        except StackError:
            missing.append(name)
    return missing


def mlflow_name(prefix: str = "bakeoff") -> str:
    """The name of MLflow's image: its tag is the hash of all that it is made of."""
    content = image.digest((name, (ROOT / name).read_bytes()) for name in _MLFLOW)
    return f"{prefix}-mlflow:{content[:12]}"


def ensure_mlflow(tell: Callable[[str], None], prefix: str = "bakeoff") -> str:
    """Build MLflow's image where the engine has none of this content.

    Raises:
        StackError: it cannot be built.
    """
    name = mlflow_name(prefix)
    if not image.exists(name):
        tell("MLflow's image")
        log = STATE / "kind" / "build-mlflow.log"
        build = ("build", "--load", "--file", "compose/Dockerfile", "--target", "mlflow", "--tag", name, ".")
        if engine.follow([engine.find_docker(), *build], engine.child_env(), log, Progress(tell).line, cwd=ROOT):
            raise failure(log)
    return name


def main() -> None:
    """Print the list anew, with the comment that it has."""
    found = [node_image(), *upstream(lambda line: print(line, file=sys.stderr))]
    print(anew(LIST.read_text(), found), end="")


def anew(text: str, found: list[str]) -> str:
    """The list with other images; what it says of how the former ones were found goes."""
    head = [line for line in text.partition(GATHERED)[0].splitlines() if line.startswith("#")]
    return "\n".join([*head, *found]) + "\n"


if __name__ == "__main__":
    main()
