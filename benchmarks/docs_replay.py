"""What docs/model.md shows of a replay, from the result file of `bakeoff replay --save` (cog)."""

from __future__ import annotations

import io

from rich.console import Console

from benchmarks import docs, replay
from benchmarks.places import RESULTS


def timeline() -> str:
    """The table and the lines under it, as the command prints them, and where they were measured."""
    result = replay.Replay.model_validate_json((RESULTS / "replay.json").read_text())
    text = io.StringIO()
    console = Console(file=text, width=100)
    console.print(replay.table(result))
    for line in replay.summary(result):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    printed = "\n".join(line.rstrip() for line in text.getvalue().splitlines())
    return f"```text\n{printed}\n```\n\nMeasured on {docs.machine(result.environment)}."
