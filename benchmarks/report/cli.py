"""The commands `report` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.places import STATE

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def report(
    to: Annotated[Path | None, typer.Option(help="The file to write; by default .bakeoff/report.html.")] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of result files; by default what was measured here, or else benchmarks/results."),
    ] = None,
) -> None:
    """Make one page out of the result files, with tables, pictures and raw data; it needs no network."""
    from benchmarks.report import collect, flags, page
    from benchmarks.results import relative_path
    from shared.errors import ConfigError
    from shared.files import make_folder

    folder = collect.folder_of(results)
    target = to or STATE / "report.html"
    if target.is_dir():
        raise ConfigError("there is a folder of that name", where=str(target), fix="name a file, such as report.html")
    make_folder(target.absolute().parent)
    found, sections = page.gather(folder)
    text = page.render(found, sections)
    target.write_text(text)
    err.print(f"measures read from {relative_path(folder.absolute())}", highlight=False, soft_wrap=True)
    for flag in flags.flags(found):
        err.print(flag, highlight=False, markup=False, soft_wrap=True)
    for name in found.missing:
        err.print(f"{name} is not measured yet: `./bakeoff bench {name}`", highlight=False, markup=False)
    size = len(text.encode()) / 1e6
    out.print(f"{relative_path(target.absolute())} ({size:.1f} MB)", highlight=False, soft_wrap=True, markup=False)


def compare(
    one: Annotated[Path, typer.Argument(help="A result file of a measure.")],
    other: Annotated[Path, typer.Argument(help="Another one of the same measure.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Set two results of one measure side by side: two machines, two versions, two days."""
    from benchmarks.report import compare as comparing

    result = comparing.compare(one, other)
    if json:
        print(result.model_dump_json(indent=2))
        return
    for line in comparing.head(result):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    for table in comparing.tables(result):
        out.print(table)
    for line in comparing.tail(result):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


COMMANDS = (report, compare)
