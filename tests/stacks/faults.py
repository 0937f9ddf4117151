"""What goes wrong during a retraining on a stack, and what must hold whatever the tool makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.stacks.under_test import Ended, StackUnderTest, retrain

MLFLOW_DOWN_S = 20


def killed(service: str) -> Callable[[StackUnderTest], None]:
    """`kill -9` of a service."""
    return lambda stack: stack.kill(service)


def mlflow_down(stack: StackUnderTest) -> None:
    """MLflow is away for 20 s, and then starts."""
    stack.compose.run("stop", "--timeout", "1", "mlflow")
    time.sleep(MLFLOW_DOWN_S)
    stack.compose.run("start", "mlflow")


def reboot(stack: StackUnderTest) -> None:
    """The power fails, and everything starts again."""
    stack.compose.run("kill")
    stack.compose.run("start")


def survive(stack: StackUnderTest, fault: Callable, name: str, month: str, promoted: bool, record: Callable) -> Ended:
    """Retrain through a fault; what fails is asked for again, as its user would.

    Whatever happens: a failure tells its cause and leaves the champion alone, no month is promoted twice, what earlier
    runs have left is there, and the month's verdict is the one that it has without a fault.
    """
    before, champion = stack.promotions(), stack.champion()
    first = ended = retrain(stack, month, lambda: fault(stack))
    untouched = stack.promotions() != before or stack.champion() == champion
    if first.code:
        ended = retrain(stack, month)
    right = stack.promotions() == before + [month] * promoted and stack.champion() == (champion or 0) + promoted
    record(
        {
            "tool": stack.tool.value,
            "fault": name,
            "month": month,
            "seconds": first.seconds,
            "outcome": "failed" if first.code else "recovered",
            "cause": first.result["error"],
            "retried": bool(first.code),
            "champion_changed_wrongly": not (right and untouched),
        }
    )
    assert ended.code == 0, ended.told
    assert ended.retraining["promoted"] is promoted, ended.told
    assert untouched, "a run that failed has moved the champion"
    assert right, (stack.promotions(), stack.champion())
    if first.code:
        assert "What to do:" in first.result["error"], first.told
    return first
