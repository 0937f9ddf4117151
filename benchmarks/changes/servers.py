"""What a tool's own API says of a change: is the new version there, how did its run end, what does the run show."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from benchmarks.changes import standing
from benchmarks.changes.scenarios import MONTH, Sign
from benchmarks.stacks import engine
from benchmarks.stacks.airflow_api import DAG as RETRAIN
from benchmarks.stacks.airflow_api import AirflowApi
from benchmarks.stacks.follow import Look, State, seconds
from benchmarks.stacks.prefect_api import PrefectApi
from benchmarks.stacks.rest import Refused
from shared.config import parse_config
from shared.errors import BakeoffError

#: Of one candidate, as the small retrainings.
_CONFIG = parse_config({"month": MONTH, "candidates": [{"name": "logistic_regression"}]})
_MANY = 200
#: The bare repository that Prefect's flows are cloned from (patches/prefect/git-way.patch).
FLOWS = "/code/flows.git"


@dataclass(frozen=True)
class Expected:
    """The new version.

    Args:
        commit: what it is of.
        cron: its schedule, where that is what has changed.
    """

    commit: str
    cron: str = ""


@dataclass(frozen=True)
class Run:
    """How a run stands, and the steps of it that have ended in success."""

    state: State
    steps: frozenset[str] = frozenset()
    #: What the tool adds, such as why it has failed.
    message: str = ""


class Server(Protocol):
    """What is asked. A server that is being restarted answers with a `BakeoffError`."""

    #: Where its runs are: `Change.ran_on`.
    place: str

    def shows(self, sign: Sign, expected: Expected) -> bool:
        """Does a sign say that the new version would be started?"""
        ...

    def schedule(self) -> tuple[str, str]:
        """The cron of the monthly retraining and its next run, as the server tells them; '' for what it does not."""
        ...

    def runs(self) -> list[str]:
        """Ids of the newest runs, the newest first."""
        ...

    def look(self, run: str) -> Run:
        """A run now."""
        ...

    def log(self, run: str) -> str:
        """All that the steps of a run have logged."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class AirflowServer:
    """Airflow on a compose stack.

    Args:
        address: of the api-server.
        login: user and password.
        project: the stack.
    """

    place = "server"
    MONTHLY = "retrain_monthly"

    def __init__(self, address: str, login: tuple[str, str], project: str) -> None:
        self._api, self._project = AirflowApi(address, login), project
        self._runs = f"/api/v2/dags/{RETRAIN}/dagRuns"

    def shows(self, sign: Sign, expected: Expected) -> bool:
        match sign:
            case Sign.VERSION:
                return bool(self._dag(RETRAIN)["bundle_version"] == expected.commit)
            case Sign.PARSED:
                parsed = seconds(self._dag(RETRAIN)["last_parsed_time"])
                commit, since = standing.revision(self._project, "airflow-dag-processor")
                return commit == expected.commit and (parsed or 0) > (seconds(since) or 0)
            case Sign.IMAGE:
                return standing.revision(self._project, "airflow-scheduler")[0] == expected.commit
            case Sign.CRON:
                cron, following = self.schedule()
                return cron == expected.cron and bool(following)
        raise AssertionError(sign)

    def schedule(self) -> tuple[str, str]:
        dag = self._dag(self.MONTHLY)
        return dag["timetable_summary"] or "", dag["next_dagrun_run_after"] or ""

    def runs(self) -> list[str]:
        told = self._api.ask("GET", self._runs, params={"order_by": "-id", "limit": 50})
        return [each["dag_run_id"] for each in told["dag_runs"]]

    def look(self, run: str) -> Run:
        return _run(self._api.look(run, _CONFIG))

    def log(self, run: str) -> str:
        lines: list[str] = []
        for attempt in self._api.look(run, _CONFIG).attempts:
            task = attempt.task
            path = f"{self._runs}/{quote(run)}/taskInstances/{task['task_id']}/logs/{max(task['try_number'], 1)}"
            query = {"full_content": "true", "map_index": task["map_index"]}
            with contextlib.suppress(Refused):  # one that was skipped has none
                told = self._api.ask("GET", path, params=query, headers={"Accept": "application/json"})["content"]
                lines += [str(line.get("event", "")) if isinstance(line, dict) else str(line) for line in told]
        return "\n".join(lines)

    def close(self) -> None:
        self._api.rest.close()

    def _dag(self, name: str) -> dict[str, Any]:
        return dict(self._api.ask("GET", f"/api/v2/dags/{name}"))


class PrefectServer:
    """Prefect on a compose stack.

    Args:
        address: of the server, without `/api`.
        login: user and password.
        project: the stack.
    """

    place = "server"

    def __init__(self, address: str, login: tuple[str, str], project: str) -> None:
        self._api, self._project = PrefectApi(address, login), project

    def shows(self, sign: Sign, expected: Expected) -> bool:
        match sign:
            case Sign.VERSION:
                return bool(self._deployment()["version"] == expected.commit)
            case Sign.IMAGE:
                return standing.revision(self._project, "prefect-worker")[0] == expected.commit
            case Sign.BRANCH:
                words = ("exec", f"{self._project}-prefect-worker-1", "git", "--git-dir", FLOWS)
                return engine.docker(*words, "rev-parse", "refs/heads/main").strip() == expected.commit
            case Sign.CRON:
                cron, following = self.schedule()
                return cron == expected.cron and bool(following)
        raise AssertionError(sign)

    def schedule(self) -> tuple[str, str]:
        deployment = self._deployment()
        crons = [each["schedule"].get("cron", "") for each in deployment["schedules"] if each["active"]]
        due = self._filter(
            "flow_runs", deployment, {"state": {"type": {"any_": ["SCHEDULED"]}}}, "EXPECTED_START_TIME_ASC"
        )
        return (crons or [""])[0], due[0]["expected_start_time"] if due else ""

    def runs(self) -> list[str]:
        found = self._filter("flow_runs", self._deployment(), {}, "START_TIME_DESC")
        return [each["id"] for each in found if not each["auto_scheduled"]]

    def look(self, run: str) -> Run:
        return _run(self._api.look(run, _CONFIG))

    def log(self, run: str) -> str:
        lines: list[str] = []
        while True:
            body = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC", "limit": _MANY}
            told = self._api.rest.ask("POST", "/api/logs/filter", json={**body, "offset": len(lines)})
            lines += [each["message"] for each in told]
            if len(told) < _MANY:
                return "\n".join(lines)

    def close(self) -> None:
        self._api.rest.close()

    def _deployment(self) -> dict[str, Any]:
        return dict(self._api.rest.ask("GET", "/api/deployments/name/retrain/retrain"))

    def _filter(self, what: str, deployment: dict[str, Any], wanted: dict[str, Any], sort: str) -> list[dict[str, Any]]:
        of = {"deployments": {"id": {"any_": [deployment["id"]]}}, what: wanted, "sort": sort, "limit": _MANY}
        return list(self._api.rest.ask("POST", f"/api/{what}/filter", json=of))


class Missing(BakeoffError):
    """A change does not show."""


def _run(look: Look) -> Run:
    """The run in short: an attempt that is tried again and then succeeds counts as one that has."""
    done = frozenset(each.step for each in look.attempts if each.state == "finished")
    failed = "; ".join(f"{each.step}: {each.error}" for each in look.failed)
    return Run(look.state, done, " ".join(filter(None, (look.said, look.message, failed))))
