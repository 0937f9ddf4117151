"""The core's validation beside Great Expectations and Evidently: what each costs on the same files, and what it tells.

All three run in one environment (`bench`: the core's own libraries and both tools, with the pandas that all of them
can be imported with), each run in a new process, with telemetry off. That is what a pipeline would pay that took one of
them up; in an environment with fewer optional packages Great Expectations may import less. The rules are the same for
everybody as far as the tools have them:

- Columns, types, ranges, null shares, patterns, unique key, row count: ours and Great Expectations, rule by rule.
  Evidently is given no rules: its documentation has it make tests out of a reference, within a tenth of each statistic.
- Drift: ours is the PSI over ten bins; Great Expectations has the Kullback-Leibler divergence of one direction, over
  bins that the caller counts; Evidently chooses (here: normed Wasserstein distance for numbers, Jensen-Shannon for
  labels). All three are held against 0.1, which does not mean the same in each.
- Known values and a jump in missing values, both against the reference: ours and Great Expectations.

What has no equivalent: ours sets single rows with an impossible reading aside and goes on, the others pass or fail the
whole; ours tells a change of restless features (weather) as a note, which is no complaint. Great Expectations and
Evidently make results to be rendered as pages (we render none), keep which values are unexpected, and run on databases
and Spark too, for which ours has nothing. The reference is what the core has accepted: raw February holds a wind speed
of 1048, which would have taught Evidently to expect one.
"""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from benchmarks import environments, results
from benchmarks.places import ROOT, child_env, python
from benchmarks.stats import Timing, timing
from shared.config import RetrainConfig
from shared.datasets import Dataset
from shared.files import read_window, write_window

MONTH = "2013-04"
YEAR = "all twelve months"
#: Rounds of each case that count; the month has one more before them, which warms up.
RUNS = {MONTH: 5, YEAR: 3}
ENVIRONMENT = "bench"
#: Name of each tool, as shown, and the script that runs it.
TOOLS = {"ours": "ours", "Great Expectations": "gx", "Evidently": "evidently"}
_VERSIONS = ["pandera", "great-expectations", "evidently", "pandas", "numpy", "pyarrow", "scipy"]
#: How each tool's documentation says that telemetry is switched off.
_QUIET = {"GX_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
_LIMIT_S = 300
#: What the month is spoilt by, and the column that each fault is in.
FAULTS = {
    "a wind speed of 1048 in one row": "wind_speed",
    "a renamed column": "visib",
    "one row twice": None,
    "one key twice, with other values": None,
    "5 % of a feature newly missing": "humid",
    "a new destination in 30 rows": "dest",
}


class Run(BaseModel):
    """One process of one tool. Seconds are wall time but for `cpu_s`; a run that failed has only its error."""

    model_config = ConfigDict(extra="forbid")

    status: results.Status = "succeeded"
    seconds: float
    cpu_s: float
    import_s: float = 0
    read_s: float = 0
    rules_s: float = 0
    drift_s: float = 0
    peak_mib: float = 0
    complaints: list[str] = []
    drifted: list[str] = []
    #: What the tool itself raised: on a spoilt file that is its way to tell.
    error: str | None = None


class Cost(BaseModel):
    """One tool on one case: raw samples in turn with the other tools', the first round left out."""

    tool: str
    case: str
    rows: int
    seconds: Timing | None
    cpu_s: Timing | None
    import_s: Timing | None
    rules_s: Timing | None
    drift_s: Timing | None
    peak_mib: Timing | None
    runs: list[Run]


class Finding(BaseModel):
    """What one tool says of one spoilt file that it does not say of the clean one."""

    tool: str
    fault: str
    told: bool
    new: list[str]
    #: Complaints about the column at fault that the clean month has drawn as well: nobody would see the difference.
    as_ever: list[str]
    error: str | None


class ValidationCost(BaseModel):
    """The result file of `bakeoff bench validation`."""

    measure: Literal["validation"] = "validation"
    environment: results.Environment
    versions: dict[str, str]
    month: str
    costs: list[Cost]
    #: Complaints of each tool about the clean month, which nothing is wrong with.
    clean: dict[str, list[str]]
    #: Features that each tool calls drifted in the clean month.
    drifted: dict[str, list[str]]
    findings: list[Finding]


def measure(tell: Callable[[str], None]) -> ValidationCost:
    """Measure; about ten minutes on two cores. `tell` receives one line a run."""
    if not environments.is_ready(ENVIRONMENT):
        tell(f"building the {ENVIRONMENT} environment")
        environments.ensure(ENVIRONMENT)
    config = RetrainConfig(month=MONTH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        accepted = _accepted(config, folder)
        months = {each: ROOT / config.spec.path(each) for each in config.spec.windows}
        training = [accepted[each] for each in config.train_months]
        cases = {
            MONTH: request(config, [months[MONTH]], training),
            YEAR: request(config, [*months.values()], [*accepted.values()]),
        }
        samples: dict[tuple[str, str], list[Run]] = {(tool, case): [] for case in cases for tool in TOOLS}
        first = {tool: run_tool(tool, cases[MONTH]) for tool in TOOLS}
        for number in range(max(RUNS.values())):
            for tool, case in samples:
                if number < RUNS[case]:
                    run = run_tool(tool, cases[case])
                    samples[tool, case].append(run)
                    tell(f"{tool}, {case}, {number + 1} of {RUNS[case]}: {run.seconds:.2f} s {run.error or ''}")
        runs: dict[str, dict[str, Run]] = {}
        for fault, path in spoil(config.spec, months[MONTH], folder).items():
            runs[fault] = {tool: run_tool(tool, request(config, [path], training)) for tool in TOOLS}
            tell(f"{fault}: {', '.join(f'{tool} {len(run.complaints)}' for tool, run in runs[fault].items())}")
        rows = {case: sum(len(read_window(Path(path))) for path in each["current"]) for case, each in cases.items()}
    found = environments.packages(ENVIRONMENT)
    return ValidationCost(
        environment=results.environment(),
        versions={name: found[name.replace("-", "_")] if name not in found else found[name] for name in _VERSIONS},
        month=MONTH,
        costs=[cost(tool, case, rows[case], each) for (tool, case), each in samples.items()],
        clean={tool: run.complaints for tool, run in first.items()},
        drifted={tool: run.drifted for tool, run in first.items()},
        findings=[finding(tool, fault, first[tool], runs[fault][tool]) for fault in runs for tool in TOOLS],
    )


def request(config: RetrainConfig, current: list[Path], reference: list[Path]) -> dict[str, Any]:
    """What each script is told: the files, the rules in plain JSON, and the core's own config."""
    spec = config.spec
    least, most = config.contract.rows(spec)
    if len(current) > 1:
        most *= len(current)
    return {
        "config": config.json_dict(),
        "current": [str(path) for path in current],
        "reference": [str(path) for path in reference],
        "features": list(spec.features),
        "labels": list(spec.categorical),
        "threshold": config.drift.feature_psi,
        "null_jump": config.contract.null_jump,
        "rules": rules(spec, [path.stem.split("_")[0] for path in current], (least, most)),
    }


def rules(spec: Dataset, months: list[str], rows: tuple[int, int]) -> dict[str, Any]:
    """The contract of some months in plain JSON, read out of the pandera schema where it can be."""
    schema = spec.contract.contract(months[0], rows)
    ranges: dict[str, tuple[float, float]] = {}
    dates: dict[str, tuple[str, str]] = {}
    for name, column in schema.columns.items():
        for check in column.checks:
            limits = check.statistics or {}
            if "min_value" in limits and str(column.dtype).startswith("datetime"):
                last = pd.Timestamp(f"{months[-1]}-01") + pd.offsets.MonthEnd(0)
                dates[name] = (str(limits["min_value"]), str(last))
            elif "min_value" in limits:
                ranges[name] = (limits["min_value"], limits["max_value"])
    contract = spec.contract
    # pandera names every time by nanoseconds; the files hold milliseconds, which the contract asks for.
    kinds = {name: str(column.dtype).replace("[ns]", "[ms]") for name, column in schema.columns.items()}
    return {
        "types": kinds,
        "ranges": ranges,
        "dates": dates,
        "patterns": contract.PATTERNS,
        "nulls": {name: contract.MAX_NULLS.get(name, 0) for name in schema.columns},
        "key": list(spec.key),
        "rows": rows,
    }


def spoil(spec: Dataset, month: Path, folder: Path) -> dict[str, Path]:
    """Write the month once for each fault; the file name still begins with the month."""
    clean = read_window(month)
    chance = np.random.default_rng(0)
    twenty = chance.choice(len(clean), len(clean) // 20, replace=False)

    def twice(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame.iloc[[100]]], ignore_index=True)

    def key_twice(frame: pd.DataFrame) -> pd.DataFrame:
        return twice(frame).assign(arr_delay=lambda each: each["arr_delay"].where(each.index < len(frame), 777))

    def nulls(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(humid=frame["humid"].where(~frame.index.isin(twenty)))

    def destination(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(dest=frame["dest"].astype("str").where(frame.index >= 30, "ZZZ").astype("category"))

    def wind(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(wind_speed=frame["wind_speed"].where(frame.index != 100, 1048))

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.rename(columns={"visib": "visibility"})

    paths = {}
    for number, (fault, change) in enumerate(
        zip(FAULTS, (wind, renamed, twice, key_twice, nulls, destination), strict=True)
    ):
        paths[fault] = folder / f"{month.stem}_{number}.parquet"
        write_window(change(clean), paths[fault])
    return paths


def run_tool(tool: str, asked: dict[str, Any], environment: str = ENVIRONMENT) -> Run:
    """Run one tool in a new process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command: list[str | Path] = [python(environment), "-m", f"benchmarks.validators.{TOOLS[tool]}"]
    error, answer = None, {}
    try:
        done = subprocess.run(
            command,
            input=json.dumps({**asked, "started": time.monotonic()}),
            capture_output=True,
            text=True,
            env=child_env(**_QUIET),
            cwd=ROOT,
            timeout=_LIMIT_S,
        )
        if done.returncode:
            error = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
        else:
            answer = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        error = f"not done after {_LIMIT_S} s"
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    known = {"seconds": round(seconds, 3), "cpu_s": round(cpu_s, 3)}
    if error:
        return Run(**known, status="failed", error=error)
    figures = {name: round(value, 3) if isinstance(value, float) else value for name, value in answer.items()}
    return Run.model_validate({**figures, **known, "status": "failed" if answer.get("error") else "succeeded"})


def cost(tool: str, case: str, rows: int, runs: list[Run]) -> Cost:
    """Summarise the runs that succeeded; with a failed one among them there is no summary, only the rows."""
    good = runs if all(run.status == "succeeded" for run in runs) else []

    def summary(name: str) -> Timing | None:
        return timing([getattr(run, name) for run in good]) if good else None

    # What a tool says of a file is the same in every run, and kept once, in `clean`.
    bare = [run.model_copy(update={"complaints": [], "drifted": []}) for run in runs]
    parts = ("seconds", "cpu_s", "import_s", "rules_s", "drift_s", "peak_mib")
    return Cost(tool=tool, case=case, rows=rows, runs=bare, **{name: summary(name) for name in parts})


def finding(tool: str, fault: str, clean: Run, spoilt: Run) -> Finding:
    """A fault is told when the tool says something of the spoilt file that it does not say of the clean one."""
    new = [each for each in spoilt.complaints if each not in clean.complaints]
    column = FAULTS[fault]
    as_ever = [each for each in spoilt.complaints if each in clean.complaints and column and column in each]
    told = bool(new or spoilt.error)
    return Finding(tool=tool, fault=fault, told=told, new=new, as_ever=as_ever, error=spoilt.error)


def _accepted(config: RetrainConfig, folder: Path) -> dict[str, Path]:
    """Write every month without its impossible rows, as validation hands them to training."""
    from shared.validate import impossible_rows

    paths = {}
    for month in config.spec.windows:
        frame = read_window(ROOT / config.spec.path(month))
        paths[month] = folder / f"{month}_accepted.parquet"
        write_window(frame.drop(index=impossible_rows(frame, month, config)), paths[month])
    return paths


def ratio(costs: list[Cost], tool: str, case: str) -> float | None:
    """How many times as long as ours a tool has taken: the median of the pairs of one round."""
    [mine] = [each for each in costs if (each.tool, each.case) == ("ours", case)]
    [other] = [each for each in costs if (each.tool, each.case) == (tool, case)]
    if mine.seconds is None or other.seconds is None:
        return None
    return round(median(b / a for a, b in zip(mine.seconds.samples, other.seconds.samples, strict=True)), 2)
