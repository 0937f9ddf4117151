"""The fake server (`fake_kfp.py`) with our real steps in it: they run in this process, where KFP would start pods."""

from __future__ import annotations

import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.schedule import month_due
from tests.benchmarks.kubeflow import argo
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp, now


class Executing(FakeKfp):
    """Runs our steps where KFP would run pods.

    Args:
        tracking_uri: MLflow as "pods" reach it.
    """

    def __init__(self, tracking_uri: str, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.tracking_uri = tracking_uri
        self.fetched: dict[tuple[Any, ...], Any] = {}
        #: Called with the settings of each run before it starts: to make one go wrong.
        self.spoil: Callable[[dict[str, Any]], None] = lambda settings: None

    def tick(self) -> None:
        """A cron between two instants of the past makes a run for each first of a month, of the month that was due."""
        super().tick()
        for each in list(self.recurring.values()):
            cron = each["trigger"].get("cron_schedule") or {}
            mine = [run for run in self.runs.values() if run.get("recurring_run_id") == each["recurring_run_id"]]
            if each["no_catchup"] or len(mine) > 1:
                continue
            for month in range(int(cron["start_time"][5:7]) + 1, int(cron["end_time"][5:7]) + 1):
                parameters = {
                    **each["runtime_config"]["parameters"],
                    "month": month_due(f"2013-{month:02}-01T11:00:00Z"),
                }
                run = {"run_id": self.new_id("run"), "experiment_id": each["experiment_id"], "created_at": now()}
                run |= {"recurring_run_id": each["recurring_run_id"], "runtime_config": {"parameters": parameters}}
                self.runs[run["run_id"]] = run
                self.start(run)

    def start(self, run: dict[str, Any]) -> None:
        run["state"] = "RUNNING"
        threading.Thread(target=self._execute, args=(run,), daemon=True).start()

    def _execute(self, run: dict[str, Any]) -> None:
        from shared import steps

        asked = run["runtime_config"]["parameters"]
        settings = {**asked.get("settings", {}), "tracking_uri": self.tracking_uri}
        self.spoil(settings)
        about = {"month": asked["month"], "dataset": asked.get("dataset", "flights")}
        config = {**about, **settings}
        places = {name: settings[name] for name in ("data_repo",) if name in settings}
        key = (*about.values(), asked.get("data_rev"))
        cached, folder = key in self.fetched, Path(tempfile.mkdtemp(prefix="fake-kfp-"))
        step, made = "fetch", []
        try:
            if not cached:
                self.fetched[key] = steps.fetch({**about, **places}, folder / "data")
            got = self.fetched[key]
            made.append({"data_version": got.data_version, "type": "system.Dataset"})
            step = "ingest"
            window = steps.ingest(config, "kubeflow", run["run_id"], fetched=got)
            step = "validate"
            window = steps.validate(window, out=folder / "validated")
            step = "train"
            trained = [steps.train(window, each) for each in window.candidates]
            # Rounded, as a metadata store on MySQL may keep them.
            scores = [{"auc": round(one.auc, 6), "log_loss": round(one.log_loss, 6)} for one in trained]
            made += [{**each, "type": "system.Metrics"} for each in scores]
            step = "evaluate"
            verdict = steps.evaluate(window, steps.select(window, trained))
            key_of_text = f"v2/artifacts/retrain/{run['run_id']}/verdict"
            self.objects[key_of_text] = verdict.reason
            made.append(
                {"promote": verdict.promote, "uri": f"minio://mlpipeline/{key_of_text}", "type": "system.Artifact"}
            )
            if verdict.promote:
                step = "register"
                outcome = steps.register(window, verdict)
                made.append({"version": outcome.version, "model_digest": outcome.model_digest, "type": "system.Model"})
            flow, state = argo.whole(cached=cached, promoted=verdict.promote), "SUCCEEDED"
        except Exception:
            flow, state = argo.whole(cached=cached, fails=step, again=run.get("retries", 0)), "FAILED"
            failed = [node for node in flow.nodes.values() if node["phase"] == "Failed" and node["type"] == "Pod"]
            for node in failed:
                pod = f"{flow.name}-system-container-impl-{node['id'].rpartition('-')[2]}"
                self.logs[pod] = f"starting\n{traceback.format_exc()}F1122 main.go:54] failed to execute component\n"
        with self.lock:
            self.artifacts[run["run_id"]] = made
            self.workflows[run["run_id"]] = flow
            run |= {"state": state, "finished_at": now()}
