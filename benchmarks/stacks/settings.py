"""Where a stack listens and what it asks for, as its clients need to know it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import ArmName
from benchmarks.stacks import env_file, registry
from benchmarks.stacks.engine import Compose
from benchmarks.stacks.stack import STACKS, Tool
from shared.errors import ConfigError


@dataclass(frozen=True)
class StackSettings:
    """One tool's stack."""

    name: ArmName
    compose: Compose
    #: Of the tool's own UI and API.
    address: str
    #: Of the stack's MLflow.
    tracking_uri: str
    #: User and password of the tool's API.
    login: tuple[str, str]


def settings(name: ArmName, path: Path | None = None) -> StackSettings:
    """Read one tool's settings.

    Args:
        name: airflow or prefect.
        path: env file of the stack; by default compose/.env.

    Raises:
        ConfigError: there is no stack of that arm.
        StackError: there is no such file, or a value is missing.
    """
    if name.value not in {tool.value for tool in Tool}:
        raise ConfigError(
            f"there is no compose stack of {name}",
            where=f"--on {name} --stack compose",
            fix="choose --on airflow or --on prefect, --stack kind for kubeflow, or leave --stack away",
        )
    env = env_file.read((path or env_file.DEFAULT).absolute())
    stack = STACKS[Tool(name)]
    stack.sign_in(env)
    return StackSettings(name, stack.bind(env), stack.url(env), stack.mlflow_url(env), stack.login(env))


def data_version() -> str:
    """The commit of the data registry that `./bakeoff up` has copied to the stack's volume.

    Raises:
        ConfigError: none was built here.
    """
    if not (registry.FOLDER / "registry" / ".git").exists():
        raise ConfigError(
            "this checkout has not given any data to a stack yet",
            where=str(registry.FOLDER),
            fix="run `./bakeoff up airflow` (or prefect) here: it also brings the data of a stack that is up to date",
        )
    return registry.commit()
