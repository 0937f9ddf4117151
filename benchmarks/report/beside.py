"""What others have published of the same graphs, in one table with ours, each with its source."""

from __future__ import annotations

from benchmarks.measures.graphs import published
from benchmarks.measures.show import number
from benchmarks.places import ArmName
from benchmarks.report.collect import Measured
from benchmarks.report.figures import Cases, spread, title
from benchmarks.results import TOOL_PACKAGES


def table(measured: Measured) -> str:
    """As Markdown: the first task's being ready to the last one's end, ours first; '' where none of the graphs ran."""
    cases = Cases(measured.result)
    versions = measured.result.versions
    rows = []
    for graph in dict.fromkeys(each.graph for each in published.WINDMILL):
        ours = []
        for case in cases.cases:
            if case.get("graph") == graph and (timing := cases.timing(case, "tasks_s")):
                tool = case["tool"]
                version = " ".join(versions.get(tool, {}).get(each, "") for each in TOOL_PACKAGES[ArmName(tool)])
                where = case["where"] + (f", beside {title(case['beside'])}" if "beside" in case else "")
                ours.append(f"| {graph} | {title(tool)} {version}".rstrip() + f" | {where} | {spread(timing)} | here |")
        theirs = [
            f"| {graph} | {each.engine} | compose | {number(each.seconds)} | Windmill |"
            for each in published.WINDMILL
            if each.graph == graph
        ]
        rows += [*ours, *theirs] if ours else []
    if not rows:
        return ""
    head = ["| graph | engine | where | first ready to last end, s | measured by |", "|---|---|---|---:|---|"]
    return "\n".join([*head, *rows, "", f"{published.NOTE} [Source]({published.SOURCE})."])
