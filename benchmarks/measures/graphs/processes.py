"""Graphs that one process runs: no tool at all, Prefect with its ephemeral API, KFP's local runner."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.arms import PrefectArm
from benchmarks.measures.graphs.split import Ran, begun_in_kfp_log, parts
from benchmarks.measures.rounds import Failed, Taken
from benchmarks.places import ENVIRONMENT, ROOT, ArmName, child_env, python
from shared.graphs import Graph

_MODULE = {
    ArmName.PLAIN: "shared.graphs",
    ArmName.PREFECT: "prefect_impl.graphs",
    ArmName.KUBEFLOW: "kubeflow_impl.graphs",
}
#: The largest graph takes a minute.
PATIENCE_S = 600.0


def run(tool: ArmName, graph: Graph, folder: Path) -> Taken:
    """Run a graph in a fresh process of the tool's environment.

    Args:
        tool: plain, prefect or kubeflow.
        graph: which.
        folder: receives the log.

    Raises:
        Failed: it has failed, or did not end.
    """
    log = folder / f"{tool}-{graph.name}.log"
    log.unlink(missing_ok=True)
    env = child_env(**(PrefectArm(folder).env() if tool is ArmName.PREFECT else {}))
    begin = time.time()
    process = processes.start([python(ENVIRONMENT[tool]), "-m", _MODULE[tool], graph.name], log, env, ROOT)
    code = processes.finish(process, PATIENCE_S)
    if code != 0:
        said = f"exit code {code}: {processes.raised(log) or processes.tail(log, 1)}"
        what = said if code is not None else f"no end after {PATIENCE_S:.0f} s"
        raise Failed(f"{tool} {graph.title}: {what}", where=str(log), fix="read the end of that log")
    return taken(tool, graph, begin, log.read_text(errors="replace"))


def taken(tool: ArmName, graph: Graph, begin: float, text: str) -> Taken:
    """The figures of a process that has ended well.

    Args:
        tool: whose.
        graph: that it ran.
        begin: when the process was started, in seconds since 1970.
        text: what it has printed.
    """
    told = _last_object(text)
    times = told["tasks"]
    if tool is ArmName.KUBEFLOW and times:
        # Which task a line is about does not matter to when any runs, so they are taken in the order of their times.
        ready, ended = (sorted(each) for each in zip(*times, strict=True))
        times = list(zip(ready, begun_in_kfp_log(text), ended, strict=False))
    ran = Ran(told["called"], told["ended"], [(ready, started, ended) for ready, started, ended in times])
    return Taken({"up_s": told["called"] - begin, **parts(ran.whole(graph.tasks))})


def _last_object(text: str) -> dict[str, Any]:
    """The last line that is a JSON object with times; logs of other threads may follow it, or stand before it."""
    for line in reversed(text.splitlines()):
        if (found := line.find('{"called"')) >= 0:
            told: dict[str, Any] = json.loads(line[found:])
            return told
    raise Failed("the process told no times", where="its log", fix="read the end of that log")
