"""Figures of the documents outside their generated blocks, and where docs/figures.yaml says that they come from.

A generated block is made out of result files by `make docs`, and `make check` holds it to them; here is the rest.
"""

from __future__ import annotations

import ast
import json
import operator
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from benchmarks.places import RESULTS, ROOT

LIST = ROOT / "docs" / "figures.yaml"
NUMBER = r"\d[\d,]*(?:\.\d+)?"
_UNITS = r"%|s|ms|[kMG]i?B|seconds?|minutes?|hours?|times|frames?|x"
#: A number with a unit, and no part of a name, a version or a path.
FIGURE = re.compile(rf"(?<![\w.,/:-]){NUMBER}\s*(?:{_UNITS})(?![\w])")
#: A cell of a table that holds nothing but a number, whatever follows it.
CELL = re.compile(rf"(?<=\|)\s*\**\s*{NUMBER}\s*\w{{0,3}}\s*%?\**\s*(?=\|)")
GENERATED = re.compile(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", re.S)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.S | re.M)


class Measured(BaseModel):
    """A value, or a quotient of two, of a result file, for each number of the text."""

    model_config = ConfigDict(extra="forbid")

    file: str
    values: list[str]


class Entry(BaseModel):
    """One passage of a document, and what its numbers are."""

    model_config = ConfigDict(extra="forbid")

    document: str
    text: str
    #: Of a result file.
    measured: Measured | None = None
    #: Counted anew by this test, by a function of `COUNTS` for each number.
    counted: list[str] = []
    #: A sum or quotient of what is given elsewhere, for each number of the text.
    worked_out: list[str] = []
    #: Settings and definitions: what stands in which file of this repository.
    set: dict[str, str] = {}
    #: By others: where to read it.
    published: str = ""
    #: Measured once, and no result file was kept: how, and by which command anybody sees it.
    by_hand: str = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Entry:
        kinds = [self.measured, self.counted, self.worked_out, self.set, self.published, self.by_hand]
        if sum(map(bool, kinds)) != 1:
            raise ValueError(f"{self.text!r} names one source, not {sum(map(bool, kinds))}")
        return self

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds the text, however its lines are broken."""
        return re.compile(r"\s+".join(map(re.escape, self.text.split())))

    @property
    def numbers(self) -> list[str]:
        """Those of the text, in order."""
        return re.findall(NUMBER, self.text)


@dataclass(frozen=True)
class Found:
    """A figure in a document."""

    text: str
    start: int
    line: int
    kind: Literal["figure", "cell"]


def entries() -> list[Entry]:
    """The list."""
    return [Entry.model_validate(each) for each in yaml.safe_load(LIST.read_text())]


def documents() -> list[Path]:
    """Every Markdown file of the repository."""
    told = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in told.stdout.split()]


def find(text: str) -> list[Found]:
    """Figures outside generated blocks and code."""
    for hidden in (GENERATED, CODE):
        text = hidden.sub(lambda match: re.sub(r"[^\n]", "~", match.group()), text)
    found = [(match, "figure") for match in FIGURE.finditer(text)]
    covered = {position for match, _ in found for position in range(*match.span())}
    found += [
        (match, "cell")
        for match in CELL.finditer(text)
        if match.start() + 1 not in covered and _is_row(text, match.start())
    ]
    return [
        Found(
            match.group().strip(),
            match.start() + len(match.group()) - len(match.group().lstrip()),
            text.count("\n", 0, match.start()) + 1,
            kind,
        )
        for match, kind in found
    ]


def _is_row(text: str, position: int) -> bool:
    return text[text.rfind("\n", 0, position) + 1 :].lstrip().startswith("|")


def value(file: str, expression: str) -> float:
    """Of a result file: `a.b[name=x number=0].c`, or a quotient of two such."""
    told = json.loads((RESULTS / file).read_text())
    parts = [_field(told, each) for each in expression.split(" / ")]
    return parts[0] if len(parts) == 1 else parts[0] / parts[1]


def _field(told: object, path: str) -> float:
    for name, wanted in re.findall(r"([\w-]+)(?:\[([^\]]*)\])?", path):
        assert isinstance(told, dict), path
        told = told[name]
        if wanted:
            assert isinstance(told, list), path
            labels = dict(each.split("=") for each in wanted.split())
            [told] = [each for each in told if all(str(each[key]) == value for key, value in labels.items())]
    assert isinstance(told, int | float), path
    return float(told)


_OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Sub: operator.sub}


def work_out(expression: str) -> float:
    """Plus, minus, times, over."""

    def of(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            return _OPERATORS[type(node.op)](of(node.left), of(node.right))
        assert isinstance(node, ast.Constant), expression
        return float(node.value)

    return of(ast.parse(expression, mode="eval").body)


def is_rounded(shown: str, exact: float) -> bool:
    """Is the number shown the exact one, rounded to the digits it has?"""
    digits = len(shown.partition(".")[2])
    return abs(float(shown.replace(",", "")) - exact) <= 0.5 * 10**-digits + 1e-9


def missing_share(column: str) -> float:
    """Per cent of all flights without a reading."""
    months = sorted((ROOT / "data" / "flights").glob("*.parquet"))
    return 100 * float(pd.read_parquet(months, columns=[column])[column].isna().mean())


def flights_mb() -> float:
    """Megabytes of the files of flights."""
    return sum(each.stat().st_size for each in (ROOT / "data" / "flights").glob("*.parquet")) / 1e6


COUNTS = {
    "flights without a gust, %": lambda: missing_share("wind_gust"),
    "flights without a pressure, %": lambda: missing_share("pressure"),
    "the months of flights, MB": flights_mb,
}
