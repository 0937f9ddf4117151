"""Evidently 0.7, as its documentation sets it up: presets with `include_tests`, current against reference.

The data summary sees every column, the drift report the model's features. With a reference, Evidently makes its own
tests: each statistic of the current data within a tenth of the reference's, each feature's drift below 0.1.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset

from benchmarks.validators import protocol


def check(request: dict[str, Any]) -> dict[str, Any]:
    """Run both reports."""
    frame = pd.read_parquet(request["current"])
    reference = pd.read_parquet(request["reference"])
    read_s = protocol.lap()
    columns = list(request["rules"]["types"])
    dates = [name for name, kind in request["rules"]["types"].items() if kind.startswith("datetime")]
    labels = list(request["labels"])
    definition = DataDefinition(
        categorical_columns=labels,
        datetime_columns=dates,
        numerical_columns=[name for name in columns if name not in [*labels, *dates]],
    )
    complaints: list[str] = []
    spent: list[float] = []
    drifted: list[str] = []
    error = None
    for preset in (DataSummaryPreset(), DataDriftPreset(columns=request["features"])):
        try:
            current = Dataset.from_pandas(frame, data_definition=definition)
            old = Dataset.from_pandas(reference, data_definition=definition)
            found = Report([preset], include_tests=True).run(current, old).dict()
        except Exception as cause:  # a missing column ends in whatever the first metric makes of it
            error = f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"
        else:
            failed = [test["name"] for test in found["tests"] if test["status"].name == "FAIL"]
            complaints += failed
            drifted += [name.rpartition(" ")[2] for name in failed if name.startswith("Value Drift for column")]
        spent.append(protocol.lap())
    return {
        "read_s": read_s,
        "rules_s": spent[0],
        "drift_s": spent[1],
        "complaints": complaints,
        "drifted": drifted,
        "error": error,
    }


if __name__ == "__main__":
    protocol.answer(check)
