"""What belongs to each tool's stack: compose files, services, ports, memory."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from benchmarks.places import ROOT
from benchmarks.stacks import env_file
from benchmarks.stacks.engine import Compose
from benchmarks.stacks.env_file import EnvFile

COMPOSE = ROOT / "compose"
#: As base.yaml makes it.
MLFLOW_USER = "bakeoff"
#: Memory that Redis and two Celery workers need beyond the plain stack.
CELERY_GIB = 2


class Tool(StrEnum):
    """The tools that have a stack of containers."""

    AIRFLOW = "airflow"
    PREFECT = "prefect"


@dataclass(frozen=True)
class Stack:
    """One tool's stack."""

    tool: Tool
    title: str
    files: tuple[str, ...]
    services: tuple[str, ...]  # that keep running
    one_shots: tuple[str, ...]  # that have to end with exit code 0
    port: str  # the variable with the port of the tool's own UI and API
    mlflow_port: str
    memory_gib: int
    more_files: tuple[str, ...] = field(default=())  # with --celery
    more_services: tuple[str, ...] = field(default=())
    #: Where the env file names graphs for `./bakeoff bench`.
    graphs_file: str = ""
    #: The service of which there may be several, and how many there are unless asked for otherwise.
    worker: str = ""
    workers: int = 1

    def needed_gib(self, *, celery: bool) -> int:
        """Memory that the engine must have."""
        return self.memory_gib + (CELERY_GIB if celery and self.more_services else 0)

    @property
    def ports(self) -> dict[str, str]:
        """Variable and what listens there."""
        return {self.port: self.title, self.mlflow_port: "MLflow"}

    def expected(self, *, celery: bool) -> tuple[str, ...]:
        """The services that keep running."""
        return self.services + (self.more_services if celery else ())

    def scale(self, workers: int | None, *, celery: bool) -> dict[str, int]:
        """How many containers each service has that may have several."""
        there = self.worker in self.expected(celery=celery)
        return {self.worker: workers or self.workers} if there else {}

    def project(self, prefix: str) -> str:
        """The compose project's name."""
        return f"{prefix}-{self.tool}"

    def bind(self, env: EnvFile, *, celery: bool = False) -> Compose:
        """Compose, bound to this stack as the env file has it."""
        names = self.files + (self.more_files if celery else ())
        if self.graphs_file and env.values.get("BAKEOFF_GRAPHS"):
            names += (self.graphs_file,)
        return Compose(
            project=self.project(env.prefix),
            env_file=env.path,
            files=tuple(COMPOSE / name for name in names),
            names=frozenset(env.values),
            more_env={"BAKEOFF_REVISION": revision()},
        )

    def url(self, env: EnvFile) -> str:
        """Where the tool's own UI is."""
        return f"http://127.0.0.1:{env.port(self.port)}"

    def mlflow_url(self, env: EnvFile) -> str:
        """Where this stack's MLflow server is."""
        return f"http://127.0.0.1:{env.port(self.mlflow_port)}"

    def sign_in(self, env: EnvFile) -> None:
        """Let MLflow's client, in this process and those that it starts, know the password of the stack's MLflow."""
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = mlflow_login(env)

    def login(self, env: EnvFile) -> tuple[str, str]:
        """User and password of the tool's UI and API."""
        if self.tool is Tool.AIRFLOW:
            return "admin", env.values["AIRFLOW_ADMIN_PASSWORD"]
        user, _, password = env.values["PREFECT_AUTH_STRING"].partition(":")
        return user, password


AIRFLOW = Stack(
    tool=Tool.AIRFLOW,
    title="Airflow",
    files=("base.yaml", "airflow.yaml"),
    services=(
        *("postgres", "mlflow"),
        *("airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"),
    ),
    one_shots=("airflow-init",),
    port="AIRFLOW_PORT",
    mlflow_port="AIRFLOW_MLFLOW_PORT",
    memory_gib=4,
    graphs_file="graphs-airflow.yaml",
    more_files=("celery.yaml",),
    more_services=("redis", "airflow-worker"),
    worker="airflow-worker",
    workers=2,
)
PREFECT = Stack(
    tool=Tool.PREFECT,
    title="Prefect",
    files=("base.yaml", "prefect.yaml"),
    services=("postgres", "mlflow", "prefect-server", "prefect-worker"),
    one_shots=("prefect-deploy",),
    port="PREFECT_PORT",
    mlflow_port="PREFECT_MLFLOW_PORT",
    memory_gib=2,
    graphs_file="graphs-prefect.yaml",
    worker="prefect-worker",
)
STACKS: dict[Tool, Stack] = {Tool.AIRFLOW: AIRFLOW, Tool.PREFECT: PREFECT}


def mlflow_login(env: EnvFile) -> tuple[str, str]:
    """User and password of a stack's MLflow."""
    return MLFLOW_USER, env.values["MLFLOW_PASSWORD"]


def prefix(path: Path) -> str:
    """The prefix of the projects, even when the rest of the env file is not (or no longer) usable."""
    return env_file.read_one("STACK", path)


def revision() -> str:
    """The commit of the code that goes into the images."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"
