"""Where a stack listens and what it asks for, out of its env file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from benchmarks.places import ROOT, ArmName
from benchmarks.stacks import registry
from shared.errors import ConfigError

ENV_FILE = ROOT / "compose" / ".env"
_PREFIX = {ArmName.AIRFLOW: "AIRFLOW", ArmName.PREFECT: "PREFECT"}
_SECRET = {ArmName.AIRFLOW: "AIRFLOW_ADMIN_PASSWORD", ArmName.PREFECT: "PREFECT_AUTH_STRING"}


@dataclass(frozen=True)
class StackSettings:
    """One tool's stack, as its clients need to know it."""

    name: ArmName
    #: The compose project.
    project: str
    env_file: Path
    address: str
    tracking_uri: str
    #: Airflow's admin password, or Prefect's user:password.
    secret: str


def settings(name: ArmName, env_file: Path | None = None) -> StackSettings:
    """Read one tool's settings.

    Args:
        name: airflow or prefect.
        env_file: of the stack; by default compose/.env.

    Raises:
        ConfigError: there is no such stack, no such file, or a value is missing.
    """
    if name not in _PREFIX:
        raise ConfigError(
            f"there is no compose stack of {name}",
            where=f"--on {name} --stack compose",
            fix="choose --on airflow or --on prefect, or leave --stack away",
        )
    path = (env_file or ENV_FILE).absolute()
    if not path.is_file():
        raise ConfigError(
            "no stack has been started with this env file: it is not there",
            where=str(path),
            fix=f"run `./bakeoff up {name}`{f' --env-file {env_file}' if env_file else ''}",
        )
    values = dotenv_values(path)
    prefix = _PREFIX[name]
    wanted = ("STACK", f"{prefix}_PORT", f"{prefix}_MLFLOW_PORT", _SECRET[name])
    if missing := [key for key in wanted if not values.get(key)]:
        raise ConfigError(
            f"the env file has no value for {', '.join(missing)}",
            where=str(path),
            fix="compose/.env.example names every variable",
        )
    stack, port, mlflow, secret = (str(values[key]) for key in wanted)
    return StackSettings(
        name=name,
        project=f"{stack}-{name}",
        env_file=path,
        address=f"http://127.0.0.1:{port}",
        tracking_uri=f"http://127.0.0.1:{mlflow}",
        secret=secret,
    )


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
