"""The main job: the same months retrained on every arm, side by side, in one table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks import dataset, results
from benchmarks.display import Display
from benchmarks.places import STATE, ArmName
from benchmarks.retraining import make_configs, run

#: The gate promotes, rejects and promotes again.
MONTHS = ["2013-03", "2013-04", "2013-05"]


_COLUMNS: dict[str, Literal["left", "right"]] = {
    "arm": "left",
    "install\ns": "right",
    "run\ns": "right",
    "over\nplain s": "right",
    "lines": "right",
    "month": "left",
    "AUC": "right",
    "log\nloss": "right",
    "verdict": "left",
    "ver-\nsion": "right",
    "model\ndigest": "left",
}


def demo(
    console: Console, months: list[str], arms: list[ArmName], state: Path | None = None, port: int = 0
) -> results.DemoResult:
    """Retrain on every arm, each with a tracking store of its own that starts empty.

    Args:
        console: where progress goes.
        months: months that arrive, in order.
        arms: which, in order.
        state: folder for what the runs write; by default a new one below `.bakeoff/demo`.
        port: of Airflow's api-server; 0 for any free one.
    """
    folder = (state or STATE / "demo") / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
    configs = {arm: make_configs(months, folder / arm) for arm in arms}
    dataset.ensure()
    with Display(console, list(arms)) as display:
        done = [run(arm, configs[arm], display, port=port) for arm in arms]
    done = with_overhead(done)
    result = results.DemoResult(
        environment=results.environment(), months=months, arms=done, parity=results.parity(done)
    )
    results.write(result, folder / "result.json")
    return result


def with_overhead(arms: list[results.ArmResult]) -> list[results.ArmResult]:
    """Fill in each arm's seconds beyond the plain arm's, where both succeeded."""
    plain = next((arm.seconds for arm in arms if arm.name is ArmName.PLAIN and arm.status == "succeeded"), None)
    return [
        arm.model_copy(update={"overhead_s": round(arm.seconds - plain, 3)})
        if plain is not None and arm.name is not ArmName.PLAIN and arm.status == "succeeded"
        else arm
        for arm in arms
    ]


def table(result: results.DemoResult) -> Table:
    """The one table, narrow enough for 80 columns: a row for each arm and month."""
    view = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for name, justify in _COLUMNS.items():
        view.add_column(name, justify=justify, vertical="bottom", no_wrap=True)
    for arm in result.arms:
        overhead = "" if arm.overhead_s is None else f"{arm.overhead_s:+.1f}"
        first = [arm.name, _seconds(arm.install_s), _seconds(arm.seconds), overhead, str(arm.adapter_lines)]
        view.add_row()
        for each in arm.retrainings:
            view.add_row(*first, *_cells(each))
            first = [""] * len(first)
    return view


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _cells(each: results.Retraining) -> list[str]:
    if each.status == "failed" or each.auc is None or each.log_loss is None:
        return [each.month, "", "", "[red]failed[/red]", "", ""]
    verdict = "[green]promoted[/green]" if each.promoted else "[yellow]rejected[/yellow]"
    number = "" if each.version is None else str(each.version)
    return [each.month, f"{each.auc:.4f}", f"{each.log_loss:.4f}", verdict, number, (each.model_digest or "")[:8]]


def summary(result: results.DemoResult) -> list[str]:
    """The lines under the table: do the arms agree, what failed, where to look next."""
    agree = (
        f"parity: all {len(result.arms)} arms agree, bit for bit, on metrics, verdicts, versions and models"
        if result.parity
        else "parity: NO, the arms do not agree, or not all of them succeeded"
    )
    failures = [f"{arm.name} failed: {arm.error}" for arm in result.arms if arm.error]
    stores = Path(result.arms[0].tracking_uri.removeprefix("sqlite:///")).parent.parent
    return [
        agree,
        *failures,
        "install: building the arm's environment (packages that an earlier arm fetched come from the cache)",
        "run: from starting the arm to its last verdict; lines: code of the adapter alone",
        f"result file: {stores}/result.json",
        f"look inside: .venvs/core/bin/mlflow ui --backend-store-uri {result.arms[0].tracking_uri}",
    ]
