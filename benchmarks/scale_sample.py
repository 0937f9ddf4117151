"""One sample of `bakeoff bench scale`, in a process of its own: `python -m benchmarks.scale_sample REQUEST RESULT`.

Every process first does the same work once on a month of real flights, so that no sample holds what only a first call
costs (imports, the tracking store); `bakeoff bench core` measures those.
"""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel

from benchmarks import scale_data, stores
from benchmarks.places import ROOT

Kind = Literal["read", "bare", "core"]
MONTH = "2013-12"  # the longest training there is
_WARM_UP_MONTH = "2013-02"


class Request(BaseModel):
    """What to measure."""

    kind: Kind
    rows: int
    data: Path
    #: Where the steps append what they do; whoever watches the process's memory reads it.
    events: Path


class Measured(BaseModel):
    """What one process has measured, in seconds and bytes."""

    seconds: float
    #: Of all threads, user and system.
    cpu_seconds: float
    #: Resident memory before the measured part: interpreter, libraries and what the warm-up has left.
    floor_bytes: int
    #: Most resident memory in the whole life of the process.
    peak_bytes: int
    #: Rows and bytes of the training months as loaded: features alone, in compact types. Only `bare` holds them.
    training_rows: int | None = None
    frame_bytes: int | None = None


def measure(request: Request) -> Measured:
    """Warm up, then measure one read, one bare fit and predict of the candidates, or one whole retraining."""
    with tempfile.TemporaryDirectory() as state:
        return {"read": _read, "bare": _bare, "core": _core}[request.kind](request, Path(state))


def _read(request: Request, state: Path) -> Measured:
    """Every file of the window once, all columns, one after the other."""
    import pandas as pd

    from shared.datasets import get

    spec = get("flights")
    pd.read_parquet(ROOT / spec.path(_WARM_UP_MONTH))

    def read() -> None:
        for month in spec.windows:
            with _step(request, "read", month):
                pd.read_parquet(request.data / spec.path(month))

    return _timed(read)


def _bare(request: Request, state: Path) -> Measured:
    """`fit` and `predict_proba` of the default candidates; the loading of their rows is not timed."""
    from threadpoolctl import threadpool_limits

    from shared import data, train
    from shared.config import RetrainConfig

    def load(config: RetrainConfig, repo: Path) -> tuple[Any, Any, Any]:
        spec = config.spec
        features, target = data.load(spec, [repo / spec.path(month) for month in config.train_months], spec.features)
        unseen, _ = data.load(spec, [repo / spec.path(config.month)], spec.features)
        return features, target, unseen

    def fit_and_predict(config: RetrainConfig, features: Any, target: Any, unseen: Any) -> None:
        threadpool_limits(limits=1)  # as the core does: bits must not depend on the number of threads
        for candidate in config.candidates:
            model = train.build(candidate, config.spec, tuple(features.columns), config.seed)
            with _step(request, "fit", candidate.name):
                model.fit(features, target)
            with _step(request, "predict", candidate.name):
                model.predict_proba(unseen)

    warm = RetrainConfig(month=_WARM_UP_MONTH, state=state)
    fit_and_predict(warm, *load(warm, ROOT))
    request.events.unlink()
    floor = _floor()
    config = RetrainConfig(month=MONTH, state=state)
    with _step(request, "load", ""):
        features, target, unseen = load(config, request.data)
    frame = int(features.memory_usage(index=False, deep=True).sum())
    measured = _timed(lambda: fit_and_predict(config, features, target, unseen), floor)
    return measured.model_copy(update={"training_rows": len(features), "frame_bytes": frame})


def _core(request: Request, state: Path) -> Measured:
    """The whole retraining, ingest to register, with a champion to meet."""
    from shared.config import parse_config
    from shared.pipeline import retrain

    # A gate that everybody passes, so that every run goes all the way to register.
    base: dict[str, Any] = {"state": state, "gate": {"min_auc_gain": -1}}
    warm = parse_config({**base, "month": _WARM_UP_MONTH})
    config = parse_config(
        {**base, "month": MONTH, "events": request.events, **scale_data.settings(request.rows, request.data)}
    )
    stores.create(warm)
    retrain(warm, "warm-up")

    def work() -> None:
        if not retrain(config, "measured").promote:
            raise RuntimeError("a run that does not register must not be counted")

    return _timed(work)


def _timed(work: Callable[[], None], floor: int | None = None) -> Measured:
    floor = _floor() if floor is None else floor
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Measured(seconds=round(wall, 3), cpu_seconds=round(cpu, 3), floor_bytes=floor, peak_bytes=_peak())


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin with the memory of whoever started this process
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS, in bytes


def _floor() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


@contextlib.contextmanager
def _step(request: Request, step: str, label: str) -> Iterator[None]:
    """Tell the watcher of the memory what is going on, as the core's own steps do."""
    from shared import events

    start = time.perf_counter()
    events.tell(request.events, step=step, label=label, state="started")
    yield
    events.tell(request.events, step=step, label=label, state="finished", seconds=time.perf_counter() - start)


if __name__ == "__main__":
    # Should memory run out, this process is the one to go.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    asked = Request.model_validate_json(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(measure(asked).model_dump_json())
