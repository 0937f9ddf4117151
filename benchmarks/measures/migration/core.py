"""Does the core know its orchestrators? Each line of its code that names one, or that asks which one it is run by."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Ordinary words of ours are none of these.
_NAMES = {"airflow": r"airflow", "prefect": r"prefect", "kubeflow": r"kubeflow|kfp"}
#: What the core is told of who runs it: it is for MLflow's tags, and nothing may be decided by it.
_WHO = "orchestrator"
_CONDITIONS = (ast.If, ast.IfExp, ast.While, ast.Assert, ast.comprehension, ast.Match)


def naming(source: str, tool: str) -> list[int]:
    """Numbers of the lines whose code names a tool: in an import, a name or a text; comments and docstrings apart."""
    pattern = re.compile(_NAMES[tool], re.IGNORECASE)
    docs = set(_docstrings(ast.parse(source)))
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NAME, tokenize.STRING) and token.start[0] not in docs:
            for number, line in enumerate(token.string.splitlines()):
                if pattern.search(line):
                    found.add(token.start[0] + number)
    return sorted(found)


def deciding(source: str) -> list[int]:
    """Numbers of the lines with a condition that asks who runs the core."""
    return sorted(
        {
            name.lineno
            for node in ast.walk(ast.parse(source))
            if isinstance(node, _CONDITIONS)
            for test in _tests(node)
            for name in ast.walk(test)
            if isinstance(name, ast.Name | ast.Attribute)
            and (name.id if isinstance(name, ast.Name) else name.attr) == _WHO
        }
    )


def _tests(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.If() | ast.IfExp() | ast.While() | ast.Assert():
            yield node.test
        case ast.comprehension():
            yield from node.ifs
        case ast.Match():
            yield node.subject


def _docstrings(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)


def lines(files: Iterable[Path], tool: str, root: Path) -> list[str]:
    """Places, as `file:line`, where the core knows a tool, or decides by which tool runs it."""
    return [
        f"{file.relative_to(root)}:{number}"
        for file in files
        for source in [file.read_text()]
        for number in sorted({*naming(source, tool), *deciding(source)})
    ]
