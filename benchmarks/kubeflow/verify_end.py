"""The last checks of a Kubeflow Pipelines server: a schedule switched on and off, and what was made removed."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import Any

from benchmarks.kubeflow.stack_arm import parameters
from benchmarks.kubeflow.verify import unmet
from benchmarks.kubeflow.verify_ready import Ready
from benchmarks.stacks.arms import request
from shared.errors import BakeoffError

_POLL_S = 2.0


class Ending(Ready):
    """The checks that come last."""

    def recurs(self) -> str:
        assert self.version is not None
        every = self.options.every_s
        experiment = self.api.experiment(self.facts.name)
        config = self._config()
        arguments = parameters(config, request(config), self.server)
        trigger = {"periodic_schedule": {"interval_second": str(every)}}
        made = self.api.create_recurring_run(
            self.facts.name, experiment, self.version.pipeline, self.version.id, arguments, trigger
        )
        self.recurring.append(made)
        if (state := self._becomes(made, "ENABLED")) != "ENABLED":
            raise unmet(f"made, but {state}", "see the deployment ml-pipeline-scheduledworkflow")
        until = time.monotonic() + self.options.appear_s
        while not (started := self._started_by(made, experiment)):
            if time.monotonic() > until:
                what = f"no run within {self.options.appear_s:.0f} s of a schedule of {every} s"
                raise unmet(what, "see the deployment ml-pipeline-scheduledworkflow")
            time.sleep(_POLL_S)
        self.api.switch(made, on=False)
        if (state := self._becomes(made, "DISABLED")) != "DISABLED":
            raise unmet(f"switched off, but {state}", "see the deployment ml-pipeline-scheduledworkflow")
        time.sleep(self.options.settle_s)  # for a run that was on its way when the schedule was switched off
        started = self._started_by(made, experiment)
        for run in started:
            with contextlib.suppress(BakeoffError):  # it may have ended
                self.api.terminate(run)
        time.sleep(1.5 * every)
        later = set(self._started_by(made, experiment)) - set(started)
        if later:
            raise unmet(f"{len(later)} runs began while it was off", "see the deployment ml-pipeline-scheduledworkflow")
        self.api.delete_recurring_run(made)
        if self.api.recurring_run(made) is not None:
            raise unmet("removed, but still there", "remove it on the page Recurring Runs")
        self.recurring.remove(made)
        return (
            f"on: {len(started)} run(s) within {self.options.appear_s:.0f} s; off: none in {1.5 * every:.0f} s; removed"
        )

    def _becomes(self, recurring: str, wanted: str) -> str:
        """The status of a recurring run, once it is the wanted one, or when it has had its time to become that."""
        until = time.monotonic() + self.options.settle_s
        while True:
            status = str((self.api.recurring_run(recurring) or {}).get("status"))
            if status == wanted or time.monotonic() > until:
                return status
            time.sleep(_POLL_S)

    def _started_by(self, recurring: str, experiment: str) -> list[str]:
        found = [run["run_id"] for run in self.api.runs(experiment) if run.get("recurring_run_id") == recurring]
        self.runs += [run for run in found if run not in self.runs]
        return found

    def clean_up(self) -> str:
        if self.options.keep:
            return f"kept: experiment and model {self.facts.name}"
        if not self.runs and not self.recurring and self.version is None and not self.facts.versions:
            return "nothing was made"
        left: list[str] = []

        def remove(what: str, call: Any, *names: str) -> None:
            try:
                call(*names)
            except BakeoffError as error:
                if getattr(error, "status", 0) != 404:
                    left.append(f"{what} ({error.what})")

        for recurring in self.recurring:
            remove(f"recurring run {recurring}", self.api.delete_recurring_run, recurring)
        for run in dict.fromkeys(self.runs):
            with contextlib.suppress(BakeoffError):  # it has ended, in most cases
                self.api.terminate(run)
            remove(f"run {run}", self.api.delete_run, run)
        if self.version is not None:
            experiment = self.api.find_experiment(self.facts.name)
            if experiment:
                remove(f"experiment {self.facts.name}", self.api.delete_experiment, experiment)
        if self.made is not None:
            remove(f"version {self.made.title}", self.api.delete_version, self.made.pipeline, self.made.id)
            if self.made.made_pipeline:
                remove("pipeline", self.api.delete_pipeline, self.made.pipeline)
        if self.monthly is not None and self.monthly.made:
            remove(f"version {self.monthly.title}", self.api.delete_version, self.monthly.pipeline, self.monthly.id)
            if self.monthly.made_pipeline:
                remove("pipeline", self.api.delete_pipeline, self.monthly.pipeline)
        if "mlflow-server" in self.facts.versions:
            remove(f"model {self.facts.name} in MLflow", self._forget_model)
        shutil.rmtree(self.folder, ignore_errors=True)
        if left:
            raise unmet(f"left: {'; '.join(left)}", "remove these by hand, on the pages of KFP and MLflow")
        return f"{len(set(self.runs))} runs, the experiment and the model {self.facts.name} are removed"

    def _forget_model(self) -> None:
        from shared import tracking

        config = self._config()
        client = tracking.connect(config)

        @tracking.explained
        def forget() -> None:
            for name in (config.model_name, f"{config.model_name}-due"):
                if client.search_registered_models(f"name = '{name}'"):
                    client.delete_registered_model(name)
                if experiment := client.get_experiment_by_name(name):
                    client.delete_experiment(experiment.experiment_id)

        forget()
