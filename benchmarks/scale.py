"""How the core's cost grows with the rows: 0.3, 1, 3 and 10 million flights made by `bakeoff data scale`.

For each size, in turns and each in a process of its own: reading the window's files once; bare `fit` and
`predict_proba` of the candidates; the whole retraining. Samples are kept as they come: a stopped benchmark goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Literal, get_args

import psutil
from pydantic import BaseModel

from benchmarks import processes, results, scale_data
from benchmarks.places import ROOT, STATE, ArmName, child_env, python
from benchmarks.scale_sample import MONTH, Kind, Measured, Request
from shared import events

ROWS = (300_000, 1_000_000, 3_000_000, 10_000_000)
SEED = 0
#: What a whole core may cost, in times bare fit and predict.
OVER_BARE, OVER_BARE_SMALL, _SMALL_ROWS = 1.15, 1.25, 1_000_000
OVER_READ = 2.0
OVER_FRAME = 3.0
_KINDS: tuple[Kind, ...] = get_args(Kind)
#: Seconds of a process beside the work, and microseconds a row of the work: only to tell how long it will take.
_FIXED_S: dict[Kind, float] = {"read": 3, "bare": 8, "core": 14}
_ROW_US: dict[Kind, float] = {"read": 0.1, "bare": 30, "core": 33}
_WATCH_S = 0.05


class Step(BaseModel):
    """One step of a sample: its wall time, and the most memory seen while it ran (looked at 20 times a second)."""

    name: str
    seconds: float
    peak_bytes: int


class Sample(BaseModel):
    """One process: what it measured, or why it failed."""

    rows: int
    kind: Kind
    number: int
    status: results.Status
    measured: Measured | None = None
    steps: list[Step] = []
    error: str | None = None


class Target(BaseModel):
    """A figure against its limit; no value where samples are missing."""

    name: Literal["core over bare", "validation over read", "peak memory over training frame", "finished"]
    rows: int
    value: float | None
    limit: float
    met: bool


class ScaleResult(BaseModel):
    """The result file of `bakeoff bench scale`."""

    measure: Literal["scale"] = "scale"
    environment: results.Environment
    versions: dict[str, str]
    month: str
    seed: int
    samples: list[Sample]
    targets: list[Target]

    @property
    def sizes(self) -> list[int]:
        """Every number of rows there is a sample of, ascending."""
        return sorted({sample.rows for sample in self.samples})


def repeats(rows: int) -> int:
    """How many samples of each kind: fewer of what takes minutes."""
    return 3 if rows <= 1_000_000 else 2 if rows <= 3_000_000 else 1


def estimate_s(rows: list[int], times: int | None = None) -> float:
    """About how long the whole benchmark takes on two cores, in seconds."""
    return sum(
        (times or repeats(size)) * (_FIXED_S[kind] + _ROW_US[kind] * size / 1e6) for size in rows for kind in _KINDS
    )


def measure(
    rows: list[int], tell: Callable[[str], None], times: int | None = None, work: Path = STATE / "scale"
) -> ScaleResult:
    """Make the flights that are missing, then take every sample that an earlier, stopped call has not taken.

    Args:
        rows: the sizes.
        tell: receives one line a sample.
        times: samples of each kind; by default `repeats` of each size.
        work: folder of the flights, of the samples taken so far, and of logs.

    Raises:
        ConfigError: a number of rows makes no sense.
    """
    environment = results.environment()
    for size in rows:
        tell(f"{size:,} flights: making them, unless they are there")
        scale_data.make(size, SEED, work / str(size), lambda month, count: None)
    kept = work / f"samples-{_version()}.jsonl"
    done = _read(kept)
    for size in rows:
        for number in range(times or repeats(size)):
            for kind in _KINDS:
                if any((each.rows, each.number, each.kind) == (size, number, kind) for each in done):
                    continue
                sample = take(kind, size, number, work)
                with kept.open("a") as stream:
                    stream.write(sample.model_dump_json() + "\n")
                done.append(sample)
                tell(_line(sample))
    samples = [each for each in done if each.rows in rows and each.number < (times or repeats(each.rows))]
    result = ScaleResult(
        environment=environment,
        versions=results.versions(ArmName.PLAIN),
        month=MONTH,
        seed=SEED,
        samples=sorted(samples, key=lambda each: (each.rows, each.number)),
        targets=targets(samples),
    )
    kept.unlink(missing_ok=True)
    return result


def take(kind: Kind, rows: int, number: int, work: Path) -> Sample:
    """Take one sample in a process of its own; a failure is a sample too. Ctrl-C leaves no process behind."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work, prefix="sample-") as name:
        return _take(Path(name), kind, rows, number, work / str(rows))


def _take(folder: Path, kind: Kind, rows: int, number: int, data: Path) -> Sample:
    request = Request(kind=kind, rows=rows, data=data, events=folder / "events.jsonl")
    asked, answer, log = folder / "request.json", folder / "result.json", folder / "log.txt"
    asked.write_text(request.model_dump_json())
    command: list[str | Path] = [python("core"), "-m", "benchmarks.scale_sample", asked, answer]
    process = processes.start(command, log, child_env(), ROOT)
    seen: list[tuple[float, int]] = []
    try:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                seen.append((time.time(), watched.memory_info().rss))
            time.sleep(_WATCH_S)
    finally:
        processes.stop(process)
    base = {"rows": rows, "kind": kind, "number": number, "steps": _steps(request.events, seen)}
    if process.returncode:
        killed = " (killed: out of memory?)" if process.returncode == -9 else ""
        told = processes.tail(log, 1).replace(f"{ROOT}/", "")
        return Sample(**base, status="failed", error=f"exit code {process.returncode}{killed}: {told}")
    return Sample(**base, status="succeeded", measured=Measured.model_validate_json(answer.read_text()))


def _steps(listener: Path, seen: list[tuple[float, int]]) -> list[Step]:
    """The finished steps of a process, with the most memory seen in each."""
    steps: dict[str, Step] = {}
    for event in events.read(listener):
        if event["state"] != "finished":
            continue
        name = f"{event['step']} {event['label']}".strip() if event["step"] != "read" else "read"
        start = event["time"] - event["seconds"]
        peak = max((rss for at, rss in seen if start <= at <= event["time"]), default=0)
        before = steps.get(name, Step(name=name, seconds=0, peak_bytes=0))
        total = round(before.seconds + event["seconds"], 3)
        steps[name] = Step(name=name, seconds=total, peak_bytes=max(peak, before.peak_bytes))
    return list(steps.values())


def targets(samples: list[Sample]) -> list[Target]:
    """Hold the figures against their limits."""
    found: list[Target] = []
    for rows in sorted({sample.rows for sample in samples}):
        limit = OVER_BARE_SMALL if rows < _SMALL_ROWS else OVER_BARE
        if not _SMALL_ROWS <= rows < 3_000_000:  # between the two sizes that have a limit there is none
            found.append(_target("core over bare", rows, over_bare(samples, rows), limit))
        found.append(_target("validation over read", rows, over_read(samples, rows), OVER_READ))
        found.append(_target("peak memory over training frame", rows, over_frame(samples, rows), OVER_FRAME))
        whole = all(each.status == "succeeded" for each in samples if each.rows == rows and each.kind == "core")
        found.append(Target(name="finished", rows=rows, value=float(whole), limit=1, met=whole))
    return found


def _target(name: str, rows: int, value: float | None, limit: float) -> Target:
    kept = None if value is None else round(value, 3)
    return Target.model_validate(
        {"name": name, "rows": rows, "value": kept, "limit": limit, "met": kept is not None and kept <= limit}
    )


def over_bare(samples: list[Sample], rows: int) -> float | None:
    """Median over the pairs of one size: wall time of the whole core over that of bare fit and predict."""
    core, bare = seconds(samples, rows, "core"), seconds(samples, rows, "bare")
    return median(core[n] / bare[n] for n in core.keys() & bare.keys()) if core.keys() & bare.keys() else None


def over_read(samples: list[Sample], rows: int) -> float | None:
    """Median over the pairs of one size: wall time of validation over that of reading the files once."""
    read, validation = seconds(samples, rows, "read"), validation_seconds(samples, rows)
    both = read.keys() & validation.keys()
    return median(validation[n] / read[n] for n in both) if both else None


def over_frame(samples: list[Sample], rows: int, kind: Kind = "core") -> float | None:
    """Most memory beyond interpreter and libraries (median over the samples), in loaded training frames."""
    frame = frame_bytes(samples, rows)
    more = [each.measured.peak_bytes - each.measured.floor_bytes for each in of(samples, rows, kind) if each.measured]
    return median(more) / frame if more and frame else None


def frame_bytes(samples: list[Sample], rows: int) -> int | None:
    """Bytes of the loaded training frame of one size."""
    return next((each.measured.frame_bytes for each in of(samples, rows, "bare") if each.measured), None)


def validation_seconds(samples: list[Sample], rows: int) -> dict[int, float]:
    """Wall time of validation in each retraining that succeeded, by its number."""
    whole = [each for each in of(samples, rows, "core") if each.measured]
    return {each.number: step.seconds for each in whole for step in each.steps if step.name == "validate"}


def of(samples: list[Sample], rows: int, kind: Kind) -> list[Sample]:
    """The samples of one size and kind."""
    return [each for each in samples if (each.rows, each.kind) == (rows, kind)]


def seconds(samples: list[Sample], rows: int, kind: Kind) -> dict[int, float]:
    """Wall time of each sample that succeeded, by its number."""
    return {each.number: each.measured.seconds for each in of(samples, rows, kind) if each.measured}


def _line(sample: Sample) -> str:
    what = f"{sample.rows:,} rows, {sample.kind} {sample.number + 1}"
    if sample.measured is None:
        return f"{what}: failed: {sample.error}"
    steps = ", ".join(f"{step.name} {step.seconds:.1f}" for step in sample.steps if sample.kind != "read")
    peak = sample.measured.peak_bytes / 2**20
    return f"{what}: {sample.measured.seconds:.2f} s, at most {peak:,.0f} MiB{f' ({steps})' if steps else ''}"


def _version() -> str:
    """Of the code that is measured: samples of other code are not gone on with."""
    digest = hashlib.md5()
    for path in [*sorted((ROOT / "shared").rglob("*.py")), *sorted((ROOT / "benchmarks").glob("scale*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _read(kept: Path) -> list[Sample]:
    """The samples taken so far; a last line that was being written when the benchmark was stopped does not count."""
    lines = kept.read_text().splitlines(keepends=True) if kept.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        kept.write_text("".join(whole))
    return [Sample.model_validate_json(line) for line in whole]
