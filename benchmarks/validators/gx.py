"""Great Expectations (GX Core 1.x), set up as its documentation does for data frames: context, suite, checkpoint.

The suite `rules` is the core's contract rule by rule. The suite `drift` is what GX offers of a comparison with a
reference: sets of known values, shares of values that are there, Kullback-Leibler divergence of each feature. GX counts
no reference by itself, so this script does, in pandas.
"""

from __future__ import annotations

from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd

from benchmarks.validators import protocol

_FLOOR = 1e-6  # weight of what the reference does not hold, so that the divergence stays finite


def check(request: dict[str, Any]) -> dict[str, Any]:
    """Run both suites, each through a checkpoint."""
    frame = pd.read_parquet(request["current"])
    reference = pd.read_parquet(request["reference"], columns=request["features"])
    read_s = protocol.lap()
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("flights")
    batch = asset.add_batch_definition_whole_dataframe("all rows")
    broken = _run(context, batch, "rules", rules(request["rules"]), frame)
    rules_s = protocol.lap()
    moved = _run(context, batch, "drift", comparison(request, reference), frame)
    return {
        "read_s": read_s,
        "rules_s": rules_s,
        "drift_s": protocol.lap(),
        "complaints": [*broken, *moved],
        "drifted": [each.split(":")[0] for each in moved if "kl_divergence" in each],
    }


def rules(contract: dict[str, Any]) -> list[Any]:
    """The contract as expectations."""
    wanted: list[Any] = [
        gxe.ExpectTableColumnsToMatchSet(column_set=list(contract["types"]), exact_match=True),
        gxe.ExpectTableRowCountToBeBetween(min_value=contract["rows"][0], max_value=contract["rows"][1]),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=contract["key"]),
    ]
    wanted += [gxe.ExpectColumnTypeToBe(column=name, type_=kind) for name, kind in contract["types"].items()]
    for name, (low, high) in contract["ranges"].items():
        wanted.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high))
    for name, (first, last) in contract["dates"].items():
        low, high = pd.Timestamp(first), pd.Timestamp(last)
        wanted.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high))
    for name, pattern in contract["patterns"].items():
        wanted.append(gxe.ExpectColumnValuesToMatchRegex(column=name, regex=f"^({pattern})$"))
    for name, share in contract["nulls"].items():
        if share == 0:
            wanted.append(gxe.ExpectColumnValuesToNotBeNull(column=name))
        else:
            wanted.append(gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(column=name, min_value=1 - share))
    return wanted


def comparison(request: dict[str, Any], reference: pd.DataFrame) -> list[Any]:
    """What GX can hold against a reference, for each feature."""
    wanted: list[Any] = []
    for name in request["features"]:
        column = reference[name].dropna()
        if name in request["labels"]:
            shares = column.value_counts(normalize=True)
            shares = shares[shares > 0]
            values = [str(value) for value in shares.index]
            wanted.append(gxe.ExpectColumnDistinctValuesToBeInSet(column=name, value_set=values))
            partition = {"values": values, "weights": shares.tolist()}
            holdout = {"tail_weight_holdout": _FLOOR}
        else:
            missing = float(reference[name].isna().mean())
            least = max(0.0, 1 - missing - request["null_jump"])
            wanted.append(gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(column=name, min_value=least))
            edges = np.unique(np.quantile(column.to_numpy(dtype=np.float64), np.linspace(0, 1, 11)))
            counts, _ = np.histogram(column, edges)
            partition = {"bins": edges.tolist(), "weights": (counts / counts.sum()).tolist()}
            holdout = {"tail_weight_holdout": _FLOOR, "internal_weight_holdout": _FLOOR}
        wanted.append(
            gxe.ExpectColumnKLDivergenceToBeLessThan(
                column=name, partition_object=partition, threshold=request["threshold"], **holdout
            )
        )
    return wanted


def _run(context: Any, batch: Any, name: str, wanted: list[Any], frame: pd.DataFrame) -> list[str]:
    """Column and kind of every expectation that is not met, and which values a set does not hold.

    Raises:
        RuntimeError: an expectation could not be computed, though its column is there: the suite is at fault.
    """
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=wanted))
    definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
    definition = context.validation_definitions.add(definition)
    checkpoint = context.checkpoints.add(gx.Checkpoint(name=name, validation_definitions=[definition]))
    [found] = checkpoint.run(batch_parameters={"dataframe": frame}).run_results.values()
    complaints = []
    for each in found.results:
        if not each.success:
            column, kind = each.expectation_config.kwargs.get("column", "table"), each.expectation_config.type
            if each.exception_info.get("raised_exception") and (column == "table" or column in frame):
                raise RuntimeError(f"{column}: {kind}: {each.exception_info.get('exception_message')}")
            values = each.result.get("partial_unexpected_list") if "distinct" in kind else None
            complaints.append(f"{column}: {kind}{' ' + ', '.join(values) if values else ''}")
    return complaints


if __name__ == "__main__":
    protocol.answer(check)
