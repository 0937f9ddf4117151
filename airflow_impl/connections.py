"""Other servers, as tasks know them: by Airflow's connections, never by the environment of its services."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException


def find(name: str) -> Connection | None:
    """A connection from wherever this Airflow keeps them; None where nobody has defined it."""
    try:
        return Connection.get(name)
    except AirflowNotFoundException:
        return None


def mlflow_login(context: Any) -> None:
    """Before a task's own work: MLflow's client, in this process alone, gets the login of the connection `mlflow`.

    Airflow masks the password in whatever the task logs from now on.
    """
    if login := find("mlflow"):
        os.environ["MLFLOW_TRACKING_USERNAME"] = login.login or ""
        os.environ["MLFLOW_TRACKING_PASSWORD"] = login.password or ""
