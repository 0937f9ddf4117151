"""docs/capabilities.md: what each tool can do, out of the tools' files and the results of the tests."""

from __future__ import annotations

from pathlib import Path

from benchmarks import docs
from benchmarks.capabilities import cells, lines, outcomes
from benchmarks.capabilities.cells import BAD_INPUT, CAPABILITIES, TOOLS, Cell, Verdict
from benchmarks.capabilities.outcomes import Outcome, Outcomes


def table(path: Path = outcomes.SAVED) -> str:
    """Capability x tool: the verdict, lines of code, the first figure; links to the details below."""
    told, shown = {tool: cells.read(tool) for tool in TOOLS}, outcomes.read(path)
    rows = [
        f"| [{what}](#{name}) | "
        + " | ".join(_brief(told[tool].capabilities[name], shown.of(tool, "capability", name)) for tool in TOOLS)
        + " |"
        for name, what in CAPABILITIES.items()
    ]
    return "\n".join([_head("what a team asks for"), *rows, "", _environment(shown)])


def details() -> str:
    """One section a capability: how, where, held by which test."""
    told, shown = {tool: cells.read(tool) for tool in TOOLS}, outcomes.read()
    parts = []
    for name, what in CAPABILITIES.items():
        parts += [f"### {name}", "", f"{what[0].upper()}{what[1:]}.", ""]
        parts += [_detail(tool, told[tool].capabilities[name], shown.of(tool, "capability", name)) for tool in TOOLS]
    return "\n".join(parts).rstrip()


def bad_input() -> str:
    """What becomes of bad input, in each tool, and the test that holds it."""
    told, shown = {tool: cells.read(tool) for tool in TOOLS}, outcomes.read()
    rows = [
        f"| {what} | "
        + " | ".join(f"{told[tool].bad_input[name]} {_links(shown.of(tool, 'bad-input', name))}" for tool in TOOLS)
        + " |"
        for name, what in BAD_INPUT.items()
    ]
    return "\n".join([_head("what goes wrong"), *rows])


def _head(first: str) -> str:
    return f"| {first} | {' | '.join(TOOLS.values())} |\n|---|{'---|' * len(TOOLS)}"


def _brief(cell: Cell, tests: list[Outcome]) -> str:
    parts = [f"**{cell.verdict}**" if cell.verdict is Verdict.NATIVE else str(cell.verdict)]
    if cell.code:
        parts.append(_lines(lines.count([lines.find(each) for each in cell.code])))
    if not cell.not_verified:  # a figure of a stand-in is none of the tool's
        parts += [_figure(figure) for each in tests for figure in each.own_figures[:1]][:1]
    if cell.verdict is not Verdict.NOT and cell.not_verified:
        parts.append("not verified on a server")
    return ", ".join(parts)


def _detail(tool: str, cell: Cell, tests: list[Outcome]) -> str:
    lead = f"**{TOOLS[tool]}: {cell.verdict}.** {cell.how}"
    rest = []
    if cell.parts:
        rest.append(f"Added: {'; '.join(cell.parts)}.")
    if cell.code:
        places = [lines.find(each) for each in cell.code]
        rest.append(f"Code ({_lines(lines.count(places))}): {', '.join(place.link for place in places)}.")
    if tests:
        rest.append(f"Tests: {_tests(tests)}.")
    if measured_ := [f"{figure.name} {_figure(figure)}" for each in tests for figure in each.own_figures]:
        rest.append(f"Measured: {', '.join(measured_)} (n = 1).")
    if cell.cites:
        rest.append(f"See {', '.join(f'<{address}>' for address in cell.cites)}.")
    if cell.not_verified:
        rest.append(f"*Not verified here:* {cell.not_verified}")
    return "\n".join([lead, *rest]) + "\n"


def _lines(count: int) -> str:
    return f"{count} line{'s' * (count != 1)}"


def _figure(figure: outcomes.Figure) -> str:
    return f"{figure.value:g} {figure.unit}"


def _tests(tests: list[Outcome]) -> str:
    """Links to tests, each with what became of it."""
    each = sorted({(test.test, test.outcome, test.seconds) for test in tests})
    told = [
        f"[{name.rpartition('::')[2]}](../{name.partition('::')[0]}) ({outcome} in {seconds:g} s)"
        for name, outcome, seconds in each
    ]
    return ", ".join(told)


def _links(tests: list[Outcome]) -> str:
    """As `_tests`, for a narrow column."""
    each = sorted({(test.test.partition("::")[0], test.outcome) for test in tests})
    return ", ".join(f"[({outcome})](../{path})" for path, outcome in each)


def _environment(shown: Outcomes) -> str:
    return f"Measured on {docs.machine(shown.environment)}; n = 1, while other stacks were tested beside."
