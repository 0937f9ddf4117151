"""What the core costs beyond bare scikit-learn: a retraining against `fit` and `predict_proba` of its candidates.

Both run in one process, interleaved, on the same rows, after every import and with the tracking store created: those
one-off costs are measured apart. `python -m benchmarks.core_cost` (or `./bakeoff bench core`) prints the result.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from statistics import median
from typing import Literal

from pydantic import BaseModel

from benchmarks import results
from benchmarks.places import ROOT, child_env
from benchmarks.stats import Timing, timing

MONTH = "2013-12"
RUNS = 5
#: What a process of the core imports before it can work; MLflow last, because only some steps need it.
_LIGHT = "data, evaluate, pipeline, steps, train"
_IMPORTS = {
    "python": "pass",
    "pandas and scikit-learn": "import pandas, sklearn.compose, sklearn.ensemble, sklearn.linear_model",
    "and shared, without MLflow": f"from shared import {_LIGHT}",
    "and shared.validate (pandera)": f"from shared import {_LIGHT}, validate",
    "and shared.registry (MLflow)": f"from shared import {_LIGHT}, validate, registry",
}


class CoreCost(BaseModel):
    """The result file of `bakeoff bench core`."""

    measure: Literal["core"] = "core"
    environment: results.Environment
    month: str
    training_rows: int
    bare_s: Timing
    core_s: Timing
    #: Median of the ratios of each interleaved pair.
    ratio: float
    create_store_s: float
    import_s: dict[str, Timing]


def measure(tell: Callable[[str], None]) -> CoreCost:
    """Measure; about three minutes on two cores. `tell` receives one line a sample."""
    rounds = [{name: _import_s(code, tell) for name, code in _IMPORTS.items()} for _ in range(RUNS + 1)]
    imports = {name: timing([each[name] for each in rounds[1:]]) for name in _IMPORTS}  # the first round warms up
    from shared import data, tracking, train
    from shared.config import RetrainConfig
    from shared.pipeline import retrain

    config = RetrainConfig(month=MONTH)
    spec = config.spec
    paths = {month: ROOT / spec.path(month) for month in [*config.train_months, MONTH]}
    features, target = data.load(spec, [paths[month] for month in config.train_months], spec.features)
    unseen, _ = data.load(spec, [paths[MONTH]], spec.features)

    def bare() -> None:
        for candidate in config.candidates:
            train.score(train.fit(candidate, spec, features, target, config.seed), unseen)

    def full() -> None:
        if not retrain(config, uuid.uuid4().hex).promote:
            raise RuntimeError("a run that does not register must not be counted")

    with tempfile.TemporaryDirectory() as folder:
        # A gate that the same model passes again, so that every run goes all the way to register.
        config = RetrainConfig.model_validate({"month": MONTH, "state": folder, "gate": {"min_auc_gain": -1}})
        start = time.perf_counter()
        tracking.connect(config).search_experiments()
        create_store_s = time.perf_counter() - start
        bare_s, core_s = [], []
        for number in range(RUNS + 1):  # the first pair warms up and is dropped
            bare_s.append(_seconds(bare))
            core_s.append(_seconds(full))
            tell(f"pair {number} of {RUNS}: bare {bare_s[-1]:.2f} s, core {core_s[-1]:.2f} s")
    pairs = list(zip(bare_s, core_s, strict=True))[1:]
    return CoreCost(
        environment=results.environment(),
        month=MONTH,
        training_rows=len(target),
        bare_s=timing([each for each, _ in pairs]),
        core_s=timing([each for _, each in pairs]),
        ratio=round(median(core / plain for plain, core in pairs), 3),
        create_store_s=round(create_store_s, 3),
        import_s=imports,
    )


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _import_s(code: str, tell: Callable[[str], None]) -> float:
    seconds = _seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=child_env()))
    tell(f"{seconds:.2f} s: {code}")
    return seconds
