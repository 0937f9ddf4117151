"""What is asked of a Kubeflow Pipelines server, check by check."""

from __future__ import annotations

import contextlib
import math

from benchmarks import dataset, results, retraining
from benchmarks.display import Display
from benchmarks.kubeflow import nodes
from benchmarks.kubeflow.mlmd import CACHED, FAILED
from benchmarks.kubeflow.stack_arm import VERSIONS, KubeflowStack, error_of
from benchmarks.kubeflow.verify import Check, unmet
from benchmarks.kubeflow.verify_more import More
from benchmarks.places import ArmName
from benchmarks.stacks.follow import Attempt
from shared.config import RetrainConfig
from shared.errors import BakeoffError

#: No month has so many flights: `validate` must refuse it.
IMPOSSIBLE = {"contract": {"min_rows": 10_000_000, "max_rows": 20_000_000}}
BROKEN = "the data contract is broken"
#: The metadata store may keep six decimals of a number.
_ROUNDED = 2e-6


class Checks(More):
    """All checks of one verification."""

    def all(self) -> list[Check]:
        """Every check, in order."""
        ready = ("server", "versions", "mlflow", "ir", "data", "upload")
        line = ".x or ".join(VERSIONS)
        return [
            Check("server", "the server answers", "a Kubeflow Pipelines API", self.answers),
            Check("versions", "versions of server and SDK", f"KFP {line}.x", self.is_known, ("server",)),
            Check("mlflow", "MLflow answers", "its /health says OK", self.mlflow_answers),
            Check("ir", "the pipeline compiles", "an IR with one image and a digest", self.compiles),
            Check("data", "the data are in the object store", "every file of the data registry", self.data_are_there),
            Check("upload", "uploaded twice, one version", "the same version id", self.one_version, ("versions", "ir")),
            Check("plain", "the same retraining twice on this machine", "two results", self.plain_runs, ready),
            Check("first", "a first run succeeds", "the run ends as succeeded", self.first_run, ready),
            Check("states", "the states of its tasks", "every step finished", self.task_states, ("first",)),
            Check("second", "a second run succeeds", "the run ends as succeeded", self.second_run, ("first",)),
            Check("cache", "the second takes the data from the cache", "fetch, and only it", self.cache, ("second",)),
            Check("artifacts", "artifacts agree with MLflow", "equal values", self.artifacts, ("first",)),
            Check(
                *("registry", "champion, versions and promotion log", "as after the plain runs", self.registry),
                ("second", "plain"),
            ),
            Check("parity", "the results are the plain arm's", "equal fields", self.parity, ("second", "plain")),
            Check("failing", "bad data fail the run", "failed at validate", self.failing_run, ("second",)),
            Check("cause", "the cause is found through the API", BROKEN, self.root_cause, ("failing",)),
            Check("champion", "a failed run leaves the champion", "as before", self.champion_stays, ("failing",)),
            Check(
                *("recurring", "a recurring run, on and off", "runs while on, none while off", self.recurs),
                ("upload", "first"),
            ),
            Check(
                "retry",
                "a retry repeats what has failed",
                "validate, and only it",
                self.retried,
                ("failing", "champion"),
            ),
            Check(
                "catch-up",
                "a schedule in the past",
                "a run a month, each of its own",
                self.catches_up,
                ("upload", "first"),
            ),
            Check("cleanup", "what was made is removed", "nothing is left", self.clean_up, always=True),
        ]

    def plain_runs(self) -> str:
        from shared import registry

        dataset.ensure()
        name = {"model_name": self.facts.name}
        for _ in range(2):
            [config] = retraining.make_configs([self.options.month], self.folder / "plain", name)
            with Display(self.console, ["plain"]) as display:
                done = retraining.run(ArmName.PLAIN, [config], display)
            if done.status == "failed":
                raise unmet(done.error or "it failed", "run `./bakeoff retrain --on plain` to see why")
            self.plain += done.retrainings
        self.plain_log = [(entry.event, entry.champion) for entry in registry.promotion_log(config)]
        return "; ".join(told(each) for each in self.plain)

    def _run(self, config: RetrainConfig) -> tuple[str, results.ArmResult]:
        arm = KubeflowStack(self.folder / "kubeflow", self.server, self.facts.name, self.options.timeout_s)
        arm.tool.version = self.version
        try:
            with Display(self.console, ["kubeflow"]) as display:
                done = retraining.run(ArmName.KUBEFLOW, [config], display, arm=arm)
        finally:
            self.runs += arm.tool.runs
        return (arm.tool.runs or [""])[-1], done

    def _succeed(self) -> str:
        run, done = self._run(self._config())
        [result] = done.retrainings
        if result.status == "failed":
            raise unmet(done.error or "the run failed", f"open {self.api.page(run)}" if run else "see the text above")
        self.done.append(result)
        return told(result)

    def first_run(self) -> str:
        return self._succeed()

    def second_run(self) -> str:
        return self._succeed()

    def _attempts(self, run: str) -> tuple[list[nodes.Node], list[Attempt]]:
        names: list[str] = [candidate.title for candidate in self._config().all_candidates]
        found = self.api.nodes(self.api.run(run))
        return found, nodes.attempts(found, names)

    def task_states(self) -> str:
        config = self._config()
        _, tried = self._attempts(self.runs[0])
        last = {(one.step, one.label): one.state for one in tried}
        wanted = {(step, "") for step in nodes.STEPS if step != "train"}
        wanted |= {("train", candidate.title) for candidate in config.all_candidates}
        if not self.done[0].promoted:
            wanted -= {("register", "")}
        bad = {f"{step} {label}".strip(): state for (step, label), state in last.items() if state != "finished"}
        missing = sorted(f"{step} {label}".strip() for step, label in wanted - set(last))
        details = (self.api.run(self.runs[0]).get("run_details") or {}).get("task_details") or []
        public = {each.get("display_name"): each.get("state") for each in details}
        unlike = {step: public.get(step) for step, _ in wanted if public.get(step) != "SUCCEEDED"}
        if bad or missing or unlike:
            what = (
                f"not finished: {bad or 'none'}; missing: {missing or 'none'}; by the public API: {unlike or 'as told'}"
            )
            raise unmet(what, f"open {self.api.page(self.runs[0])}; this server's tasks may be named in another way")
        retried = len(tried) - len(last)
        return f"{len(last)} tasks finished" + (f", after {retried} tries that had failed" if retried else "")

    def cache(self) -> str:
        known, tried = self._attempts(self.runs[1])
        sources: dict[str, set[str]] = {}
        if any(node.id for node in known):  # else the API does not tell what is below a task
            sources["workflow"] = {one.step for one in tried if one.note == nodes.CACHED}
        with contextlib.suppress(BakeoffError):
            executions = self.metadata.executions(self.runs[1])
            hits = [each for each in executions if each["state"] == CACHED or each.get("cached_execution_id")]
            sources["metadata"] = {str(each.get("task_name") or each.get("display_name")) for each in hits}
        told = "; ".join(f"{name}: {', '.join(sorted(steps)) or 'nothing'}" for name, steps in sources.items())
        if not sources:
            raise unmet("neither the workflow nor the metadata store could be read", "give --host the UI's address")
        if any(steps != {"fetch"} for steps in sources.values()):
            raise unmet(f"cached by {told}", "see that the server's cache is enabled (CacheEnabled of its API server)")
        return f"cached by {told}"

    # What came of them

    def artifacts(self) -> str:
        found, [first, *_] = self.metadata.artifacts(self.runs[0]), self.done
        data_versions = {each["data_version"] for each in found if "data_version" in each}
        scores = {(each["auc"], each["log_loss"]) for each in found if "auc" in each and "log_loss" in each}
        digests = {each["model_digest"] for each in found if "model_digest" in each and "version" in each}
        amiss = []
        if data_versions != {first.data_version}:
            amiss.append(f"data version {sorted(data_versions)}, MLflow has {first.data_version}")
        same = [pair for pair in scores if math.dist(pair, (first.auc or 0.0, first.log_loss or 0.0)) < _ROUNDED]
        if not same or len(scores) != len(self._config().all_candidates):
            amiss.append(f"metrics {sorted(scores)}, MLflow has {first.auc}, {first.log_loss}")
        if first.promoted and digests != {first.model_digest}:
            amiss.append(f"model {sorted(digests)}, MLflow has {first.model_digest}")
        text = self._text_of([each["uri"] for each in found if "promote" in each and each.get("uri")])
        if text is not None and text != first.reason:
            amiss.append(f"the text of the verdict is {text!r}, MLflow has {first.reason!r}")
        if amiss:
            raise unmet("; ".join(amiss), "the steps write both: see their logs on the run's page")
        stored = "could not be read through the UI" if text is None else "agrees too"
        agree = f"data version, metrics of {len(scores)} candidates and model agree"
        return f"{len(found)} artifacts: {agree}; the verdict's text in the object store {stored}"

    def _text_of(self, uris: list[str]) -> str | None:
        with contextlib.suppress(BakeoffError):
            for uri in uris:
                return self.api.artifact(uri).strip()
        return None

    def registry(self) -> str:
        from shared import registry, tracking

        config = self._config()
        log = [(entry.event, entry.champion) for entry in registry.promotion_log(config)]
        by = {entry.orchestrator for entry in registry.promotion_log(config)}
        versions = tracking.connect(config).search_model_versions(f"name = '{config.model_name}'")
        champion = registry.champion(config)
        promoted = sum(event == "promoted" for event, _ in self.plain_log)
        what = f"champion {champion}, {len(versions)} versions, log {log} by {', '.join(sorted(by))}"
        expected = self.plain_log[-1][1] if self.plain_log else None
        if log != self.plain_log or by != {"kubeflow"} or len(versions) != promoted or champion != expected:
            raise unmet(what, f"after the plain runs the log is {self.plain_log}: see the model in MLflow")
        return what

    def parity(self) -> str:
        unlike = [
            f"run {number}, {name}: {getattr(here, name)} here, {getattr(there, name)} there"
            for number, (here, there) in enumerate(zip(self.plain, self.done, strict=True), 1)
            for name in results.SAME_EVERYWHERE
            if getattr(here, name) != getattr(there, name)
        ]
        if unlike:
            raise unmet("; ".join(unlike), "see that the image holds this checkout's code, and the store these data")
        return f"{len(results.SAME_EVERYWHERE)} fields of {len(self.done)} runs are equal, bit for bit"

    def failing_run(self) -> str:
        self.failed, done = self._run(self._config(**IMPOSSIBLE))
        [result] = done.retrainings
        if result.status != "failed":
            raise unmet("it succeeded", "the contract was not held against the data: see `validate` on its page")
        _, tried = self._attempts(self.failed)
        steps = sorted({one.step for one in tried if one.state == "failed"})
        if steps != ["validate"] or BROKEN not in (done.error or ""):
            raise unmet(f"failed at {', '.join(steps) or 'no step'}: {done.error}", "it was to fail at validate")
        return done.error or ""

    def root_cause(self) -> str:
        arm = KubeflowStack(self.folder / "kubeflow", self.server, self.facts.name)
        try:
            _, tried = self._attempts(self.failed)
            [attempt] = [one for one in tried if one.step == "validate" and one.state == "failed"][-1:]
            cause = arm.tool.cause(self.failed, attempt)
            if BROKEN not in cause:  # where the API does not name the pod, the metadata store does
                failed = [each for each in self.metadata.executions(self.failed) if each["state"] == FAILED]
                pods = [str(each["pod_name"]) for each in failed if each.get("pod_name")]
                causes = [error_of(arm.tool.log(self.failed, pod)) for pod in pods]
                cause = next((each for each in causes if BROKEN in each), cause)
        finally:
            arm.tool.rest.close()
        if BROKEN not in cause:
            raise unmet(cause or "no log, and no message", "give --host the UI's address: logs come through it")
        return cause

    def champion_stays(self) -> str:
        from shared import registry

        log = [(entry.event, entry.champion) for entry in registry.promotion_log(self._config())]
        champion = registry.champion(self._config())
        before = next((each.version for each in self.done if each.promoted), None)
        if champion != before or len(log) != len(self.done):
            raise unmet(f"champion {champion}, log {log}", f"it was version {before}: see the model in MLflow")
        return f"version {champion}, and nothing was added to the promotion log"


def told(result: results.Retraining) -> str:
    """A retraining in a few words."""
    verdict = f"promoted to version {result.version}" if result.promoted else "rejected"
    return f"{result.month}: {result.candidate} {verdict}, AUC {result.auc}, data {(result.data_version or '')[:12]}"
