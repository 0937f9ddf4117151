"""Result files of all measures as a full run would leave them: spreads, warm-ups, failures, and what was not run.

As a program it writes the page of them: python -m tests.benchmarks.report.made FOLDER
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from benchmarks import results
from benchmarks.measures.catalog import Measure, Name
from benchmarks.measures.record import Figure, path
from benchmarks.report import page
from tests.benchmarks.measures.made import result, sample

WHERES = {"plain": ["embedded"], "prefect": ["embedded", "compose"], "airflow": ["embedded", "compose"]}
WHERES["kubeflow"] = ["embedded", "compose"]
NO_CLUSTER = "its servers are pods of a cluster, and there is none here: `./bakeoff up kubeflow`"
FAULTS = [
    *("control", "schema change", "NaN burst", "import error", "missing dependency", "wrong image tag"),
    *("out of memory", "hang", "tracking server down", "403 from MLflow", "database locked", "bad credential"),
    *("stale-cache", "flaky network", "gate rejection", "worker lost"),
]
UNITS = {
    "setup": {"tthw_s": "s", "download_s": "s", "install_s": "s", "disk_mb": "MB", "commands": "count"},
    "overhead": {"makespan_s": "s", "over_plain_s": "s", "schedule_s": "s", "import_s": "s"},
    "footprint": {"memory_mib": "MiB", "cpu_percent": "%"},
    "debug": {"detect_s": "s", "walk_steps": "count", "resume_s": "s"},
    "migration": {"adapter_lines": "lines", "config_lines": "lines", "core_lines": "lines", "env_mb": "MB"},
    "peers": {"tthw_s": "s", "makespan_s": "s"},
}


def load(name):
    """A measure with definitions, as `catalog.load` gives it."""
    figures = [
        Figure(name=each, title=each.rpartition("_")[0].replace("_", " ").title(), unit=unit,
               definition=f"What {each} means, from which moment to which.")
        for each, unit in UNITS[name].items()
    ]  # fmt: skip
    return Measure(Name(name), f"{name.title()}, measured", f"What does {name} cost?", figures, list, ["one machine"])


class Drawing:
    """Draws samples, the same ones each time."""

    def __init__(self, seed=0):
        self.random = random.Random(seed)

    def around(self, middle, spread=0.12):
        return round(middle * self.random.uniform(1 - spread, 1 + spread), 3)

    def case(self, tool, case, rounds=5, **middles):
        if tool == "kubeflow" and case.get("where") == "compose":
            return [sample(tool, status="not run", error=NO_CLUSTER, case=case)]
        warm = [sample(tool, warmup=True, case=case, **{k: v * 3 for k, v in middles.items()})]
        return warm + [
            sample(tool, n, case=case, **{k: self.around(v) for k, v in middles.items()}) for n in range(rounds)
        ]


def setup(draw):
    return [
        each
        for tool, middle in {"plain": 40, "prefect": 90, "airflow": 150, "kubeflow": 70}.items()
        for where in WHERES[tool]
        for cache in ("cold", "warm")
        for each in draw.case(
            tool,
            {"where": where, "cache": cache},
            3,
            tthw_s=middle * (1 if cache == "cold" else 0.4) * (1.7 if where == "compose" else 1),
            download_s=middle / 3,
            install_s=middle / 5,
            disk_mb=600 + middle,
            commands=3,
        )
    ]


def overhead(draw):
    rows = []
    for tool, cost in {"plain": 0.001, "prefect": 0.05, "airflow": 1.2, "kubeflow": 0.3}.items():
        for where in WHERES[tool]:
            places = {"where": where}
            rows += draw.case(tool, {**places, "work": "retraining"}, makespan_s=12 + 8 * cost)
            for graph in ("1 linear", "10 linear", "40 linear", "10 fan-out", "40 fan-out"):
                labels = {**places, "work": "graph", "graph": graph}
                rows += draw.case(tool, labels, makespan_s=cost * int(graph.split()[0]), schedule_s=cost / 2)
        rows += draw.case(tool, {"where": "embedded", "work": "import"}, import_s=1 + cost)
    noisy = {"where": "embedded", "work": "retraining"}
    rows += [sample("airflow", 5, case=noisy, makespan_s=45.0)]
    rows += [sample("prefect", 5, case=noisy, status="failed", error='database is locked <sqlite3> & "gone"')]
    return rows


def footprint(draw):
    parts = {
        "plain": {"process": "workers"},
        "prefect": {"server": "control plane", "worker": "workers", "postgres": "base"},
        "airflow": {"api-server": "control plane", "scheduler": "control plane", "triggerer": "control plane"},
        "kubeflow": {"runner": "workers"},
    }
    return [
        each
        for tool, some in parts.items()
        for where in WHERES[tool]
        for phase in ("idle", "busy")
        for part, role in some.items()
        for each in draw.case(
            tool,
            {"where": where, "phase": phase, "role": role, "part": part},
            memory_mib=300 if phase == "idle" else 800,
            cpu_percent=2 if phase == "idle" else 90,
        )
    ]


def debug(draw):
    rows = []
    for number, fault in enumerate(FAULTS):
        for tool in ("prefect", "airflow", "kubeflow"):
            for where in WHERES[tool]:
                labels = {"where": where, "fault": fault}
                if where == "compose" and tool == "kubeflow":
                    rows += draw.case(tool, labels)
                elif fault == "hang" and tool == "airflow":
                    rows.append(sample(tool, case=labels, status="failed", error="it was not told within 300 s"))
                elif fault == "stale-cache" and tool == "airflow":
                    rows.append(sample(tool, case=labels, status="not run", error="Airflow caches no result"))
                elif fault == "control":
                    rows.append(sample(tool, case=labels, texts={"state": "success"}, walk_steps=1))
                elif not (fault == "stale-cache" and tool == "prefect" and where == "compose"):
                    kind = ("message", "log", "hidden")[(number + len(tool)) % 3]
                    alert = "running" if fault == "hang" and tool == "kubeflow" else "failed"
                    cause = f"ValueError: {fault} <of {tool}>"
                    texts = {"cause_in": kind, "cause_line": cause, "state": alert, "alert": alert}
                    figures = {"detect_s": draw.around(5 + number * 4), "walk_steps": 1 + number % 5}
                    rows.append(sample(tool, case=labels, texts=texts, resume_s=draw.around(9), **figures))
    return rows


def migration(draw):
    lines = {"plain": 24, "prefect": 126, "airflow": 267, "kubeflow": 198}
    own = [
        sample(
            tool,
            case={"work": "adapter"},
            adapter_lines=count,
            config_lines=count // 3,
            core_lines=0,
            env_mb=600 + count,
        )
        for tool, count in lines.items()
    ]
    return own + [
        sample(one, case={"work": "move", "to": other}, adapter_lines=lines[other], config_lines=lines[other] // 4)
        for one in lines
        for other in lines
        if one != other and other != "plain"
    ]


def peers(draw):
    rows = []
    for tool, middle in {"prefect": 0.6, "airflow": 11, "zenml": 30, "kedro": 6}.items():
        if tool in WHERES:
            rows += draw.case(tool, {"work": "10 short tasks"}, makespan_s=middle)
        else:
            rows += draw.case(tool, {"work": "quickstart"}, tthw_s=middle)
    return [
        *rows,
        sample("windmill", case={"work": "10 short tasks"}, status="not run", error="no image: `docker run`"),
    ]


MEASURES = {"setup": setup, "overhead": overhead, "footprint": footprint, "debug": debug}
MEASURES |= {"migration": migration, "peers": peers}
VERSIONS = {"airflow": {"apache-airflow": "3.3.2"}, "prefect": {"prefect": "3.8.8"}}


def make(name, seed=0, **fields):
    """The result of one measure."""
    fields = {"profile": "full", "versions": VERSIONS, "seconds": 700.0, **fields}
    return result(MEASURES[name](Drawing(seed)), name, **fields)


def write(folder: Path) -> Path:
    """A folder of all results."""
    for name in MEASURES:
        results.write(make(name), path(name, folder))
    return folder


if __name__ == "__main__":
    target = Path(sys.argv[1])
    (target / "report.html").write_text(page.render(*page.gather(write(target / "results"), load)))
