"""The page: one HTML file that needs no network and no script."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmarks import results
from benchmarks.measures import catalog
from benchmarks.measures.catalog import Name
from benchmarks.measures.show import number
from benchmarks.places import RESULTS, ROOT
from benchmarks.report import beside, collect, flags, further, headline, matrix, tables
from benchmarks.report.charts import Chart, Charts
from benchmarks.report.collect import Collected, Load, Measured, machine
from benchmarks.report.figures import TOOLS, Cases, Shown, show, title, unit
from benchmarks.report.section import Section

#: Figures of a part that are seen without unfolding the others.
AT_ONCE = 3


@dataclass(frozen=True)
class Picture:
    """A figure with its charts."""

    id: str
    shown: Shown
    charts: list[Chart]


@dataclass(frozen=True)
class Unmeasured:
    """Samples of one case that failed, or were not run, for the same cause."""

    status: str
    case: str
    count: int
    cause: str


@dataclass(frozen=True)
class Source:
    """Where figures come from, and how to get them again."""

    command: str
    file: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    #: The file itself, as an address.
    data: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class Part:
    """A section of the page."""

    id: str
    title: str
    question: str
    source: Source
    missing: str = ""
    limits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    definitions: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    #: Figures that are folded away, so that a part stays readable.
    more: tuple[Picture, ...] = ()
    matrix: matrix.Matrix | None = None
    unmeasured: tuple[Unmeasured, ...] = ()
    tables: tuple[Markup, ...] = ()


def gather(folder: Path, load: Load = catalog.load, committed: Path = RESULTS) -> tuple[Collected, list[Section]]:
    """Read all that the page shows; what cannot be used is told with what is skipped.

    Args:
        folder: of the results of the measures.
        load: gives a measure.
        committed: where the files of the other commands are, that the folder does not have.
    """
    collected = collect.collect(folder, load)
    sections, skipped = further.sections(folder, committed)
    return replace(collected, skipped=(*collected.skipped, *skipped)), sections


def render(collected: Collected, sections: Sequence[Section] = ()) -> str:
    """The whole page."""
    charts = Charts()
    parts = [_measure(name, collected.measured.get(name), charts) for name in Name]
    others = [_section(each, charts) for each in sections]
    templates = Environment(
        loader=PackageLoader("benchmarks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(number=number, unit=unit, tool=title, inline=tables.inline)
    page = templates.get_template("page.html.j2").render(
        about=_about(collected),
        flags=list(flags.flags(collected)),
        lines=headline.by_figure(headline.lines(collected)),
        tools=TOOLS,
        parts=parts,
        others=others,
        kinds=matrix.KINDS,
        style=Markup(templates.get_template("style.css").render()),
    )
    lines = (line.lstrip() if line.lstrip().startswith("<") else line for line in page.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def _about(collected: Collected) -> list[str]:
    """Machines and days of the measures, each once."""
    found = [each.result.environment for each in collected.measured.values()]
    days = sorted({each.date[:10] for each in found})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""
    return [*([f"Measured {span}"] if span else []), *dict.fromkeys(map(machine, found))]


def _measure(name: Name, measured: Measured | None, charts: Charts) -> Part:
    if measured is None:
        from benchmarks.measures.cli import HELP

        return Part(name, name.title(), HELP[name], Source(headline.command(name)), missing=headline.not_yet(name))
    made = measured.measure
    pictures, more = _pictures(name, show(measured), charts)
    return Part(
        id=name,
        title=made.title,
        question=made.question,
        source=_source_of(measured),
        limits=tuple(made.limits),
        notes=tuple(flags.of_measure(measured)),
        pictures=pictures,
        more=more,
        matrix=matrix.make(measured) if name is Name.DEBUG else None,
        unmeasured=tuple(unmeasured(measured)),
        tables=(tables.html(beside.table(measured), "Beside published figures"),) if name is Name.PEERS else (),
    )


def _pictures(of: str, figures: Sequence[Shown], charts: Charts) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    """Figures to be seen at once, those of the headline before others, and the rest."""
    named = [each.figure for each in headline.WANTED if each.measure == of] + ["detect_s", "walk_steps"]
    ranked = sorted(figures, key=lambda each: each.figure not in named)
    made = tuple(Picture(f"{of}-{each.name}", each, charts.of(each)) for each in ranked)
    return made[:AT_ONCE], made[AT_ONCE:]


def _source_of(measured: Measured) -> Source:
    result = measured.result
    cases = Cases(result)
    counted = [len([s for s in cases.samples(case) if s.status == "succeeded"]) for case in cases.cases]
    least, most = min(counted, default=0), max(counted, default=0)
    warmups = sum(each.warmup for each in result.samples)
    loads = [each.load for each in result.samples if each.load is not None]
    versions = "; ".join(
        f"{title(tool)}: {', '.join(f'{package} {version}' for package, version in of.items())}"
        for tool, of in result.versions.items()
    )
    facts = [
        ("Profile", f"{result.profile}; {result.seconds / 60:,.0f} minutes{', interrupted once' * result.resumed}"),
        ("Samples of a case (n)", str(least) if least == most else f"{least} to {most}"),
        ("Warm-ups left out", str(warmups)),
        *_facts(result.environment),
        *([("Load average before a sample", f"{min(loads):g} to {max(loads):g}")] if loads else []),
        *([("Versions", versions)] if versions else []),
    ]
    return replace(_download(measured.file), command=headline.of(measured), facts=tuple(facts))


def _facts(environment: results.Environment) -> list[tuple[str, str]]:
    when = environment.date.replace("T", " ")
    return [("Date", when), ("Machine", machine(environment)), ("Code", flags.software(environment))]


def _download(file: Path) -> Source:
    """A result file as a link that holds it: smaller without its spaces, else as it is."""
    small = json.dumps(json.loads(file.read_text()), separators=(",", ":"), ensure_ascii=False).encode()
    data = f"data:application/json;base64,{base64.b64encode(small).decode()}"
    return Source("", file=file.name, data=data, bytes=len(small))


def unmeasured(measured: Measured) -> list[Unmeasured]:
    """Every sample that failed or was not run, those of the same case and cause together."""
    found: dict[tuple[str, str, str], int] = {}
    for each in measured.result.samples:
        if each.status != "succeeded":
            case = ", ".join(title(value) for value in each.case.values())
            told = (each.status, case + (" (warm-up)" if each.warmup else ""), each.error)
            found[told] = found.get(told, 0) + 1
    return [Unmeasured(status, case, count, cause) for (status, case, cause), count in found.items()]


def _section(section: Section, charts: Charts) -> Part:
    there = section.file is not None and not section.missing
    source = Source(section.command)
    if section.file is not None and there:
        own = section.file.is_relative_to(ROOT)
        facts = [("File", str(section.file.relative_to(ROOT) if own else section.file.name))]
        by_machine: dict[str, list[results.Environment]] = {}
        for each in further.environments(section.file):
            by_machine.setdefault(machine(each), []).append(each)
        for where, found in by_machine.items():
            days = sorted({each.date[:10] for each in found})
            facts += [
                ("Machine", where),
                ("Date", " to ".join(dict.fromkeys((days[0], days[-1])))),
                ("Code", ", ".join(dict.fromkeys(map(flags.software, found)))),
            ]
        source = replace(_download(section.file), command=section.command, facts=tuple(facts))
    pictures, more = _pictures(section.id, section.figures, charts)
    return Part(
        id=section.id,
        title=section.title,
        question=section.question,
        source=source,
        missing=f"not measured yet: {section.command}" if section.missing else "",
        definitions=section.definitions,
        pictures=pictures,
        more=more,
        tables=section.tables,
    )
