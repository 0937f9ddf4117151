"""The result files of the other commands that are worth a place on the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import results
from benchmarks.places import RESULTS
from benchmarks.report import further_ci, further_runs
from benchmarks.report.collect import Skipped
from benchmarks.report.section import Section

_SECTIONS: tuple[tuple[Callable[[Path], Section], str], ...] = (
    (further_runs.demo, "demo.json"),
    (further_ci.ci, ""),
    (further_ci.ci_run, "ci-run.json"),
    (further_ci.pull_request, "ci-pull-request.json"),
    (further_ci.changes, "changes.json"),
    (further_ci.broken, "ci-broken.json"),
    (further_runs.stacks, "stacks.json"),
    (further_runs.scale_out, "scale-out.json"),
    (further_runs.capabilities, "capabilities.json"),
)


def sections(folder: Path, committed: Path = RESULTS) -> tuple[list[Section], list[Skipped]]:
    """All of them; a file that the folder does not have is the committed one.

    Returns:
        Sections, those without a file among them, and the files that cannot be used.
    """
    made: list[Section] = []
    skipped: list[Skipped] = []
    for maker, name in _SECTIONS:
        places = [each for each in (folder / name, committed / name) if name and each.exists()]
        try:
            made.append(maker(places[0] if places else folder / name))
        except (ValueError, OSError) as error:  # pydantic's and JSON's are ValueErrors
            skipped.append(Skipped(name, f"this is no result that this code reads: {str(error).splitlines()[0]}"))
    return made, skipped


def environments(file: Path) -> list[results.Environment]:
    """Every environment block of a result file, each once."""
    found = (results.Environment.model_validate(each) for each in _blocks(json.loads(file.read_text())))
    return list(dict.fromkeys(found))


def _blocks(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "environment":
                yield each
            else:
                yield from _blocks(each)
    elif isinstance(value, list):
        for each in value:
            yield from _blocks(each)
