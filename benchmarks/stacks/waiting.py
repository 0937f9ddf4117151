"""Wait until a stack is truly healthy, and when it will not be, say which service and why."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import processes
from benchmarks.stacks import health
from benchmarks.stacks.engine import Compose, Container, StackError
from benchmarks.stacks.env_file import EnvFile
from benchmarks.stacks.stack import Stack

READY_S = 300.0
POLL_S = 1.0
#: A service that ends that often has no hope; a first start against a slow database may take a restart or two.
MAX_RESTARTS = 5
#: An import error may be of an earlier image, until the DAG files are read anew.
BROKEN_S = 60.0


def until_healthy(
    stack: Stack,
    env: EnvFile,
    compose: Compose,
    starting: subprocess.Popen[bytes] | None,
    log: Path,
    tell: Callable[[str], None],
    *,
    celery: bool = False,
    scale: Mapping[str, int] | None = None,
    patience_s: float = READY_S,
) -> None:
    """Wait for containers and tool.

    Args:
        stack: which stack.
        env: its env file.
        compose: bound to both.
        starting: the running `docker compose up --detach`; none when all was there already.
        log: what that writes to.
        tell: is called with what is still missing.
        celery: with Airflow's workers.
        scale: how many containers a service has, if not one.
        patience_s: when to give up.

    Raises:
        StackError: naming the service, its exit code and restarts, and the end of its log.
    """
    begin = time.monotonic()
    before = {each.id: each.restarts for each in compose.ps()}
    broken_since: float | None = None
    while True:
        found = compose.ps()
        lacks = health.of_containers(stack, found, celery=celery, scale=scale)
        if starting and starting.poll():
            raise failed_start(compose, found, lacks, log)
        for each in found:
            hopeless = each.restarts - before.get(each.id, 0) >= MAX_RESTARTS
            if each.service in lacks and (hopeless or lacks[each.service].startswith("failed")):
                raise explain(compose, each, lacks[each.service])
        tool = health.of_tool(stack, env) if not lacks else health.Health()
        if not lacks and not tool.reasons and (starting is None or starting.poll() == 0):
            return
        waiting = [f"{name} ({lack})" for name, lack in lacks.items()] + tool.reasons
        tell("waiting for " + ("; ".join(waiting) or "compose to end"))
        broken_since = (broken_since or time.monotonic()) if tool.broken else None
        if broken_since and time.monotonic() - broken_since > BROKEN_S:
            raise StackError(
                tool.broken[0], where=compose.project, fix="correct that file, then run the same command again"
            )
        if time.monotonic() - begin > patience_s:
            raise _too_late(compose, found, lacks, waiting, patience_s)
        time.sleep(POLL_S)


def failed_start(compose: Compose, found: list[Container], lacks: dict[str, str], log: Path) -> StackError:
    """The error that a failed `docker compose up` tells of."""
    said = processes.tail(log, 5)
    for line in said.splitlines():
        if "port is already allocated" in line or "address already in use" in line or "ports are not available" in line:
            return StackError(
                f"a port was taken: {line.strip()}",
                where=str(log),
                fix="`./bakeoff doctor` says by whom; stop that, or choose another port in the env file",
            )
    for each in found:
        ended = each.state in ("exited", "restarting", "dead") or each.health == "unhealthy"
        if each.service in lacks and ended:
            return explain(compose, each, lacks[each.service])
    return StackError(f"compose could not start the stack: {said}", where=str(log), fix="read the whole of that log")


def explain(compose: Compose, each: Container, lack: str) -> StackError:
    """What is known of a service that will not be healthy."""
    log = compose.logs(each.service)
    more = [f"{each.restarts} restarts"] if each.restarts else []
    more += ["it ran out of memory"] if each.out_of_memory else []
    more += [f"its health check says: {each.said[-200:]}"] if each.health == "unhealthy" and each.said else []
    what = f"{each.service} is not healthy: {'; '.join([lack, *more])}. The end of its log:\n{log}\n"
    return StackError(what, where=f"{compose.project}, service {each.service}", fix=_remedy(compose, each, log))


def _remedy(compose: Compose, each: Container, log: str) -> str:
    tool = compose.project.rpartition("-")[2]
    if "password authentication failed" in log:
        return (
            "the volumes were made with another env file: bring that one back,"
            f" or give up what they hold by `./bakeoff down {tool} --volumes`"
        )
    if each.out_of_memory:
        return "give the engine more memory; `./bakeoff doctor` says how much it has"
    return f"`./bakeoff logs {tool} {each.service}` shows the rest; `./bakeoff up {tool}` goes on from here"


def _too_late(
    compose: Compose, found: list[Container], lacks: dict[str, str], waiting: list[str], patience_s: float
) -> StackError:
    for each in found:
        if each.service in lacks and each.state != "created":  # a created one waits for another
            return explain(compose, each, f"{lacks[each.service]} after {patience_s:.0f} s")
    return StackError(
        f"not healthy after {patience_s:.0f} s: {'; '.join(waiting) or 'compose has not ended'}",
        where=compose.project,
        fix=f"`./bakeoff logs {compose.project.rpartition('-')[2]}` shows what the services say",
    )
