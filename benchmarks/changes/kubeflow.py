"""The same of Kubeflow Pipelines: of a server, and of the runs in containers of this machine where there is none."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.changes.scenarios import Sign
from benchmarks.changes.servers import Expected, Run
from benchmarks.kubeflow import nodes
from benchmarks.kubeflow.api import V2, KfpApi, equals
from benchmarks.kubeflow.deploy import PIPELINE
from benchmarks.kubeflow.server import token
from benchmarks.kubeflow.stack_arm import EXPERIMENT
from shared import events
from shared.errors import BakeoffError

#: As kubeflow_impl/schedule.py calls it.
MONTHLY = "retrain-monthly"
_ENDED = re.compile(r"Task '([\w-]+)' finished with status SUCCESS")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class KubeflowServer:
    """One server.

    Args:
        host: base URL of its UI, which forwards the API and serves the logs of pods.
    """

    place = "server"

    def __init__(self, host: str) -> None:
        self._api = KfpApi(host, token())

    def shows(self, sign: Sign, expected: Expected) -> bool:
        if sign is Sign.CRON:
            return self.schedule()[0] == expected.cron
        assert sign is Sign.VERSION
        pipeline = self._api.pipeline(PIPELINE)
        # `./bakeoff deploy kubeflow` calls a version {commit}-{digest}.
        titles = (each.get("display_name") or "" for each in self._api.versions(pipeline)) if pipeline else ()
        return any(title.startswith(expected.commit[:12]) for title in titles)

    def schedule(self) -> tuple[str, str]:
        """KFP tells the cron, and not when the next run is due."""
        told = self._api.rest.ask("GET", f"{V2}/recurringruns", params={"filter": equals("display_name", MONTHLY)})
        found = (told or {}).get("recurringRuns") or []
        return (found[0]["trigger"].get("cron_schedule") or {}).get("cron", "") if found else "", ""

    def runs(self) -> list[str]:
        experiment = self._api.find_experiment(EXPERIMENT)
        return [str(each["run_id"]) for each in self._api.runs(experiment)] if experiment else []

    def look(self, run: str) -> Run:
        found = self._api.run(run)
        told = self._api.nodes(found)
        look = nodes.look_of(found, told, [])
        done = frozenset(each.name for each in told if each.state == "SUCCEEDED")
        return Run(look.state, done, f"{look.said} {look.message}".strip())

    def log(self, run: str) -> str:
        pods = {each.pod for each in self._api.nodes(self._api.run(run)) if each.pod}
        return "\n".join(self._log(run, pod) for pod in sorted(pods))

    def _log(self, run: str, pod: str) -> str:
        try:
            return self._api.pod_log(run, pod)
        except BakeoffError:  # of a driver's pod, which may be gone
            return ""

    def close(self) -> None:
        self._api.rest.close()


class Containers:
    """What `./bakeoff retrain --on kubeflow --runner docker` has left in a checkout: no server, but real containers.

    Args:
        checkout: where it has run.
    """

    place = "containers"

    def __init__(self, checkout: Path) -> None:
        self._folder = checkout / ".bakeoff" / "kubeflow" / "runs"

    def shows(self, sign: Sign, expected: Expected) -> bool:
        return False

    def schedule(self) -> tuple[str, str]:
        return "", ""

    def runs(self) -> list[str]:
        found = [each for each in self._folder.glob("*") if (each / "events.jsonl").exists()]
        return [each.name for each in sorted(found, key=lambda each: each.stat().st_mtime, reverse=True)]

    def look(self, run: str) -> Run:
        told = events.read(self._folder / run / "events.jsonl")
        ended = any((each["step"], each["state"]) == ("retrain", "finished") for each in told)
        return Run("finished" if ended else "running", frozenset(_ENDED.findall(self.log(run))))

    def log(self, run: str) -> str:
        path = self._folder / run / "kubeflow.log"
        return _COLOUR.sub("", path.read_text(errors="replace")) if path.exists() else ""

    def close(self) -> None:
        pass
