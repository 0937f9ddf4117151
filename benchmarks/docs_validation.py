"""The tables of docs/method.md about validation, from the result file of `bakeoff bench validation` (cog)."""

from __future__ import annotations

from benchmarks import docs
from benchmarks.places import RESULTS
from benchmarks.stats import Timing
from benchmarks.validation_cost import TOOLS, Cost, Finding, ValidationCost, ratio


def costs() -> str:
    """What each tool costs on each case."""
    result = _result()
    rows = [
        "| file | tool | whole process s | n | x ours | CPU s | start and imports s | rules s | drift s | peak MiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rows += [_cost(each, ratio(result.costs, each.tool, each.case)) for each in result.costs]
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    return "\n".join([*rows, "", f"On {docs.machine(result.environment)} with {versions}."])


def findings() -> str:
    """Which tool tells which fault."""
    result = _result()
    faults = list(dict.fromkeys(each.fault for each in result.findings))
    rows = [f"| the file has | {' | '.join(TOOLS)} |", f"|---|{'---|' * len(TOOLS)}"]
    for fault in faults:
        by_tool = {each.tool: each for each in result.findings if each.fault == fault}
        rows.append(f"| {fault} | {' | '.join(_told(by_tool[tool]) for tool in TOOLS)} |")
    clean = " | ".join(f"complaints: {len(result.clean[tool])}" for tool in TOOLS)
    drifted = " | ".join(", ".join(result.drifted[tool]) or "none" for tool in TOOLS)
    return "\n".join(
        [*rows, f"| no fault: as it was recorded | {clean} |", f"| no fault: features drifted | {drifted} |"]
    )


def _cost(cost: Cost, times: float | None) -> str:
    if cost.seconds is None:
        causes = {run.error for run in cost.runs if run.error}
        return f"| {cost.case} | {cost.tool} | failed: {'; '.join(sorted(causes))} | | | | | | | |"
    parts = [cost.cpu_s, cost.import_s, cost.rules_s, cost.drift_s]
    shown = " | ".join("" if each is None else f"{each.median:.2f}" for each in parts)
    peak = "" if cost.peak_mib is None else f"{cost.peak_mib.median:.0f}"
    n = len(cost.seconds.samples)
    case = f"{cost.case} ({cost.rows:,} rows)"
    return f"| {case} | {cost.tool} | {_spread(cost.seconds)} | {n} | {times or 0:.1f} | {shown} | {peak} |"


def _spread(spent: Timing) -> str:
    return f"{spent.median:.2f} ({spent.min:.2f} - {spent.max:.2f})"


def _told(finding: Finding) -> str:
    if finding.error:
        return f"told: raises {finding.error.split(':')[0]}"
    if finding.told:
        return "told"
    return "not told: the same test fails without it" if finding.as_ever else "not told"


def _result() -> ValidationCost:
    return ValidationCost.model_validate_json((RESULTS / "validation.json").read_text())
