"""`./bakeoff break` and `./bakeoff mend`: switch faults on and off, and print the sheet that times people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.arms import Arm
from benchmarks.places import STATE, ArmName, Stack
from benchmarks.stacks.env_file import DEFAULT
from shared.config import RetrainConfig
from shared.errors import ConfigError

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def break_command(
    fault: Annotated[str | None, typer.Argument(help="Which one; without it, all are listed.")] = None,
    on: Annotated[ArmName, typer.Option(help="Who is to meet it.")] = ArmName.PLAIN,
    stack: Annotated[Stack, typer.Option(help="In the arm's lasting store, or on its stack, which is up.")] = (
        Stack.EMBEDDED
    ),
    env_file: Annotated[Path, typer.Option(help="Env file of the stack.")] = DEFAULT,
    sheet: Annotated[bool, typer.Option("--sheet", help="Print a sheet that times people on these faults.")] = False,
) -> None:
    """Switch a real fault on, to show how a tool tells of it; `./bakeoff mend` undoes it."""
    from benchmarks.measures.catalog import Where
    from benchmarks.measures.debug import live
    from benchmarks.measures.debug import sheet as printing

    if sheet:
        print(printing.markdown(), end="")
        return
    if fault is None:
        _list()
        return
    if stack is Stack.KIND:
        raise ConfigError("no fault is made on a cluster", where="--stack kind", fix="choose embedded or compose")

    def tell(what: str) -> None:
        err.print(what, highlight=False, soft_wrap=True, markup=False)

    done = live.switch_on(fault, on, Where(stack.value), tell, env_file.absolute(), lambda broken: _fill(broken, stack))
    out.print(f"{done.fault.id} is on: {on}, {stack}", highlight=False)
    for note in done.notes:
        _say(f"it was refused: {note}")
    if done.next_command:
        _say(f"now run: {done.next_command}")
    out.print("then look, as a user of the tool would:", highlight=False)
    for number, look in enumerate(done.looks, 1):
        _say(f"  {number}. {look}")
    _say("afterwards: ./bakeoff mend")


def mend() -> None:
    """Undo every fault that `./bakeoff break` has switched on; with none on, it does nothing."""
    from benchmarks.measures.debug import live

    done = live.switch_off()
    for each in done:
        _say(f"mended: {each.fault} on {each.tool}, {each.where}")
    if not done:
        _say("nothing is broken")


def met(on: ArmName, stack: Stack) -> Any:
    """The fault that a retraining will meet, said beforehand; None where there is none."""
    if not (STATE / "broken.json").exists():  # nearly always: then nothing more is imported
        return None
    from benchmarks.measures.debug import live

    if broken := live.is_on(on, stack):
        line = f"{broken.fault} is on here (`./bakeoff mend` undoes it)"
        err.print(line, style="yellow", highlight=False, soft_wrap=True)
    return broken


def arm_of(broken: Any, config: RetrainConfig, port: int) -> Arm:
    """The embedded arm that meets a fault."""
    from benchmarks.measures.debug import live

    return live.arm_of(broken, config, port)


def _fill(broken: Any, stack: Stack) -> None:
    """One retraining before the data move on."""
    from benchmarks import retraining
    from benchmarks.display import Display
    from benchmarks.measures.debug import live
    from benchmarks.measures.debug.inject import MONTH
    from benchmarks.stacks.arms import make_arm
    from benchmarks.stacks.settings import settings

    server: dict[str, Any] = {}
    if stack is Stack.COMPOSE:
        servers = settings(broken.tool)
        server = {"tracking_uri": servers.tracking_uri, "artifact_location": None}
    folder = STATE / (broken.tool if stack is Stack.EMBEDDED else f"{broken.tool}-{stack}")
    [config] = retraining.make_configs([MONTH], folder, {**server, **broken.settings})
    arm = live.arm_of(broken, config) if stack is Stack.EMBEDDED else make_arm(folder, servers)
    with Display(err, [broken.tool]) as display:
        done = retraining.run(broken.tool, [config], display, arm=arm)
    if done.status == "failed":
        raise ConfigError(
            done.error or "it failed", where="the run before", fix="see that the arm runs without a fault"
        )


def _list() -> None:
    from benchmarks.measures.debug import live
    from benchmarks.measures.debug.ledger import Ledger

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("fault", "what is broken", "where"):
        table.add_column(title, no_wrap=title == "fault")
    for row in live.listed():
        table.add_row(*row)
    out.print(table, highlight=False)
    for each in Ledger().read():
        _say(f"on now: {each.fault} on {each.tool}, {each.where}, since {each.at}")


def _say(line: str) -> None:
    out.print(line, soft_wrap=True, highlight=False, markup=False)
