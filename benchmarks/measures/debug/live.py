"""`./bakeoff break` and `./bakeoff mend`: a fault of the catalogue on a lasting store or stack, to be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arms import Arm
from benchmarks.measures.catalog import Where
from benchmarks.measures.debug import inject
from benchmarks.measures.debug.catalogue import CONTROL, Fault, fault, faults
from benchmarks.measures.debug.ledger import LIVE, Broken, Ledger
from benchmarks.measures.debug.place import Place, begin
from benchmarks.measures.debug.walks import Alert, walks
from benchmarks.places import ARMS, STATE, ArmName, Stack
from benchmarks.retraining import make_arm
from benchmarks.stacks import env_file
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.stack import STACKS, Tool
from shared.config import RetrainConfig
from shared.errors import ConfigError

#: What faults of live demonstrations write: servers' logs, scratch checkouts.
FOLDER = STATE / "broken"


@dataclass(frozen=True)
class On:
    """A fault that is on, and what a person does with it."""

    fault: Fault
    tool: ArmName
    where: Where
    #: What was said while it was made, such as by a deployment that was refused.
    notes: tuple[str, ...]

    @property
    def next_command(self) -> str:
        """What runs into it; '' where it was met already."""
        if self.fault.kind == "image" and self.where is Where.COMPOSE:
            return ""
        stack = " --stack compose" if self.where is Where.COMPOSE else ""
        return f"./bakeoff retrain --on {self.tool} --month {inject.MONTH}{stack}"

    @property
    def looks(self) -> list[str]:
        """The walk of an experienced user, in words."""
        parsed = self.fault.id == "import-error" and self.tool is ArmName.AIRFLOW
        alert: Alert = "not_parsed" if parsed else self.fault.ends
        known = walks(self.tool)
        found = known.of(self.where, alert) or known.of(self.where, "failed")
        return [f"{each.at}: {each.look}" for each in found]


def switch_on(
    name: str,
    tool: ArmName,
    where: Where,
    tell: Callable[[str], None],
    env: Path = env_file.DEFAULT,
    fill: Callable[[Broken], None] | None = None,
    file: Path = LIVE,
    folder: Path = FOLDER,
) -> On:
    """Make a fault. One that is on already, or was cut off while it was made, is made anew.

    Args:
        name: the fault's id.
        tool: who meets it.
        where: embedded, in that arm's lasting store; or on its stack, which is up.
        tell: is called with what is being done.
        env: the stack's env file.
        fill: runs a retraining, for a fault that needs an earlier one.
        file: the ledger.
        folder: what the fault writes.

    Raises:
        ConfigError: there is no such fault, or not there, or another one is on there.
        BakeoffError: it cannot be made; what was made of it is undone.
    """
    wanted = fault(name)
    if name == CONTROL or (reason := wanted.why_not(tool, where)):
        what = "the control is no fault" if name == CONTROL else reason
        raise ConfigError(what, where=f"{name} on {tool}, {where}", fix="`./bakeoff break` lists what there is")
    place = _place(tool, where, env, folder)
    ledger = Ledger(file)
    with ledger.held():
        if (already := ledger.of(tool, where)) is not None:
            if already.fault != name:
                what = f"{already.fault} is on there already"
                raise ConfigError(what, where=f"{tool}, {where}", fix="run `./bakeoff mend` first")
            tell("it is on already: making it anew")
            ledger.mend(already)
        tell(f"breaking {tool}, {where}: {wanted.title}")
        breaking = begin(place, ledger, name)
        try:
            inject.inject(breaking, wanted)
            if wanted.kind == "stale_cache" and fill is not None:
                tell("filling the cache: one retraining before the data move on")
                fill(breaking.broken)
                inject.move_branch("two")
                if where is Where.COMPOSE:
                    inject.publish(place)
        except BaseException:
            ledger.mend(breaking.broken)
            raise
    return On(wanted, tool, where, tuple(breaking.notes))


def _place(tool: ArmName, where: Where, env: Path, folder: Path) -> Place:
    below = folder / f"{tool}-{where}"
    if where is Where.EMBEDDED:
        from benchmarks import stores
        from shared.config import StoreConfig

        state = (STATE / tool).absolute()
        database = state / "mlflow.db"
        store = StoreConfig(state=state, tracking_uri=f"sqlite:///{database}")
        stores.create(RetrainConfig.model_validate({**store.model_dump(), "month": inject.MONTH}))
        return Place(tool, where, below, database)
    read = env_file.read(env)
    if not any(each.state == "running" for each in STACKS[Tool(tool)].bind(read).ps()):
        raise StackError("the stack is not up", where=str(env), fix=f"run `./bakeoff up {tool}` first")
    return Place(tool, where, below, env=read)


def switch_off(file: Path = LIVE) -> list[Broken]:
    """Undo every fault that is on; called again, or after a kill, it does what is left to do.

    Raises:
        BakeoffError: one cannot be undone; the ledger keeps what is left of it.
    """
    ledger = Ledger(file)
    with ledger.held():
        return ledger.mend_all()


def is_on(tool: ArmName, stack: Stack, file: Path = LIVE) -> Broken | None:
    """The fault that a retraining on an arm meets, if any."""
    if stack is Stack.KIND:
        return None
    return Ledger(file).of(tool, Where(stack.value))


def arm_of(broken: Broken, config: RetrainConfig, port: int = 0) -> Arm:
    """An embedded arm that meets a fault: it may run another checkout's code, with more environment."""
    assert config.events is not None
    arm = make_arm(broken.tool, config.events.parent, port)
    arm.more_env = dict(broken.env)
    if broken.root is not None:
        arm.root = broken.root
    return arm


def where_it_is(each: Fault) -> str:
    """Where a fault can be switched on, in words."""
    found = []
    for where in Where:
        tools = [
            tool.value
            for tool in ARMS
            if not each.why_not(tool, where) and (where is Where.EMBEDDED or tool.value in set(Tool))
        ]
        names = "all four" if len(tools) == len(ARMS) else ", ".join(tools)
        found += [f"{where}: {names}"] if tools else []
    return "; ".join(found)


def listed() -> list[tuple[str, str, str]]:
    """Id, title and places of every fault."""
    return [(each.id, each.title, where_it_is(each)) for each in faults() if each.id != CONTROL]
