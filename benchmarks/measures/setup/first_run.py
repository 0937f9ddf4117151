"""Run the first retraining in a fresh checkout: `python -m benchmarks.measures.setup.first_run ARM MONTH ANSWER.json`.

It is run there by the harness's interpreter, so that only the tool's own environment is new; the clock starts when the
harness has been imported. The answer is what `Answer` holds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from subprocess import Popen
from typing import Any

from pydantic import BaseModel
from rich.console import Console

from benchmarks import processes, results, stores
from benchmarks.arms import Arm, PrefectArm
from benchmarks.display import Display
from benchmarks.places import STATE, ArmName
from benchmarks.retraining import make_arm, make_configs, run
from shared.files import make_folder


class Answer(BaseModel):
    """What the first run took, in seconds, and what was started for it."""

    #: The tool's own database made, by a command that its users type; 0 where there is none.
    prepare_s: float
    result: results.ArmResult
    #: The arguments of each process that the arm has started.
    started: list[list[str]]


class FirstPrefect(PrefectArm):
    """Prefect as a stranger meets it: the ephemeral API makes its database when it is first started."""

    def prepare(self) -> None:
        Arm.prepare(self)


def first_run(name: ArmName, month: str) -> Answer:
    """Prepare the tool's home, which is empty, and retrain once. A failure is in the result."""
    [config] = make_configs([month], STATE / name)
    assert config.events is not None
    folder = config.events.parent
    arm = FirstPrefect(folder) if name is ArmName.PREFECT else make_arm(name, folder)
    make_folder(arm.home.parent)  # as a person's own home is there; the tool makes its folder in it
    stores.create(config)  # MLflow's, which is no part of the tool
    started = _recorded()
    begin = time.monotonic()
    arm.prepare()
    prepare_s = time.monotonic() - begin
    with Display(Console(quiet=True), [name]) as display:
        result = run(name, [config], display, arm=arm)
    return Answer(prepare_s=round(prepare_s, 3), result=result, started=started)


def _recorded() -> list[list[str]]:
    """Let every process that is started from now on be written down, and give that list."""
    found: list[list[str]] = []
    start = processes.start

    def recording(command: list[str | Path], *rest: Any, **more: Any) -> Popen[bytes]:
        found.append([os.fspath(part) for part in command])
        return start(command, *rest, **more)

    processes.start = recording
    return found


def main() -> None:
    """Entry point."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # clean up whoever ends it
    name, month, answer = ArmName(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    answer.write_text(first_run(name, month).model_dump_json())


if __name__ == "__main__":
    main()
