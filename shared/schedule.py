"""Which month (or other window) a scheduled retraining is about."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shared import datasets
from shared.errors import ConfigError

_MONTHS = {"month": 1, "quarter": 3}


def month_due(scheduled: datetime | str, dataset: str = datasets.DEFAULT) -> str:
    """The last window that was over at a scheduled instant, where the data are made: a run may start late.

    Args:
        scheduled: when the run was due, ISO 8601 or a datetime; without a zone it is UTC.
        dataset: whose windows.

    Raises:
        ConfigError: no instant, or the windows of the data set follow no calendar.
    """
    spec = datasets.get(dataset)
    if spec.window_is not in _MONTHS:
        raise ConfigError(f"a {spec.window_is} follows no calendar", where=f"data set {dataset}", fix="name the window")
    try:
        instant = scheduled if isinstance(scheduled, datetime) else datetime.fromisoformat(scheduled)
    except ValueError:
        raise ConfigError(f"{scheduled!r} is no instant", where="scheduled", fix="give ISO 8601") from None
    there = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(ZoneInfo(spec.zone))
    length = _MONTHS[spec.window_is]
    year, number = divmod((there.year * 12 + there.month - 1) // length - 1, 12 // length)
    return f"{year}-{number + 1:02}" if length == 1 else f"{year}-Q{number + 1}"
