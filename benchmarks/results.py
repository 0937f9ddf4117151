"""What a result file holds: figures, the machine and versions they were measured on, and the failures."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict

from benchmarks import environments
from benchmarks.places import ENVIRONMENT, ROOT, ArmName

Status = Literal["succeeded", "failed"]
#: The packages whose versions decide what an arm costs.
TOOL_PACKAGES: dict[ArmName, list[str]] = {
    ArmName.PLAIN: [],
    ArmName.PREFECT: ["prefect"],
    ArmName.AIRFLOW: ["apache-airflow"],
    ArmName.KUBEFLOW: ["kfp"],
}
_CORE = ["scikit-learn", "numpy", "pandas", "pyarrow", "mlflow", "dvc", "pandera"]


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Environment(_Figures):
    """The machine and the code."""

    date: str
    commit: str
    os: str
    machine: str
    cpu: str
    cpus: int
    memory_gib: float
    python: str


#: The fields of a retraining that must be equal on every arm, bit for bit.
SAME_EVERYWHERE = (
    *("month", "auc", "log_loss", "candidate", "promoted", "version", "model_digest", "data_version", "reason"),
)


class Retraining(_Figures):
    """One retraining on one arm; `seconds` from its trigger to its end, as the caller sees it."""

    month: str
    status: Status
    seconds: float | None = None
    auc: float | None = None
    log_loss: float | None = None
    candidate: str | None = None
    promoted: bool | None = None
    reason: str | None = None
    version: int | None = None
    model_digest: str | None = None
    data_version: str | None = None
    error: str | None = None

    @property
    def identity(self) -> tuple[Any, ...]:
        """What must be equal on every arm."""
        return tuple(getattr(self, name) for name in SAME_EVERYWHERE)


class ArmResult(_Figures):
    """One arm's retrainings. All figures in seconds of wall time."""

    name: ArmName
    #: As processes of the harness, or on the tool's real servers, which are up before the clock starts.
    stack: Literal["embedded", "compose", "kind"] = "embedded"
    status: Status
    #: From starting the arm until its last retraining had ended.
    seconds: float
    #: `seconds` less the plain arm's; None for the plain arm, and where either failed.
    overhead_s: float | None = None
    #: Of `seconds`: until the first step began.
    start_s: float | None = None
    #: Ending the arm's processes; not part of `seconds`.
    stop_s: float
    #: Building the environment, when that was done; packages that another arm had fetched come from the cache.
    install_s: float | None = None
    adapter_lines: int
    versions: dict[str, str]
    tracking_uri: str
    retrainings: list[Retraining]
    error: str | None = None


class DemoResult(_Figures):
    """The result file of `bakeoff demo`."""

    measure: Literal["demo"] = "demo"
    environment: Environment
    months: list[str]
    arms: list[ArmResult]
    #: Did every arm reach the same metrics, verdicts, versions and model digests, bit for bit?
    parity: bool


def environment() -> Environment:
    """Describe this machine and this checkout."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    # A result that has just been kept changes nothing of what is measured next.
    code = ["--", ".", ":!benchmarks/results"]
    dirty = subprocess.run(["git", "status", "--porcelain", "-uno", *code], cwd=ROOT, capture_output=True, text=True)
    return Environment(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=(commit.stdout.strip() or "unknown") + ("-dirty" if dirty.stdout.strip() else ""),
        os=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=_cpu(),
        cpus=psutil.cpu_count() or 0,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        python=platform.python_version(),
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def relative(uri: str) -> str:
    """A store's address as seen from the checkout: a result file shows no path of the machine it was made on."""
    return uri.replace(f"sqlite:///{ROOT}/", "sqlite:///")


def relative_path(path: Path) -> str:
    """A file as seen from the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def write(result: BaseModel, path: Path) -> None:
    """Write a result file; whoever reads it meanwhile, or after a crash, finds the former or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    half.write_text(result.model_dump_json(indent=2) + "\n")
    half.replace(path)


def versions(arm: ArmName) -> dict[str, str]:
    """Versions of the tool and of the core's libraries in one arm's environment."""
    found = environments.packages(ENVIRONMENT[arm])
    return {name: found[name] for name in packages(arm)}


def packages(arm: ArmName) -> list[str]:
    """The packages whose versions go into an arm's results."""
    return [*TOOL_PACKAGES[arm], *_CORE]


def lines_of_code(files: list[Path]) -> int:
    """Lines of Python that are neither blank nor only a comment; docstrings count."""
    lines = [line.strip() for path in files for line in path.read_text().splitlines()]
    return sum(1 for line in lines if line and not line.startswith("#"))


def parity(arms: list[ArmResult]) -> bool:
    """Have all arms succeeded, and reached the same result for every month?"""
    done = all(arm.status == "succeeded" for arm in arms)
    return done and len({tuple(each.identity for each in arm.retrainings) for arm in arms}) == 1
