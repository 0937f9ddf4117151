"""`./bakeoff verify kubeflow`: named checks in order, each a row of a report that can be attached to an issue."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import results
from benchmarks.kubeflow import data
from benchmarks.kubeflow.server import Server, token
from benchmarks.places import ROOT
from shared.errors import BakeoffError

Status = Literal["ok", "failed", "skipped"]
#: An absolute path of two folders and more.
_PATH = re.compile(r"(?<![\w<.:/>])/(?:[\w.+-]+/){2,}[\w.+-]*")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Options(_Part):
    """How to verify."""

    month: str = "2013-03"
    #: So long each run may take.
    timeout_s: float = 900
    any_version: bool = False
    keep: bool = False
    #: The schedule of the recurring run that is switched on and off, and how long its first run may take to appear.
    every_s: int = 30
    appear_s: float = 180
    #: So long the server may take to do what it was told: the schedules' controller works in its own time.
    settle_s: float = 15


class Row(_Part):
    """One check."""

    name: str
    title: str
    status: Status
    seconds: float
    expected: str
    found: str
    next_step: str = ""


class Report(_Part):
    """What was verified, when, with what, and how it went."""

    measure: Literal["kubeflow-verify"] = "kubeflow-verify"
    id: str
    ok: bool
    environment: results.Environment
    options: Options
    #: Of the server, of the SDK that compiled, of the libraries here.
    versions: dict[str, str]
    ir_digest: str
    image: str
    rows: list[Row]


class Unmet(BakeoffError):
    """A check has found something else than it expected."""


def unmet(found: str, next_step: str) -> Unmet:
    """What a check raises."""
    return Unmet(found, where="", fix=next_step)


@dataclass(frozen=True)
class Check:
    """One thing to find out. `run` returns what it has found, and raises when that is not what was expected."""

    name: str
    title: str
    expected: str
    run: Callable[[], str]
    #: Checks without which this one means nothing.
    needs: tuple[str, ...] = ()
    #: Run whatever has happened before, such as cleaning up.
    always: bool = False


@dataclass
class Facts:
    """What the checks learn for the report, and what was made and has to go again."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    versions: dict[str, str] = field(default_factory=dict)
    ir_digest: str = ""

    @property
    def name(self) -> str:
        """Of the model and the experiment: nobody's but ours."""
        return f"bakeoff-verify-{self.id}"


def verify(server: Server, options: Options, console: Console, *, write_to: Path | None = None) -> Report:
    """Run every check. A failure is a row, no exception.

    Args:
        server: what to verify.
        options: how.
        console: for progress.
        write_to: file for the report; it is also written when Ctrl-C ends the checks.
    """
    from benchmarks.kubeflow.verify_checks import Checks

    facts = Facts()
    hide = Hidden(server)
    checks = Checks(server, options, facts, console)
    rows: list[Row] = []
    try:
        run(checks.all(), rows, console, hide)
    finally:
        checks.close()
        done = _report(rows, server, options, facts, hide)
        if write_to:
            results.write(done, write_to)
            console.print(f"report: {write_to}", highlight=False, soft_wrap=True)
    return done


def run(checks: list[Check], rows: list[Row], console: Console, hide: Callable[[str], str] = str) -> None:
    """Run checks in order, adding a row for each; Ctrl-C still cleans up."""
    interrupted = False
    for number, check in enumerate(checks, 1):
        bad = [row.name for row in rows if row.status != "ok" and row.name in check.needs]
        if interrupted and not check.always:
            rows.append(_row(check, "skipped", 0.0, "stopped by Ctrl-C", ""))
            continue
        if bad:
            rows.append(_row(check, "skipped", 0.0, f"not run, for lack of: {', '.join(bad)}", ""))
            _tell(console, number, len(checks), rows[-1])
            continue
        console.print(f"{number:2}/{len(checks)} {check.title} ...", highlight=False, markup=False)
        start = time.monotonic()
        try:
            status, found, step = "ok", check.run(), ""
        except KeyboardInterrupt:
            interrupted = True
            status, found, step = "failed", "stopped by Ctrl-C", "run it again"
        except BakeoffError as error:
            place = f" ({error.where})" if error.where else ""
            status, found, step = "failed", f"{error.what}{place}", error.fix
        except Exception as error:  # a check of ours has met an answer that it does not understand: a row, no traceback
            status, found = "failed", f"an answer that this check does not understand: {type(error).__name__}: {error}"
            step = "attach this report to an issue"
        took = time.monotonic() - start
        rows.append(_row(check, status, took, hide(found), hide(step)))  # type: ignore[arg-type]
        _tell(console, number, len(checks), rows[-1])
    if interrupted:
        raise KeyboardInterrupt("stopped; what had been made is removed, as far as the last row says")


def _row(check: Check, status: Status, seconds: float, found: str, next_step: str) -> Row:
    return Row(
        name=check.name,
        title=check.title,
        status=status,
        seconds=round(seconds, 1),
        expected=check.expected,
        found=found,
        next_step=next_step,
    )


_MARK = {"ok": "[green]ok[/green]", "failed": "[red]failed[/red]", "skipped": "[yellow]skipped[/yellow]"}


def _tell(console: Console, number: int, count: int, row: Row) -> None:
    console.print(
        f"{number:2}/{count} {escape(row.title)}: {_MARK[row.status]} {escape(row.found)}",
        highlight=False,
        soft_wrap=True,
    )


def _report(rows: list[Row], server: Server, options: Options, facts: Facts, hide: Hidden) -> Report:
    return Report(
        id=facts.id,
        ok=bool(rows) and all(row.status == "ok" for row in rows),
        environment=results.environment(),
        options=options,
        versions=facts.versions,
        ir_digest=facts.ir_digest,
        image=hide(server.image),
        rows=rows,
    )


class Hidden:
    """Takes out of a text what a report must not tell: secrets, addresses, paths of this machine."""

    def __init__(self, server: Server) -> None:
        places = {
            "KFP": server.host,
            "MLflow": server.mlflow,
            "MLflow in pods": server.mlflow_in_pods,
            "object store": server.object_store,
            "data remote": server.data_remote,
        }
        found: dict[str, str] = {}
        for name, address in places.items():
            if address:
                found.setdefault(address, f"<{name}>")
                found.setdefault(urlsplit(address).netloc, f"<{name}>")
        registry, slash, name = server.image.rpartition("/")
        if slash:
            found[f"{registry}/{name}"] = name  # whose registry it is, is nobody's business
            found[registry] = "<registry>"
        secrets = [token(), *(data.credentials() or ())]
        found |= dict.fromkeys(filter(None, secrets), "<secret>")
        found |= {str(ROOT): "<checkout>", str(Path.home()): "~"}
        self._found = sorted(found.items(), key=lambda pair: -len(pair[0]))

    def __call__(self, text: str) -> str:
        for value, name in self._found:
            if len(value) > 1:  # a home folder may be /
                text = text.replace(value, name)
        return _PATH.sub(lambda match: f".../{match[0].rpartition('/')[2]}", text)


def table(report: Report) -> Table:
    """The rows for a person."""
    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name, justify in (("", "left"), ("check", "left"), ("s", "right"), ("found", "left")):
        shown.add_column(name, justify=justify, no_wrap=name in ("", "s"))  # type: ignore[arg-type]
    for row in report.rows:
        found = escape(row.found)
        if row.status == "failed":
            found += (
                f"\n[bold]Expected:[/bold] {escape(row.expected)}\n[bold]What to do:[/bold] {escape(row.next_step)}"
            )
        shown.add_row(_MARK[row.status], escape(row.title), f"{row.seconds:.1f}", found)
    return shown


def last_words(report: Report) -> str:
    """The result in one line."""
    count = {status: sum(row.status == status for row in report.rows) for status in ("ok", "failed", "skipped")}
    told = f"{count['ok']} of {len(report.rows)} checks ok, {count['failed']} failed, {count['skipped']} skipped"
    return f"verified: {told}" if report.ok else f"not verified: {told}"
