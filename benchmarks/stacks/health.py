"""Is a stack truly healthy? Asked of the containers and, as JSON, of the tools' own APIs; a port proves nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.stacks.engine import Container
from benchmarks.stacks.env_file import EnvFile
from benchmarks.stacks.stack import Stack, Tool, mlflow_login

ANSWER_S = 10.0
_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


@dataclass
class Health:
    """What is still missing, and what will not come by waiting."""

    waiting: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """All that keeps the stack from being healthy."""
        return self.broken + self.waiting


def of_containers(
    stack: Stack, found: Iterable[Container], *, celery: bool, scale: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Service and what it still lacks; empty when all are as they should be.

    Args:
        stack: whose services.
        found: its containers.
        celery: with Airflow's workers.
        scale: how many containers a service should have; not asked of those that are not named.
    """
    standing = [each for each in found if not each.one_off]
    lacks = {}
    for name in (*stack.one_shots, *stack.expected(celery=celery)):
        every = [each for each in standing if each.service == name]
        wanted = (scale or {}).get(name, len(every) or 1)
        told = [_lack(each, one_shot=name in stack.one_shots) for each in every] or ["not there"]
        if lack := next(filter(None, told), "" if len(every) == wanted else f"{len(every)} of {wanted} there"):
            lacks[name] = lack
    return lacks


def _lack(each: Container, *, one_shot: bool) -> str:
    if one_shot and each.state == "exited":
        return f"failed with exit code {each.exit_code}" if each.exit_code else ""
    if one_shot or each.state != "running":
        return f"exited with code {each.exit_code}" if each.state == "exited" else each.state
    return "" if each.health in ("", "healthy") else each.health


def of_tool(stack: Stack, env: EnvFile) -> Health:
    """What the tool and MLflow say of themselves."""
    health = Health()
    ask = _ask_airflow if stack.tool is Tool.AIRFLOW else _ask_prefect
    for title, check in ((stack.title, ask), ("MLflow", _ask_mlflow)):
        try:
            check(stack, env, health)
        except httpx.HTTPStatusError as error:
            health.waiting.append(f"{title} answers {error.response.status_code} to {error.request.url.path}")
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            # No answer, or not the JSON of that API.
            health.waiting.append(f"{title}'s API does not answer yet ({type(error).__name__})")
    return health


def client(base_url: str, **more: Any) -> httpx.Client:
    """A client for a server on this machine: no proxy, no netrc."""
    return httpx.Client(base_url=base_url, timeout=ANSWER_S, trust_env=False, **more)


@contextlib.contextmanager
def airflow_client(stack: Stack, env: EnvFile) -> Iterator[httpx.Client]:
    """A client of Airflow's API that has logged in.

    Raises:
        httpx.HTTPError: no answer, or a refusal.
    """
    with client(stack.url(env)) as api:
        user, password = stack.login(env)
        token = api.post("/auth/token", json={"username": user, "password": password}).raise_for_status().json()
        api.headers["Authorization"] = f"Bearer {token['access_token']}"
        yield api


def _ask_airflow(stack: Stack, env: EnvFile, health: Health) -> None:
    with client(stack.url(env)) as api:
        parts = api.get("/api/v2/monitor/health").raise_for_status().json()
    sick = [f"{part} {parts[part]['status']}" for part in _PARTS if parts[part]["status"] != "healthy"]
    if sick:
        health.waiting.append(f"Airflow's own health: {', '.join(sick)}")
    if parts["metadatabase"]["status"] != "healthy":
        return  # nothing else can be asked
    if env.values.get("AIRFLOW_DAGS_BRANCH"):
        return  # what comes from a branch comes by a push, which the stack has to be up for, and another may mend it
    with airflow_client(stack, env) as api:
        answer = api.get("/api/v2/dags/retrain")
        if answer.status_code != 404:
            answer.raise_for_status()
        if answer.status_code == 404 or answer.json()["has_import_errors"]:
            errors = api.get("/api/v2/importErrors").raise_for_status().json()["import_errors"]
            for error in errors:
                last = error["stack_trace"].strip().splitlines()[-1]
                health.broken.append(f"{error['filename']} cannot be imported: {last}")
            if not errors:
                health.waiting.append("the DAG retrain is not parsed yet")


def _ask_prefect(stack: Stack, env: EnvFile, health: Health) -> None:
    with client(f"{stack.url(env)}/api", auth=stack.login(env)) as api:
        if api.get("/health").raise_for_status().json() is not True:
            health.waiting.append("Prefect's own health is not true")
        pool = api.get("/work_pools/bakeoff")
        if pool.status_code == 404:
            health.waiting.append("the work pool bakeoff is not made yet")
        else:
            status = pool.raise_for_status().json()["status"]
            if status != "READY":
                health.waiting.append(f"the work pool bakeoff is {status}")
            workers = api.post("/work_pools/bakeoff/workers/filter", json={}).raise_for_status().json()
            if not any(worker["status"] == "ONLINE" for worker in workers):
                health.waiting.append("no worker is online")
        deployment = api.get("/deployments/name/retrain/retrain")
        if deployment.status_code == 404:
            health.waiting.append("the deployment retrain/retrain is not made yet")
        else:
            deployment.raise_for_status()


def _ask_mlflow(stack: Stack, env: EnvFile, health: Health) -> None:
    # Not /health: that answers 200 even when the database is away.
    with client(stack.mlflow_url(env), auth=mlflow_login(env)) as api:
        api.post("/api/2.0/mlflow/experiments/search", json={"max_results": 1}).raise_for_status().json()
