"""The core's own validation of one or more months: the contract (pandera) and the comparison with a reference (PSI)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.validators import protocol
from shared import drift
from shared.config import RetrainConfig
from shared.errors import DataError
from shared.files import read_window
from shared.validate import impossible_rows


def check(request: dict[str, Any]) -> dict[str, Any]:
    """Do what `shared.validate.validate_window` does with a month that has arrived, without writing files.

    Several months are held against the contract one by one, as the pipeline does, and compared as one.
    """
    config = RetrainConfig.model_validate(request["config"])
    months = [(Path(path).stem.split("_")[0], read_window(Path(path))) for path in request["current"]]
    reference = [read_window(Path(path)) for path in request["reference"]]
    read_s = protocol.lap()
    complaints: list[str] = []
    accepted = []
    for month, frame in months:
        try:
            bad = impossible_rows(frame, month, config)
        except DataError as error:  # a month that is refused is compared with nothing
            return {
                "read_s": read_s,
                "rules_s": protocol.lap(),
                "drift_s": 0.0,
                "complaints": [error.what],
                "drifted": [],
            }
        if len(bad):
            complaints.append(f"{month}: rows set aside for an impossible reading")
        accepted.append(frame.drop(index=bad))
    rules_s = protocol.lap()
    old = drift.reference(config.spec, reference)
    shift = drift.compare(old, accepted[0] if len(accepted) == 1 else pd.concat(accepted, ignore_index=True))
    complaints += [f"{name} has values never trained on: {', '.join(each)}" for name, each in shift.novel.items()]
    for name, jump in shift.more_missing.items():
        if jump > config.contract.null_jump:
            complaints.append(f"{name} misses more of its values than in training")
    drifted = [name for name, value in shift.psi.items() if value > config.drift.feature_psi]
    complaints += [f"{name} has drifted" for name in drifted if name not in config.spec.restless]
    return {
        "read_s": read_s,
        "rules_s": rules_s,
        "drift_s": protocol.lap(),
        "complaints": complaints,
        "drifted": drifted,
    }


if __name__ == "__main__":
    protocol.answer(check)
