"""What a user of a tool writes beside Python: which files, and how many of their lines say something.

Apart are the *adapter's* settings, which go with the pipeline (what runs it, and when), and the *servers'*, which
whoever operates the tool writes once, with where things are and who may know what. `LEFT_OUT` names each other file of
the same folders, and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import ROOT, ArmName


@dataclass(frozen=True)
class Setting:
    """A file, or the part of it that is the tool's.

    Args:
        path: from the checkout's top.
        part: of pyproject.toml a table with all below it, of a Dockerfile a stage; '' is the whole file.
    """

    path: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.path} [{self.part}]" if self.part else self.path


@dataclass(frozen=True)
class Settings:
    """The settings of one arm."""

    adapter: tuple[Setting, ...] = ()
    servers: tuple[Setting, ...] = ()


def _of(*paths: str) -> tuple[Setting, ...]:
    return tuple(Setting(path) for path in paths)


_IMAGE = "compose/Dockerfile"
SETTINGS: dict[ArmName, Settings] = {
    ArmName.PLAIN: Settings(),
    ArmName.PREFECT: Settings(
        adapter=(
            *_of("prefect_impl/prefect.yaml", "prefect_impl/pool.json", "prefect_impl/automations.yaml"),
            Setting("pyproject.toml", "tool.prefect"),
        ),
        servers=(Setting("compose/prefect.yaml"), Setting(_IMAGE, "build-prefect"), Setting(_IMAGE, "prefect")),
    ),
    # Its schedules, retries, alerts and approvals are Python, in the DAG.
    ArmName.AIRFLOW: Settings(
        servers=(
            *_of("compose/airflow.yaml", "compose/airflow_init.sh"),
            *(Setting(_IMAGE, "build-airflow"), Setting(_IMAGE, "airflow")),
        ),
    ),
    # Its pods' room, places and secrets are Python, in the pipeline.
    ArmName.KUBEFLOW: Settings(
        servers=(
            *_of("kind/cluster.yaml", "kind/kfp/cluster-scoped/kustomization.yaml", "kind/kfp/kustomization.yaml"),
            *_of("kind/bakeoff/config.yaml"),
            *(Setting(_IMAGE, "build-kubeflow"), Setting(_IMAGE, "kubeflow"), Setting("compose/trim_step.sh")),
        ),
    ),
}
#: Files of the folders below that are counted for no tool, and why.
LEFT_OUT = {
    "airflow_impl/README.md": "documentation",
    "prefect_impl/README.md": "documentation",
    "kubeflow_impl/README.md": "documentation",
    "prefect_impl/previous.yaml": "an older version beside the present one, which a retraining does not need",
    "prefect_impl/graphs.yaml": "the benchmark's own graphs",
    "prefect_impl/ci.sh": "counted by `./bakeoff bench ci`",
    "compose/.env.example": "passwords and ports of all stacks",
    "compose/Dockerfile.dockerignore": "of the images of all tools",
    "compose/base.yaml": "MLflow and Postgres, which every tool's stack has",
    "compose/celery.yaml": "more workers than one machine needs",
    "compose/compile_imported.py": "of the images of all tools",
    "compose/graphs-airflow.yaml": "the benchmark's own graphs",
    "compose/graphs-prefect.yaml": "the benchmark's own graphs",
    "compose/install.sh": "of the images of all tools",
    "kind/bakeoff/kustomization.yaml": "MLflow and Postgres, which every tool's stack has",
    "kind/bakeoff/mlflow.yaml": "MLflow, which every tool's stack has",
    "kind/bakeoff/postgres.yaml": "MLflow's database, which every tool's stack has",
    "kind/images.txt": "written by a command; nothing reads it",
}
#: Where a user of a tool writes something beside Python.
FOLDERS = ("airflow_impl", "prefect_impl", "kubeflow_impl", "compose", "kind")


def lines(setting: Setting, root: Path = ROOT) -> list[str]:
    """The lines that are neither blank nor only a comment, without the space around them.

    Raises:
        LookupError: there is no such file, or it has no such part.
    """
    file = root / setting.path
    if not file.is_file():
        raise LookupError(f"there is no file {setting.path}")
    found = file.read_text().splitlines()
    if setting.part:
        found = list(_table(found, setting.part) if file.suffix == ".toml" else _stage(found, setting.part))
        if not found:
            raise LookupError(f"{setting.path} has no part {setting.part}")
    return [line for each in found if (line := each.strip()) and not line.startswith("#")]


def _table(text: list[str], name: str) -> Iterator[str]:
    inside = False
    for line in text:
        if line.startswith("["):
            table = line.strip("[] \t")
            inside = table == name or table.startswith(f"{name}.")
        if inside:
            yield line


def _stage(text: list[str], name: str) -> Iterator[str]:
    inside = False
    for line in text:
        if line.startswith("FROM "):
            inside = line.split()[-1] == name
        if inside:
            yield line
