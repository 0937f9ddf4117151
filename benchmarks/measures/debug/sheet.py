"""The sheet that times people on the same faults: one page a tool, to be printed and filled in by hand."""

from __future__ import annotations

from benchmarks.measures.catalog import Where
from benchmarks.measures.debug.catalogue import CONTROL, faults
from benchmarks.places import ArmName

_HEAD = """# Debugging by hand: a sheet for timing people

<!-- made by `./bakeoff break --sheet`; a test holds it -->

`./bakeoff bench debug` times scripts. This sheet times people on the same faults. One person, one tool, one sheet;
somebody else, the *host*, switches the faults on and keeps the time.

1. The host draws the order of the faults by lot, and lets some rounds be no fault at all.
2. The host, unseen: `./bakeoff break FAULT --on TOOL` (with `--stack compose` on the servers), then starts the run
   that it prints, and the clock. The person is given the tool and its pages, and no name of a fault.
3. The person says *told* when the tool has shown that something is wrong, and *found* when they can name the cause.
   The host compares it with the cause in `benchmarks/measures/debug/faults.yaml`, and stops after ten minutes.
4. `./bakeoff mend`; the person goes on as the tool allows, until there is a verdict. Then a grade, from 1 (clear at
   once) to 5 (never found).
5. Times are minutes and seconds; every thing that was looked at is written down, in order. A cause that was not
   found is a result: leave *cause found* empty.

| | |
|---|---|
| person, and years with this tool | |
| host | |
| date, machine | |
| embedded or compose | |
"""
_TOOLS = (ArmName.AIRFLOW, ArmName.KUBEFLOW, ArmName.PREFECT)
_COLUMNS = ("fault", "began", "told by the tool", "cause found", "looked at", "cause, in your words", "going on", "1-5")


def markdown() -> str:
    """The sheet."""
    lines = [_HEAD.rstrip()]
    for tool in _TOOLS:
        here = [each for each in faults() if any(not each.why_not(tool, where) for where in Where)]
        lines += ["", f"## {tool.capitalize()}", "", f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
        for each in sorted(here, key=lambda each: each.id):
            name = "(no fault)" if each.id == CONTROL else each.id
            lines.append(f"| {name} |{' |' * (len(_COLUMNS) - 1)}")
    return "\n".join(lines) + "\n"
