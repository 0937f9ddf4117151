"""What docs/model.md shows of a replay, from the result file of `bakeoff replay --save` (cog)."""

from __future__ import annotations

import io
from statistics import fmean

from rich.console import Console

from benchmarks import docs, replay
from benchmarks.places import RESULTS


def timeline() -> str:
    """The table and the lines under it, as the command prints them, and where they were measured."""
    result = _result()
    text = io.StringIO()
    console = Console(file=text, width=100)
    console.print(replay.table(result))
    for line in replay.summary(result):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    printed = "\n".join(line.rstrip() for line in text.getvalue().splitlines())
    return f"```text\n{printed}\n```\n\nMeasured on {docs.machine(result.environment)}."


def findings() -> str:
    """What the figures say about each rule, in sentences."""
    rows = [row for row in _result().retrainings if row.champion_auc is not None]
    names = {"frozen_auc": "never retrained", "last_month_auc": "last month alone", "every_auc": "every challenger"}
    lines = []
    for field, name in names.items():
        gaps = {row.month: (row.champion_auc or 0.0) - getattr(row, field) for row in rows}
        better, worse = (sum(sign * gap > 1e-9 for gap in gaps.values()) for sign in (1, -1))
        most = max(gaps, key=lambda month: gaps[month])
        lines.append(
            f"- *{name}*: the champion's AUC is higher in {better} of {len(gaps)} months and lower in {worse}; "
            f"on average by {fmean(gaps.values()):+.3f}, at most by {gaps[most]:+.3f} ({most})."
        )
    promotions = sum(bool(row.promoted) for row in rows)
    lines.append(
        f"- The gate changed the model in {promotions} of {len(rows)} months, promoting all would have in each."
    )
    return "\n".join(lines)


def _result() -> replay.Replay:
    return replay.Replay.model_validate_json((RESULTS / "replay.json").read_text())
