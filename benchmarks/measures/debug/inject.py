"""Make a fault: each kind of `faults.yaml` by the function of its name. Data, code and servers really change."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measures.catalog import Where
from benchmarks.measures.debug import servers
from benchmarks.measures.debug.catalogue import Edit, Fault, Kind
from benchmarks.measures.debug.ledger import InContainer, Restore
from benchmarks.measures.debug.place import Breaking, Place
from benchmarks.places import ROOT, ArmName
from benchmarks.stacks import registry
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.stack import Tool
from shared import datasets

#: What is retrained: the month that arrives, and one cheap candidate, as in the smoke run of this repository's CI.
MONTH = "2013-03"
SMALL = {"candidates": [{"name": "logistic_regression"}]}
_FLIGHTS = datasets.get("flights")
#: The services that hold the code of a run, by tool.
CODE_IN = {Tool.AIRFLOW: ("airflow-scheduler", "airflow-dag-processor"), Tool.PREFECT: ("prefect-worker",)}
#: Where code is in the images.
IN_IMAGE = "/opt/bakeoff"
#: In a container: set a file aside with its compiled modules, which are taken whatever the source says (Dockerfile).
_SET_ASIDE = (
    'set -e; cp -p "$1" "$1.kept"; name=$(basename "$1" .py); '
    'for each in "$(dirname "$1")/__pycache__/$name".*.pyc; do if [ -e "$each" ]; then mv "$each" "$each.kept"; fi; '
    'done; cat > "$1"'
)


def inject(breaking: Breaking, fault: Fault) -> None:
    """Make a fault.

    Raises:
        BakeoffError: it cannot be made; what is made already stands in the ledger.
    """
    _KINDS[fault.kind](breaking, fault)


def nothing(breaking: Breaking, fault: Fault) -> None:
    """The control."""


def data(breaking: Breaking, fault: Fault) -> None:
    """A version of the data whose last month is spoilt; versions are only ever added, so there is nothing to undo."""
    rev = spoilt(fault.spoil)
    if breaking.place.where is Where.COMPOSE:
        publish(breaking.place)
    breaking.give(settings={**data_settings(breaking.place.where), "data_rev": rev})


def data_settings(where: Where) -> dict[str, str]:
    """Where the data are: the registry, whose versions are commits; a stack knows its own."""
    return {"data_repo": str(registry.FOLDER / "registry")} if where is Where.EMBEDDED else {}


@functools.cache
def good() -> str:
    """The version of the data as they are."""
    return registry.build()


@functools.cache
def spoilt(how: str) -> str:
    """The version of the data whose last month is spoilt, made once."""
    import pandas as pd

    good()
    frame = pd.read_parquet(ROOT / _FLIGHTS.path(MONTH))
    if how == "rename":
        frame = frame.rename(columns={"temp": "temperature"})
    else:
        frame.loc[frame.index[: int(0.4 * len(frame))], "temp"] = float("nan")
    with tempfile.TemporaryDirectory(dir=registry.FOLDER) as folder:
        file = Path(folder) / f"{MONTH}.parquet"
        frame.to_parquet(file, index=False)
        return _record({MONTH: file}, f"broken-{how}")


def _record(changed: dict[str, Path], branch: str) -> str:
    files = {each: ROOT / _FLIGHTS.path(each) for each in [*_FLIGHTS.before(MONTH), MONTH]}
    return registry.record(_FLIGHTS, {**files, **changed}, branch, f"{_FLIGHTS.folder}: {branch}")


def publish(place: Place) -> None:
    """Bring a stack the versions of the data that were made since."""
    registry.copy(place.compose)


def code(breaking: Breaking, fault: Fault) -> None:
    """Change files: in a scratch checkout, or in the containers that run them."""
    edits = fault.edits_of(breaking.place.tool, breaking.place.where)
    if breaking.place.where is Where.EMBEDDED:
        edit(breaking, edits)
    else:
        for service in CODE_IN[Tool(breaking.place.tool)]:
            edit_in_container(breaking, service, edits)


def edit(breaking: Breaking, edits: tuple[Edit, ...]) -> None:
    """Change files of the scratch checkout."""
    root = breaking.checkout()
    for each in edits:
        path = root / each.file
        text = each.apply(path.read_text())
        kept = path.with_name(f"{path.name}.kept")
        kept.write_bytes(path.read_bytes())
        breaking.will(Restore(path=path, kept=kept))
        path.write_text(text)


def edit_in_container(breaking: Breaking, service: str, edits: tuple[Edit, ...]) -> None:
    """Change files of a service's container, where they are as root has put them."""
    compose, place = breaking.place.compose, breaking.place
    for each in edits:
        path = f"{IN_IMAGE}/{each.file}"
        text = each.apply(compose.exec(service, "cat", path))
        folder, _, name = path.rpartition("/")
        compiled = f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-311.pyc"
        breaking.will(InContainer(**place.stack_of, service=service, paths=(path, compiled)))
        compose.run("exec", "--no-TTY", "--user", "0", service, "sh", "-c", _SET_ASIDE, "sh", path, stdin=text)


def stale_cache(breaking: Breaking, fault: Fault) -> None:
    """The first step's result is kept by the data's branch; the caller runs once, then moves the branch."""
    move_branch("one")
    if breaking.place.where is Where.COMPOSE:
        publish(breaking.place)
    code(breaking, fault)
    breaking.give(settings={**data_settings(breaking.place.where), "data_rev": "broken-branch"})


def move_branch(to: str) -> str:
    """Give the branch `broken-branch` of the data another commit: `one` has the month as it is, `two` without a day."""
    import pandas as pd

    good()
    if to == "one":
        return _record({}, "broken-branch")
    frame = pd.read_parquet(ROOT / _FLIGHTS.path(MONTH))
    with tempfile.TemporaryDirectory(dir=registry.FOLDER) as folder:
        file = Path(folder) / f"{MONTH}.parquet"
        frame[frame["flight_date"] < frame["flight_date"].max()].reset_index(drop=True).to_parquet(file, index=False)
        return _record({MONTH: file}, "broken-branch")


def memory(breaking: Breaking, fault: Fault) -> None:
    """A step that wants far more memory than it may have: of its process, or of its container."""
    code(breaking, fault)
    if breaking.place.where is Where.COMPOSE:
        servers.limit_memory(breaking, CODE_IN[Tool(breaking.place.tool)][0])


def image(breaking: Breaking, fault: Fault) -> None:
    """A mistyped tag, in a deployment of the service that runs tasks; or of the image of Kubeflow's components."""
    if breaking.place.tool is ArmName.KUBEFLOW:
        from benchmarks.kubeflow import docker_arm

        mounts = f'[{{"source": "{ROOT}", "target": "{ROOT}", "read_only": true}}]'
        env = {
            "BAKEOFF_KFP_RUNNER": "docker",
            "BAKEOFF_KFP_IMAGE": "bakeoff-kubeflow:0.1.O",
            "BAKEOFF_KFP_MOUNTS": mounts,
        }
        breaking.give(env={**env, "DOCKER_HOST": docker_arm.address()})
        return
    service = CODE_IN[Tool(breaking.place.tool)][0]
    try:
        servers.override(
            breaking, service, {"image": f"{breaking.place.compose.project}:0.1.O", "pull_policy": "missing"}
        )
    except StackError as refused:
        breaking.notes.append(refused.what)


def rejection(breaking: Breaking, fault: Fault) -> None:
    """A gate that no challenger passes."""
    breaking.give(settings={"gate": {"min_auc_gain": 0.2}})


_KINDS: dict[Kind, Callable[[Breaking, Fault], None]] = {
    "nothing": nothing,
    "data": data,
    "code": code,
    "image": image,
    "memory": memory,
    "tracking_down": lambda breaking, fault: servers.tracking_down(breaking),
    "tracking_403": lambda breaking, fault: servers.tracking_403(breaking),
    "database": lambda breaking, fault: servers.database(breaking),
    "credential": lambda breaking, fault: servers.credential(breaking),
    "stale_cache": stale_cache,
    "flaky": lambda breaking, fault: servers.flaky(breaking),
    "rejection": rejection,
}
