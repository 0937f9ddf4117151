"""What it takes to move a pipeline from one tool to another: lines, names, settings, packages, and the core's part."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache, partial
from itertools import permutations
from pathlib import Path
from typing import Any

from benchmarks import environments, results
from benchmarks.measures.catalog import Asked, Measure, Name
from benchmarks.measures.migration import core, names, settings, weight
from benchmarks.measures.migration.settings import SETTINGS, Setting
from benchmarks.measures.record import Figure
from benchmarks.measures.rounds import Case, Group, Taken, Tell
from benchmarks.places import ADAPTER, ARMS, ENVIRONMENT, ROOT, ArmName

#: What a tool is imported as.
PACKAGE = {ArmName.PREFECT: "prefect", ArmName.AIRFLOW: "airflow", ArmName.KUBEFLOW: "kfp"}
_SHOWN = 100


def groups(asked: Asked) -> list[Group]:
    """One case an arm, and one for each way from one arm to another. Counting the same files again gives the same."""
    once: dict[str, Any] = {"rounds": 1, "warmup": 0}
    wanted = [each for each in ARMS if each in asked.tools]
    arms = [Case({"work": "adapter", "tool": each}, partial(_arm, each), estimate_s=1, **once) for each in wanted]
    ways = [
        Case({"work": "move", "tool": before, "to": after}, partial(_way, before, after), estimate_s=0.1, **once)
        for before, after in permutations(wanted, 2)
    ]
    return [Group("adapters", arms), Group("moves", ways)] if ways else [Group("adapters", arms)]


def _arm(arm: ArmName, opened: Any, tell: Tell) -> Taken:
    figures: dict[str, float] = {
        "adapter_lines": results.lines_of_code(ADAPTER[arm]),
        "config_lines": _count(SETTINGS[arm].adapter),
        "server_config_lines": _count(SETTINGS[arm].servers),
    }
    texts = {
        "adapter_files": ", ".join(map(_relative, ADAPTER[arm])),
        "config_files": ", ".join(f"{each}: {len(settings.lines(each))}" for each in SETTINGS[arm].adapter),
        "server_config_files": ", ".join(f"{each}: {len(settings.lines(each))}" for each in SETTINGS[arm].servers),
    }
    if arm in PACKAGE:
        used = api_names(arm)
        known = core.lines(_core(), arm, ROOT)
        added = weight.added(ENVIRONMENT[arm])
        figures |= {"api_names": len(used), "core_lines": len(known), "packages": len(added)}
        texts |= {
            "api_names": ", ".join(used),
            "core_lines": ", ".join(known) or f"none in {len(_core())} files of shared/",
            "packages": f"in locks/{arm}.txt and not in locks/core.txt: {_some(added)}",
        }
        if environments.is_ready(ENVIRONMENT[arm]):
            figures["env_mb"] = weight.megabytes(ENVIRONMENT[arm], added)
            texts["env_mb"] = f".venvs/{ENVIRONMENT[arm]}, as `./bakeoff setup {arm}` built it"
        else:
            texts["env_mb"] = f"not measured, the environment is not built: `./bakeoff setup {arm}`"
    return Taken(figures, texts)


def _way(before: ArmName, after: ArmName, opened: Any, tell: Tell) -> Taken:
    old, new, kept = _code(before), _code(after), _kept(before, after)
    go, come = _files(before), _files(after)
    learned, forgotten = (set(api_names(each)) for each in (after, before))
    figures: dict[str, float] = {
        "removed_lines": len(old) - kept,
        "added_lines": len(new) - kept,
        "kept_lines": kept,
        "names_to_learn": len(learned - forgotten),
        "files_go": len(go - come),
        "files_come": len(come - go),
    }
    texts = {"files_go": ", ".join(sorted(go - come)), "files_come": ", ".join(sorted(come - go))}
    return Taken(figures, texts)


@cache
def api_names(arm: ArmName) -> tuple[str, ...]:
    """The names of the tool that its adapter uses; the plain arm has no tool."""
    if arm not in PACKAGE:
        return ()
    modules = {_relative(file).removesuffix(".py").replace("/", "."): file.read_text() for file in ADAPTER[arm]}
    known = names.declared(file.read_text() for file in _core())
    return tuple(names.used(modules, PACKAGE[arm], known))


def _core() -> list[Path]:
    return sorted((ROOT / "shared").rglob("*.py"))


def _code(arm: ArmName) -> list[str]:
    """The adapter's lines of code as `results.lines_of_code` counts them, file after file, not indented."""
    lines = [line.strip() for file in ADAPTER[arm] for line in file.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _kept(one: ArmName, other: ArmName) -> int:
    """Lines that both adapters have in the same order. Compared in one direction, so that both ways say the same."""
    first, second = sorted((one, other))
    matched = SequenceMatcher(None, _code(first), _code(second), autojunk=False).get_matching_blocks()
    return sum(each.size for each in matched)


def _files(arm: ArmName) -> set[str]:
    return {*map(_relative, ADAPTER[arm]), *map(str, (*SETTINGS[arm].adapter, *SETTINGS[arm].servers))}


def _count(wanted: Iterable[Setting]) -> int:
    return sum(len(settings.lines(each)) for each in wanted)


def _some(found: Iterable[str]) -> str:
    told = sorted(found)
    return ", ".join(told[:_SHOWN]) + (f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else "")


def _relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


_LINES = "neither blank nor only a comment"
MEASURE = Measure(
    name=Name.MIGRATION,
    title="Migration",
    question="What do I write, learn and install for a tool, and what of it is lost when I leave?",
    figures=(
        Figure(
            name="adapter_lines",
            title="adapter",
            unit="lines",
            definition=f"Lines of the Python that a retraining takes on this tool, {_LINES}; docstrings count.",
        ),
        Figure(
            name="api_names",
            title="names of its API",
            unit="count",
            definition="Distinct names of the tool that the adapter uses, read from its source: what is imported from "
            "the tool and used, each dotted name once under its own name, and attributes of what the tool decorates, "
            "derives, annotates or returns. Unused imports, keyword arguments, template variables, what is passed by "
            "a parameter's name, and attributes that the core's own classes have too are not counted.",
        ),
        Figure(
            name="config_lines",
            title="settings of the pipeline",
            unit="lines",
            definition=f"Lines beside Python that go with the pipeline on this tool, {_LINES}.",
        ),
        Figure(
            name="server_config_lines",
            title="settings of the servers",
            unit="lines",
            definition=f"Lines with which the tool's own servers and images are set up here, {_LINES}; MLflow's and "
            "its database's, which every tool has, are not counted, nor what the tool's own manifests bring.",
        ),
        Figure(
            name="core_lines",
            title="lines of the core that know it",
            unit="lines",
            definition="Lines of code in shared/ that name the tool in an import, a name or a text, or whose condition "
            "asks which tool runs it; comments and docstrings apart. It has to be 0.",
        ),
        Figure(
            name="packages",
            title="packages added",
            unit="count",
            definition="Packages in the tool's lock that the core's lock does not have, for this platform and Python.",
        ),
        Figure(
            name="env_mb",
            title="added on disk",
            unit="MB",
            definition="What these packages take in the tool's built environment, in 10^6 bytes, bytecode included.",
        ),
        Figure(
            name="removed_lines",
            title="removed",
            unit="lines",
            definition="Lines of the adapter that is left that the other one does not have.",
        ),
        Figure(
            name="added_lines",
            title="added",
            unit="lines",
            definition="Lines of the adapter that is moved to that the other one does not have.",
        ),
        Figure(
            name="kept_lines",
            title="kept",
            unit="lines",
            definition="Lines of code, indentation apart, that both adapters have in the same order (difflib).",
            less_is_better=False,
        ),
        Figure(
            name="names_to_learn",
            title="names to learn",
            unit="count",
            definition="Names of the new tool's API in its adapter that the old adapter does not use.",
        ),
        Figure(
            name="files_go",
            title="files that go",
            unit="count",
            definition="Files, or parts of a file, of the old adapter and its settings, servers' included, that the "
            "new one does not have.",
        ),
        Figure(
            name="files_come",
            title="files that come",
            unit="count",
            definition="Files, or parts of a file, of the new adapter and its settings, servers' included, that the "
            "old one does not have.",
        ),
    ),
    groups=groups,
    limits=(
        "Counted is what this repository's adapters use, not what the tools have: Airflow's here holds schedules, "
        "alerts, logins and approval in Python, Kubeflow's what its pods need. Not counted, for an embedded run takes "
        "none of it: prefect_impl/setup.py, kubeflow_impl/schedule.py and alerting.py; Prefect's YAML is settings.",
        "A line is not an hour: generated text, dense lines and unfamiliar ideas all count the same.",
        "Packages are those of the lock: Kubeflow's also holds what pods fetch data with (dvc-s3), and what kfp.local "
        "starts containers with (docker).",
        "Settings that the harness gives embedded servers as environment variables are not counted for any tool.",
    ),
)
