"""Which pictures are worth taking: the pages that a user of each tool would open after a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from benchmarks.screenshots.places import Airflow, Prefect, ScreenshotError
from benchmarks.screenshots.shots import Session, Shot

DAG = "retrain"
_HINT = "run one first: `./bakeoff retrain --on {} --stack compose --month 2013-05`"


def of_airflow(airflow: Airflow, mlflow: tuple[str, str]) -> list[Session]:
    """The latest DAG run that promoted, or else the latest that succeeded."""
    runs = airflow.ask(f"/dags/{DAG}/dagRuns?state=success&order_by=-start_date&limit=20")["dag_runs"]
    run = _first(runs, lambda each: _promoted(airflow, each["dag_run_id"]), airflow.address, "airflow")
    run_id = quote(run["dag_run_id"])
    page = f"{airflow.address}/dags/{DAG}/runs/{run_id}"
    run_shot = Shot("airflow-run.png", page, see=("register", "logistic_regression"))
    shots = (
        Shot("airflow-log.png", f"{page}/tasks/evaluate", see=("verdict",)),
        Shot("airflow-link.png", f"{page}/tasks/evaluate/details", see=("MLflow run",)),
        Shot("airflow-verdict.png", f"{page}/tasks/gate/rendered_templates", see=("AUC gain",)),
        Shot(
            "airflow-asset.png",
            f"{airflow.address}/assets/{_champion(airflow)}",
            see=("Asset Event",),
            click=(".codicon-folding-collapsed",),
        ),
    )
    user = {"_token": airflow.token}
    sessions = [
        Session((run_shot,), user, {"default_dag_view": '"graph"', **_panels("graph", 55)}),
        Session(shots, user, {"default_dag_view": '"grid"', **_panels("grid", 25)}),
    ]
    links = airflow.ask(f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/evaluate/links")["extra_links"]
    return sessions + _mlflow(links.get("MLflow run"), "airflow", mlflow)


def _panels(view: str, share: int) -> dict[str, str]:
    """How wide the left part of a page is (per cent), as Airflow's UI remembers it."""
    layout = {"details-panel,main-panel": {"expandToSizes": {}, "layout": [share, 100 - share]}}
    return {f"react-resizable-panels:{view}-ltr": json.dumps(layout)}


def _promoted(airflow: Airflow, run_id: str) -> bool:
    found = airflow.ask(f"/dags/{DAG}/dagRuns/{quote(run_id)}/taskInstances/register")
    return bool(found["state"] == "success")


def _champion(airflow: Airflow) -> int:
    [asset] = [each for each in airflow.ask("/assets?name_pattern=champion")["assets"] if each["name"] == "champion"]
    return int(asset["id"])


def of_prefect(prefect: Prefect, mlflow: tuple[str, str]) -> list[Session]:
    """The latest flow run that promoted, or else the latest that completed."""
    wanted = {"flows": {"name": {"any_": [DAG]}}, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    runs = prefect.ask("/flow_runs/filter", {**wanted, "sort": "START_TIME_DESC", "limit": 20})
    run = _first(runs, lambda each: each["state"]["name"] == "Promoted", prefect.address, "prefect")
    made = prefect.ask("/artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    artifacts = {each["key"]: each for each in made if each["key"]}
    page = f"{prefect.address}/runs/flow-run/{run['id']}"
    shots = [
        Shot("prefect-run.png", page, see=(run["name"], "train-logistic_regression")),
        Shot("prefect-artifacts.png", page, see=("candidates",), click=("text=Artifacts >> nth=0",)),
        Shot(
            "prefect-verdict.png",
            f"{prefect.address}/artifacts/artifact/{artifacts['verdict']['id']}",
            see=("challenger",),
        ),
        Shot("prefect-deployment.png", f"{prefect.address}/deployments", see=(DAG,)),
    ]
    link = artifacts.get("mlflow-run", {}).get("data", "")
    storage = {"prefect-password": prefect.encoded} if prefect.auth else {}
    return [Session(tuple(shots), storage=storage), *_mlflow(link.partition("](")[2].rstrip(")"), "prefect", mlflow)]


def _mlflow(page: str | None, tool: str, login: tuple[str, str]) -> list[Session]:
    no_chat = {"mlflow.assistant.panelOpen_v1": "false", "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true"}
    see = "Retraining on the arrival"
    if not page:
        return []
    shot = Shot(f"mlflow-{tool}.png", page, see=(see, "log loss"), click=("text=Show more",))
    return [Session((shot,), storage=no_chat, http_login=login)]


def _first(runs: Iterable[Any], better: Any, address: str, tool: str) -> Any:
    """The first run that is better, else the first."""
    every = list(runs)
    if not every:
        raise ScreenshotError("there is no finished run to show", where=address, fix=_HINT.format(tool))
    return next((run for run in every if better(run)), every[0])
