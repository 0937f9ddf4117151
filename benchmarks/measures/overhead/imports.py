"""What a process pays before any work: importing the tool and the adapter, and making a pipeline of the file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measures.catalog import Asked, Where
from benchmarks.measures.rounds import Case, Failed, Group, Taken, Tell
from benchmarks.places import ENVIRONMENT, ROOT, STATE, ArmName, child_env, python
from benchmarks.retraining import make_arm

#: What is imported: the tool as its users import it, and the module that holds the pipeline, which imports the tool.
IMPORTS: dict[ArmName, dict[str, str]] = {
    ArmName.PLAIN: {"adapter": "import shared.pipeline"},
    ArmName.PREFECT: {"tool": "import prefect", "adapter": "import prefect_impl.flow"},
    ArmName.AIRFLOW: {"tool": "import airflow.sdk", "adapter": "import airflow_impl.dags.retrain"},
    ArmName.KUBEFLOW: {"tool": "import kfp", "adapter": "import kubeflow_impl.pipeline"},
}
#: What the tool does to the pipeline's file before it can run it: what it has to import for that, and the call.
PARSES: dict[ArmName, tuple[str, str]] = {
    ArmName.PREFECT: (
        "from prefect.flows import load_flow_from_entrypoint",
        "load_flow_from_entrypoint('prefect_impl/flow.py:retrain', use_placeholder_flow=False)",
    ),
    ArmName.AIRFLOW: (
        "from airflow.dag_processing.dagbag import DagBag",
        "bag = DagBag(dag_folder='airflow_impl/dags/retrain.py'); assert 'retrain' in bag.dags, bag.import_errors",
    ),
    ArmName.KUBEFLOW: (
        "import sys; from kfp import compiler",
        "from kubeflow_impl.pipeline import retrain; compiler.Compiler().compile(retrain, sys.argv[1])",
    ),
}
_PATIENCE_S = 120.0


def group(asked: Asked) -> Group:
    """Imports and parses of all arms, each in a fresh process."""
    cases = []
    for tool in asked.tools:
        labels = {"tool": tool.value, "where": Where.EMBEDDED.value}
        for what, code in IMPORTS[tool].items():
            cases.append(_case(asked, {"work": "import", **labels, "what": what}, tool, "import_s", "", code))
        if tool in PARSES:
            cases.append(_case(asked, {"work": "parse", **labels}, tool, "parse_s", *PARSES[tool]))
    return Group("imports and parses", cases)


def _case(asked: Asked, labels: dict[str, str], tool: ArmName, figure: str, before: str, code: str) -> Case:
    def take(opened: None, tell: Tell) -> Taken:
        return Taken({figure: seconds(tool, before, code)})

    warmup = 0 if asked.profile == "quick" else 1
    return Case(labels, take, rounds=asked.count(quick=1, full=5), warmup=warmup, estimate_s=1.4)


def seconds(tool: ArmName, before: str, code: str) -> float:
    """How long some code takes in a fresh process of an arm's environment.

    Args:
        tool: whose.
        before: run first, and not timed.
        code: timed.

    Raises:
        Failed: it cannot be run.
    """
    folder = STATE / "bench" / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    make_arm(tool, folder).prepare()
    timed = f"{before}\nimport time\n_begin = time.perf_counter()\n{code}\nprint(time.perf_counter() - _begin)"
    homes = {"AIRFLOW_HOME": str(STATE / "homes" / "airflow"), "PREFECT_HOME": str(STATE / "homes" / "prefect")}
    env = child_env(**homes, AIRFLOW__CORE__LOAD_EXAMPLES="false", DO_NOT_TRACK="1")
    with TemporaryDirectory() as scratch:
        command: list[str | Path] = [python(ENVIRONMENT[tool]), "-c", timed, f"{scratch}/retrain.yaml"]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=_PATIENCE_S)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failed(f"{tool}: {said}", where=code, fix="run it by hand in that environment")
    return float(done.stdout.split()[-1])
