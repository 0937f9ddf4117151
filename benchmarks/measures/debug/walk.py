"""Go a walk: make each look really, hold what it shows against the cause's pattern, stop where it stands."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

from benchmarks.measures.debug.walks import Look, Shows
from benchmarks.places import ROOT, STATE
from shared.errors import BakeoffError

COMMAND_S = 60.0
#: A cause that is kept: longer ones are cut.
_MOST = 300
#: Fields of what is one line of a log where a log is JSON.
_SAID = ("event", "message")
#: Of other machines: names and numbers of this network are nobody's business.
_ADDRESS = re.compile(r"\b(?!127\.)\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?")
_REGISTRY = re.compile(r"\bregistry[\w-]*(?:\.[\w-]+)+\b")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
Ask = Callable[[str, str, Mapping[str, Any] | None], Any]


@dataclass(frozen=True)
class Seen:
    """What one look has shown."""

    look: Look
    lines: tuple[str, ...]
    #: The number of the line that tells the cause, from 0; None: none does.
    at: int | None


@dataclass(frozen=True)
class Walked:
    """A walk that has come to its end: at the cause, or because there is nowhere else to look."""

    seen: tuple[Seen, ...]
    seconds: float

    @property
    def found(self) -> Seen | None:
        """The look that shows the cause."""
        return self.seen[-1] if self.seen and self.seen[-1].at is not None else None

    @property
    def switches(self) -> int:
        """How often the user has had to turn to something else."""
        places = [each.look.at for each in self.seen]
        return sum(before != after for before, after in itertools.pairwise(places))

    @property
    def cause_in(self) -> str:
        """message, log or hidden: in what of the tool's own the cause stands."""
        shows: Shows = self.found.look.shows if self.found else "elsewhere"
        return "hidden" if shows == "elsewhere" else shows

    @property
    def cause_line(self) -> str:
        """The line, without this machine's paths and network; '' where it was not found."""
        if self.found is None or self.found.at is None:
            return ""
        line = self.found.lines[self.found.at].strip()
        line = line.replace(f"{STATE}/", ".bakeoff/").replace(f"{ROOT}/", "")
        return _REGISTRY.sub("(a registry)", _ADDRESS.sub("(an address)", line))[:_MOST]


class Walker:
    """Makes looks.

    Args:
        known: what is known of the run: `run`, `folder`, ...; looks add to it.
        ask: calls the tool's API with method, path and body, and gives JSON.
        more: ways that need the stack or MLflow, by name: `logs`, `services`, `mlflow`.
    """

    def __init__(self, known: dict[str, str], ask: Ask | None = None, **more: Callable[[str], str]) -> None:
        self.known, self._ask, self._more = known, ask, more

    def walk(self, looks: Iterable[Look], cause: re.Pattern[str]) -> Walked:
        """Look at one after the other until the cause is seen."""
        begin = time.monotonic()
        seen: list[Seen] = []
        for look in looks:
            lines = tuple(_COLOURS.sub("", line) for line in self._lines(look))
            at = next((number for number, line in enumerate(lines) if cause.search(line)), None)
            seen.append(Seen(look, lines, at))
            if at is not None:
                break
        return Walked(tuple(seen), time.monotonic() - begin)

    def _lines(self, look: Look) -> list[str]:
        """What a look shows; one that cannot be made shows why, as it would to a person."""
        try:
            return self._made(look)
        except BakeoffError as error:
            return [f"(cannot be seen: {error.what})"]
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            return [f"(cannot be seen: {type(error).__name__})"]

    def _made(self, look: Look) -> list[str]:
        if look.get or look.post:
            if self._ask is None:
                raise KeyError("no API")
            method, path = ("GET", look.get) if look.get else ("POST", look.post)
            told = self._ask(method, self._filled(path), self._filled_in(look.body) if look.body else None)
            if look.finds:
                self.known.update(FINDERS[look.finds](told))
            return [line for line in flat(told) if not look.only or line.partition(": ")[0] in look.only]
        if look.output is not None:
            lines = Path(self.known["output"]).read_text(errors="replace").splitlines()
            return [*lines[-look.output or None :], f"(exit code {self.known['exit_code']})"]
        if look.file:
            return Path(self._filled(look.file)).read_text(errors="replace").splitlines()
        if look.run:
            words = [self._filled(word) for word in look.run]
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=COMMAND_S, cwd=ROOT)
            return (done.stdout + done.stderr).splitlines()
        way = "logs" if look.logs else "services" if look.services else "mlflow"
        return self._more[way](look.logs).splitlines()

    def _filled(self, text: str) -> str:
        """The text with what is known of the run.

        Raises:
            KeyError: something that no look before has found.
        """
        names = {name for _, name, _, _ in Formatter().parse(text) if name}
        return text.format(**{name: self.known[name] for name in names})

    def _filled_in(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled_in(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._filled_in(each) for each in value]
        return self._filled(value) if isinstance(value, str) else value


def flat(told: Any, name: str = "") -> list[str]:
    """JSON as the lines that a page would show: a record of a log is one, with its error; else a value is one."""
    if isinstance(told, list):
        return [line for each in told for line in flat(each, name)]
    if isinstance(told, dict):
        said = next((told[key] for key in _SAID if isinstance(told.get(key), str) and "timestamp" in told), None)
        if said is not None and "state" not in told and "type" not in told:
            return [*said.splitlines(), *_error(told.get("error_detail") or [])]
        return [line for key, each in told.items() for line in flat(each, str(key))]
    if told is None or told == "":
        return []
    text = told if isinstance(told, str) else json.dumps(told)
    return [f"{name}: {line}" if name else line for line in text.splitlines()]


def _error(details: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for each in details:
        frames = [f"  {frame.get('filename')}:{frame.get('lineno')} {frame.get('name')}" for frame in each["frames"]]
        lines += [*frames, f"{each.get('exc_type')}: {each.get('exc_value')}".strip()]
    return lines


def _airflow_task(told: Any, wanted: Callable[[dict[str, Any]], bool], first_try: bool = False) -> dict[str, str]:
    tasks = sorted(told["task_instances"], key=lambda each: each["end_date"] or each["start_date"] or "9")
    for each in tasks:
        if wanted(each):
            number = 1 if first_try else each["try_number"]
            return {"task": each["task_id"], "try": str(number), "map_index": str(each["map_index"])}
    return {}


#: What a look takes along, by the name that walks give it.
FINDERS: dict[str, Callable[[Any], dict[str, str]]] = {
    "failed task": lambda told: _airflow_task(told, lambda each: each["state"] == "failed"),
    "running task": lambda told: _airflow_task(told, lambda each: each["state"] in ("running", "up_for_retry")),
    "retried task": lambda told: _airflow_task(told, lambda each: each["try_number"] > 1, first_try=True),
}
