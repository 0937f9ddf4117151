"""What a tool takes as processes of this machine: idle, and while it retrains once."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import dataset, stores
from benchmarks.airflow_arm import AirflowArm
from benchmarks.arms import Arm
from benchmarks.measures import family
from benchmarks.measures.family import Family, Look, Member, Watch
from benchmarks.measures.footprint.parts import EMBEDDED, Row, rows
from benchmarks.measures.rounds import Failed, Taken, Tell
from benchmarks.places import STATE, ArmName
from benchmarks.retraining import make_arm, make_configs
from shared.config import RetrainConfig

MONTH = "2013-03"
#: Long enough for a look at nothing.
_MOMENT_S = 4 * family.EVERY_S


@dataclass(frozen=True)
class Quiet:
    """How long a tool on which nothing runs is watched, in seconds; before that it is given time to settle."""

    settle_s: float
    seconds: float


class QuietAirflow(AirflowArm):
    """Airflow that is left alone for a while when it is up, before it gets its run.

    Args:
        folder: as for every arm.
        meanwhile: called when the services are up.
    """

    def __init__(self, folder: Path, meanwhile: Callable[[], None]) -> None:
        super().__init__(folder)
        self._meanwhile = meanwhile

    def start(self) -> str:
        address = super().start()
        self._meanwhile()
        return address


def part_of(name: ArmName) -> family.PartOf:
    """Tells which part of the tool a process is."""

    def of_airflow(member: Member) -> str:
        # Of the services only the scheduler starts what runs tasks: LocalExecutor's workers, and the tasks.
        return "LocalExecutor" if member.root == "scheduler" and not member.is_root else member.root

    def of_prefect(member: Member) -> str:
        return "ephemeral API" if not member.is_root and "prefect.server" in member.command else "flow run"

    def of_kubeflow(member: Member) -> str:
        return "local runner" if member.is_root else "components"

    match name:
        case ArmName.PLAIN:
            return lambda member: "process"
        case ArmName.PREFECT:
            return of_prefect
        case ArmName.AIRFLOW:
            return of_airflow
        case ArmName.KUBEFLOW:
            return of_kubeflow


class Watched:
    """One arm that is watched while it idles and while it retrains.

    Args:
        name: the arm.
        quiet: how long it is left alone.
        tell: is called with what is being done.
        month: that is retrained on.
    """

    def __init__(self, name: ArmName, quiet: Quiet, tell: Tell, month: str = MONTH) -> None:
        self.name, self._quiet, self._tell, self._month = name, quiet, tell, month
        self._idle = self._busy = (0.0, 0.0)

    def measure(self) -> dict[str, Taken]:
        """Watch it once.

        Returns:
            By the keys of its rows.

        Raises:
            BakeoffError: the arm could not be started, or its run has failed.
        """
        below = STATE / "footprint"
        below.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=below, prefix=f"{self.name}-"))
        try:
            return self._measure(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _measure(self, folder: Path) -> dict[str, Taken]:
        [config] = make_configs([self._month], folder)
        assert config.events is not None
        logs = config.events.parent
        airflow = self.name is ArmName.AIRFLOW
        arm = QuietAirflow(logs, self._leave_alone) if airflow else make_arm(self.name, logs)
        dataset.ensure()
        arm.prepare()
        stores.create(config)
        with Watch(Family(arm.pids, part_of(self.name), memory_every=2)) as watch:
            try:
                if not airflow:  # nothing is there until a run is started
                    self._tell("idle")
                    self._idle = time.monotonic(), time.monotonic() + _MOMENT_S
                    time.sleep(_MOMENT_S)
                self._busy = (time.monotonic(), 0.0)
                self._retrain(arm, config)
                self._busy = (self._busy[0], time.monotonic())
            finally:
                arm.stop()
        idle, busy = watch.between(*self._idle), watch.between(*self._busy)
        return {
            row.key: taken(row, idle if row.phase == "idle" else busy, watch.own_percent)
            for row in rows(EMBEDDED[self.name])
        }

    def _leave_alone(self) -> None:
        self._tell(f"idle, for {self._quiet.settle_s + self._quiet.seconds:.0f} s")
        time.sleep(self._quiet.settle_s)
        begin = time.monotonic()
        time.sleep(self._quiet.seconds)
        self._idle = begin, time.monotonic()
        self._busy = (time.monotonic(), 0.0)

    def _retrain(self, arm: Arm, config: RetrainConfig) -> None:
        self._tell("busy")
        ended = [
            event for event in arm.retrain([config]) if event["step"] == "retrain" and event["state"] == "finished"
        ]
        if not ended:
            raise Failed("the retraining did not end", where=self.name, fix="measure again")


def taken(row: Row, looks: list[Look], own_percent: float) -> Taken:
    """The figures of a row.

    Args:
        row: which parts, and whether they were idle or busy.
        looks: the first one is of before the phase, as CPU time is counted from there.
        own_percent: CPU that watching took.

    Raises:
        Failed: it was too short to be looked at.
    """
    during = looks[1:]
    if not any(each.memory_mib is not None for each in during):
        raise Failed("nobody looked while it lasted", where=row.key, fix="measure again")
    memory = [each.memory(row.of) for each in during if each.memory_mib is not None]
    return Taken(
        {
            "memory_mib": median(memory) if row.phase == "idle" else max(memory),
            "cpu_percent": family.percent(looks, row.of),
            "processes": float(max(each.processes(row.of) for each in during)),
        },
        {"memory": family.MEMORY.upper(), "parts": ", ".join(row.of), "watching": f"{own_percent:.1f} % of one core"},
    )


def measure(name: ArmName, quiet: Quiet, tell: Tell) -> Mapping[str, Taken]:
    """Watch one arm once, by the keys of its rows."""
    return Watched(name, quiet, tell).measure()
