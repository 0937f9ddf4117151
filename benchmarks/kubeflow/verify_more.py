"""What an orchestrator is for, as far as only a server shows it: a retry, and a schedule that makes up for the past."""

from __future__ import annotations

import time

from benchmarks.kubeflow import deploy, nodes
from benchmarks.kubeflow.stack_arm import parameters
from benchmarks.kubeflow.verify import unmet
from benchmarks.kubeflow.verify_end import Ending
from benchmarks.stacks.arms import request
from benchmarks.stacks.follow import Attempt

#: The first of a month, twice; what is due then are these months. The instants are UTC's, unless a server has a zone.
PAST = {"start_time": "2013-03-15T00:00:00Z", "end_time": "2013-05-15T00:00:00Z", "cron": "0 0 11 1 * *"}
DUE = ["2013-03", "2013-04"]
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED")
_POLL_S = 2.0


class More(Ending):
    """The checks of retry and catch-up."""

    failed: str

    def _tried(self, run: str) -> list[Attempt]:
        return nodes.attempts(self.api.nodes(self.api.run(run)), [])

    def retried(self) -> str:
        before = {one.id: one.started for one in self._tried(self.failed)}
        self.api.retry(self.failed)
        until = time.monotonic() + self.options.timeout_s
        while True:
            again = [one for one in self._tried(self.failed) if one.started != before.get(one.id)]
            if again and self.api.run(self.failed).get("state") in _ENDED:
                break
            if time.monotonic() > until:
                raise unmet("nothing was tried again", f"open {self.api.page(self.failed)}")
            time.sleep(_POLL_S)
        steps = sorted({one.step for one in again})
        if steps != ["validate"]:
            raise unmet(f"tried again: {', '.join(steps)}", "it had failed at validate: what comes before it was good")
        return "tried again: validate; kept: fetch, ingest"

    def catches_up(self) -> str:
        from shared import tracking

        ir = deploy.compile_ir(self.server.image, "kubeflow_impl.schedule", "compile")
        self.monthly = deploy.upload(self.api, ir, deploy.commit(), "retrain-monthly")
        experiment, config = self.api.experiment(self.facts.name), self._config()
        sent = parameters(config, request(config), self.server)
        made = self.api.create_recurring_run(
            *(self.facts.name, experiment, self.monthly.pipeline, self.monthly.id),
            {"dataset": config.dataset, "settings": {**sent["settings"], "model_name": f"{self.facts.name}-due"}},
            {"cron_schedule": PAST},
            catch_up=True,
        )
        self.recurring.append(made)
        until = time.monotonic() + self.options.timeout_s * len(DUE)
        while not self._ended(runs := self._started_by(made, experiment)):
            if time.monotonic() > until:
                raise unmet(f"{len(runs)} runs, not all ended", "see the deployment ml-pipeline-scheduledworkflow")
            time.sleep(_POLL_S)
        client = tracking.connect(config)
        found = client.get_experiment_by_name(f"{self.facts.name}-due")
        tags = [run.data.tags for run in client.search_runs([found.experiment_id])] if found else []
        months = sorted(each["bakeoff.month"] for each in tags if each.get("bakeoff.orchestrator_run") in runs)
        if months != DUE:
            step = "see what the task `due` was given as the scheduled time: KFP resolves it since 2.17"
            raise unmet(f"retrained on {', '.join(months) or 'nothing'}", step)
        return f"retrained on {', '.join(months)}"

    def _ended(self, runs: list[str]) -> bool:
        return len(runs) == len(DUE) and all(self.api.run(run).get("state") in _ENDED for run in runs)
