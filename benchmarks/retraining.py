"""Run retrainings on an arm, follow them, and read the outcome from MLflow, where it is the same for every tool."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from benchmarks import results, stores
from benchmarks.airflow_arm import AirflowArm
from benchmarks.arms import Arm, ArmFailed, KubeflowArm, PlainArm, PrefectArm
from benchmarks.display import Display
from benchmarks.places import ADAPTER, ArmName
from shared.config import RetrainConfig, parse_config
from shared.errors import BakeoffError
from shared.files import make_folder


def make_arm(name: ArmName, folder: Path, port: int = 0) -> Arm:
    """The arm of that name; `folder` receives its logs and requests."""
    match name:
        case ArmName.PLAIN:
            return PlainArm(folder)
        case ArmName.PREFECT:
            return PrefectArm(folder)
        case ArmName.AIRFLOW:
            return AirflowArm(folder, port)
        case ArmName.KUBEFLOW:
            return KubeflowArm(folder)


def make_configs(months: list[str], state: Path, settings: dict[str, Any] | None = None) -> list[RetrainConfig]:
    """Configs for some months, all checked before anything starts.

    Args:
        months: each has just arrived, in this order.
        state: folder of the arm: its tracking store, artifacts and work files.
        settings: other fields of `RetrainConfig`.

    Raises:
        ConfigError: the request makes no sense.
        StorageError: the folder cannot be written.
    """
    session = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    folder = state.absolute() / "runs" / session
    state = state.absolute()
    store = {"tracking_uri": f"sqlite:///{state}/mlflow.db", "artifact_location": f"file://{state}/artifacts"}
    base = {"state": state, "events": folder / "events.jsonl", **store, **(settings or {})}
    configs = [parse_config({**base, "month": month, "request_id": f"{session}-{month}"}) for month in months]
    make_folder(folder)
    return configs


def run(
    name: ArmName, configs: list[RetrainConfig], display: Display, *, port: int = 0, arm: Arm | None = None
) -> results.ArmResult:
    """Run the retrainings in order on one arm. A failure is a result, no exception; Ctrl-C leaves nothing behind.

    Args:
        name: which arm.
        configs: of `make_configs`.
        display: shows what happens.
        port: of embedded Airflow's api-server; 0 for any free one.
        arm: the one to use; by default the embedded one of that name.
    """
    assert configs[0].events is not None
    arm = arm or make_arm(name, configs[0].events.parent, port)
    try:
        display.begin(name, "preparing")
        if not arm.installed():
            display.begin(name, "installing (about half a minute, once)")
        arm.prepare()
        stores.create(configs[0])
        return _run(arm, configs, display)
    except BakeoffError as error:
        display.end(name, f"[red]failed[/red]: {escape(str(error))}")
        return _result(arm, configs, error=str(error), seconds=0.0, start_s=None, stop_s=0.0, took={})
    except KeyboardInterrupt:
        arm.stop()
        raise KeyboardInterrupt(arm.stopped) from None
    finally:
        arm.stop()


def _run(arm: Arm, configs: list[RetrainConfig], display: Display) -> results.ArmResult:
    took: dict[str, float] = {}
    causes: dict[tuple[str, str], str] = {}  # of steps that have failed and that no retry has cured
    failure = ""
    start_s: float | None = None
    display.restart_clock(arm.name)
    display.begin(arm.name, "starting")
    launched = last = time.time()
    try:
        for event in arm.retrain(configs):
            last = event["time"]
            if start_s is None and event["step"] in ("fetch", "ingest"):
                start_s = last - launched
            step = event["step"], event["label"]
            if event["state"] == "failed":
                causes.setdefault(step, event["error"])
            elif event["state"] == "finished":
                causes.pop(step, None)
            if event["step"] == "retrain" and event["state"] == "finished":
                took[event["label"]] = event["seconds"]
            display.event(arm.name, event)
    except ArmFailed as ended:
        failure = str(ended)
        last = time.time()
        if ended.tells_cause:
            causes.clear()
    # The step knows the cause; the tool only knows that a task of it failed.
    error = next(iter(causes.values()), failure) if failure else None
    stopping = time.time()
    arm.stop()
    done = _result(
        arm, configs, error=error, seconds=last - launched, start_s=start_s, stop_s=time.time() - stopping, took=took
    )
    display.end(arm.name, _last_words(done))
    return done


def _last_words(done: results.ArmResult) -> str:
    if done.status == "failed":
        return f"[red]failed[/red]: {escape(done.error or '')}"
    verdicts = (f"{each.month} {'promoted' if each.promoted else 'rejected'}" for each in done.retrainings)
    return f"[green]done[/green]: {', '.join(verdicts)}"


def _result(
    arm: Arm,
    configs: list[RetrainConfig],
    *,
    error: str | None,
    seconds: float,
    start_s: float | None,
    stop_s: float,
    took: dict[str, float],
) -> results.ArmResult:
    retrainings = [_retraining(config, took.get(config.month), error) for config in configs]
    failed = error is not None or any(each.status == "failed" for each in retrainings)
    return results.ArmResult(
        name=arm.name,
        stack=arm.stack.value,
        status="failed" if failed else "succeeded",
        seconds=round(seconds, 3),
        # A server elsewhere has a clock of its own, which may be behind ours.
        start_s=None if start_s is None or start_s < 0 else round(start_s, 3),
        stop_s=round(stop_s, 3),
        install_s=arm.install_s(),
        adapter_lines=results.lines_of_code(ADAPTER[arm.name]),
        versions=arm.versions(),
        tracking_uri=results.relative(configs[0].tracking_uri),
        retrainings=retrainings,
        error=error or next((each.error for each in retrainings if each.error), None),
    )


def _retraining(config: RetrainConfig, seconds: float | None, error: str | None) -> results.Retraining:
    if seconds is None:
        return results.Retraining(month=config.month, status="failed", error=error or "it was never run")
    from shared import registry

    try:
        outcome = registry.outcome(config)
    except BakeoffError as unreachable:
        return results.Retraining(month=config.month, status="failed", seconds=seconds, error=str(unreachable))
    if outcome is None:
        cause = "the tool says that the run succeeded, but MLflow holds no finished retraining of it"
        return results.Retraining(month=config.month, status="failed", seconds=seconds, error=cause)
    figures = outcome.model_dump(exclude={"model_name", "run_id", "orchestrator"})
    return results.Retraining(status="succeeded", seconds=round(seconds, 3), **figures)
