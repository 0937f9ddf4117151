"""The promotion log: who was champion when, why, and on which evidence. Entries are only ever added.

It is kept with the registered model, as tags `log.0001`, `log.0002`, ...: where the registry goes, it goes. Each entry
holds a digest of itself, and their numbers have no gaps, so one that was changed or removed by hand is noticed. That
guards against accidents; whoever may write to the registry could forge a whole log.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import Field

from shared.config import Record
from shared.errors import RegistryError

_PREFIX, _LAST = "log.", "log.last"

#: `moved`: the alias is elsewhere than the log says, and no run of this pipeline has put it there.
#: `refused`: the gate has passed the challenger, but whoever was asked has not agreed.
Event = Literal["promoted", "rejected", "refused", "rolled back", "moved", "repaired"]


class Entry(Record):
    """One line of the log."""

    number: int
    time: str  # UTC, ISO 8601
    event: Event
    month: str = ""
    #: Version that is champion from now on, and the one that was until now.
    champion: int | None = None
    former: int | None = None
    reason: str
    #: MLflow's parent run of the retraining, and who ran it.
    run_id: str = ""
    orchestrator: str = ""
    data_version: str = ""
    candidate: str = ""
    model_digest: str = ""
    #: AUC and log loss of both sides on the holdout, the bounds of the gain.
    evidence: dict[str, float] = Field(default_factory=dict)
    #: Of a repair: the entries that were found damaged, and the digest of what was found in their place.
    damaged: dict[int, str] = Field(default_factory=dict)


def read(client: MlflowClient, model_name: str) -> list[Entry]:
    """The whole log, oldest first; entries that a repair has set aside are left out.

    Raises:
        RegistryError: naming the entries that were changed or removed by hand.
    """
    entries, damaged = _scan(client, model_name)
    accepted = {number: found for entry in entries for number, found in entry.damaged.items()}
    if unknown := [number for number, found in damaged.items() if accepted.get(number) != found]:
        told = ", ".join(f"{number} ({'missing' if damaged[number] == '' else 'changed'})" for number in unknown)
        raise RegistryError(
            f"the promotion log is damaged at entry {told}",
            where=f"tags {_PREFIX}* of registered model {model_name}",
            fix="restore those tags, or set them aside by `./bakeoff history --repair`; nothing is promoted until then",
        )
    return entries


def append(client: MlflowClient, model_name: str, event: Event, reason: str, **fields: Any) -> Entry:
    """Add an entry. The caller holds the lock of the model (`shared.lock`).

    Raises:
        RegistryError: the log is damaged.
    """
    entries = read(client, model_name)
    return _write(client, model_name, entries, _entry(event, reason, **fields))


def repair(client: MlflowClient, model_name: str) -> Entry | None:
    """Set damaged entries aside, in an entry that names them; None when the log is sound. Nothing is removed."""
    entries, damaged = _scan(client, model_name)
    accepted = {number: found for entry in entries for number, found in entry.damaged.items()}
    new = {number: found for number, found in damaged.items() if accepted.get(number) != found}
    if not new:
        return None
    reason = f"entries {', '.join(map(str, new))} were changed or removed by hand and are set aside"
    return _write(client, model_name, entries, _entry("repaired", reason, damaged=new), last=max(damaged))


def champions(entries: list[Entry]) -> list[int]:
    """The versions that were champion and were not rolled back, oldest first; the last is the present one."""
    stack: list[int] = []
    for entry in entries:
        if entry.event == "promoted" and entry.champion is not None:
            if entry.former is not None and entry.former not in stack:
                stack.append(entry.former)  # its own entry was set aside, or the alias was moved by hand
            stack.append(entry.champion)
        elif entry.event in ("rolled back", "moved") and entry.champion is not None:
            if entry.champion in stack:
                del stack[stack.index(entry.champion) + 1 :]
            else:
                stack.append(entry.champion)  # chosen by its number
    return stack


def _entry(event: Event, reason: str, **fields: Any) -> Entry:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Entry.model_validate({"number": 0, "time": now, "event": event, "reason": reason, **fields})


def _write(client: MlflowClient, model_name: str, entries: list[Entry], entry: Entry, last: int = 0) -> Entry:
    number = max(entries[-1].number if entries else 0, last) + 1
    entry = entry.model_copy(update={"number": number})
    content = entry.model_dump(mode="json")
    text = json.dumps({**content, "digest": _seal(content)})
    client.set_registered_model_tag(model_name, f"{_PREFIX}{number:04d}", text)
    client.set_registered_model_tag(model_name, _LAST, str(number))
    return entry


def _seal(content: dict[str, Any]) -> str:
    """Digest of what is stored, not of what this release makes of it: a later one may know more fields."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _unseal(text: str, number: int) -> Entry | None:
    """The entry, or None when it is not what was written."""
    try:
        content = json.loads(text)
        if content.pop("digest") != _seal(content) or content["number"] != number:
            return None
        return Entry.model_validate({name: value for name, value in content.items() if name in Entry.model_fields})
    except (ValueError, KeyError, TypeError, AttributeError):  # no JSON, or of another shape
        return None


def _scan(client: MlflowClient, model_name: str) -> tuple[list[Entry], dict[int, str]]:
    """The sound entries, and of the damaged ones the digest of what is there now ('' for nothing)."""
    try:
        tags = client.get_registered_model(model_name).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return [], {}
        raise
    texts = {
        int(key.removeprefix(_PREFIX)): text
        for key, text in tags.items()
        if key.startswith(_PREFIX) and key.removeprefix(_PREFIX).isdecimal()
    }
    last = tags.get(_LAST, "0")
    count = max([*texts, int(last) if last.isdecimal() else 0], default=0)
    entries: list[Entry] = []
    damaged: dict[int, str] = {}
    for number in range(1, count + 1):
        text = texts.get(number, "")
        entry = _unseal(text, number)
        if entry is None:
            damaged[number] = hashlib.sha256(text.encode()).hexdigest() if text else ""
        else:
            entries.append(entry)
    return entries, damaged
