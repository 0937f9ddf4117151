"""Where a capability's code is: a file, a name in Python, or a key in YAML; and how many lines it takes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.places import ROOT


@dataclass(frozen=True)
class Place:
    """Some lines of a file."""

    path: str
    first: int
    last: int
    #: The numbers of those that hold code: no blank lines, comments and docstrings.
    code: frozenset[int]
    whole: bool

    @property
    def link(self) -> str:
        """In markdown, from a file in `docs/`."""
        name = self.path.rsplit("/", 1)[-1]
        return (
            f"[{name}](../{self.path})"
            if self.whole
            else f"[{name}:{self.first}](../{self.path}#L{self.first}-L{self.last})"
        )


def find(said: str, root: Path = ROOT) -> Place:
    """Find a place.

    Args:
        said: `path`, `path.py::name`, `path.py::outer.inner` or `path.yaml::key.0.key`.

    Raises:
        LookupError: there is no such file, name or key.
    """
    path, _, name = said.partition("::")
    if not (root / path).is_file():
        raise LookupError(f"there is no file {path}")
    text = (root / path).read_text()
    if not name:
        first, last = 1, len(text.splitlines())
    elif path.endswith(".py"):
        first, last = _of_name(text, name, path)
    else:
        first, last = _of_key(text, name, path)
    counted = _code_lines(text) if path.endswith(".py") else _text_lines(text)
    return Place(path, first, last, frozenset(line for line in counted if first <= line <= last), not name)


def count(places: list[Place]) -> int:
    """Lines of all places; what two of them share is counted once."""
    return len({(place.path, line) for place in places for line in place.code})


def _of_name(text: str, name: str, path: str) -> tuple[int, int]:
    nodes: list[ast.stmt] = ast.parse(text).body
    for part in name.split("."):
        found = next((node for node in nodes if part in _names(node)), None)
        if found is None:
            raise LookupError(f"{path} defines no {name}")
        first, last = found.lineno, found.end_lineno or found.lineno
        first = min([first, *(each.lineno for each in getattr(found, "decorator_list", []))])
        nodes = [each for each in ast.walk(found) if isinstance(each, ast.stmt) and each is not found]
    return first, last


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _of_key(text: str, name: str, path: str) -> tuple[int, int]:
    node = yaml.compose(text)
    first = None
    for part in name.split("."):
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                raise LookupError(f"{path} has no key {name}")
            first, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
            node = node.value[int(part)]
            first = node.start_mark.line + 1
        else:
            raise LookupError(f"{path} has no key {name}")
    assert first is not None
    assert node is not None
    return first, max(first, _last(node))


def _last(node: yaml.Node) -> int:
    """The last line of a node: a block ends, for YAML, only where the next one begins."""
    inner = [each for pair in node.value for each in (pair if isinstance(pair, tuple) else (pair,))]
    if isinstance(node, yaml.CollectionNode) and inner:
        return max(_last(each) for each in inner)
    return node.end_mark.line + (node.end_mark.column > 0)


def _code_lines(text: str) -> set[int]:
    """Numbers of the lines that hold code: no blank ones, no comments, no docstrings."""
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and body:
            head = body[0]
            if (
                isinstance(head, ast.Expr)
                and isinstance(head.value, ast.Constant)
                and isinstance(head.value.value, str)
            ):
                docs |= set(range(head.lineno, (head.end_lineno or head.lineno) + 1))
    return _text_lines(text) - docs


def _text_lines(text: str) -> set[int]:
    lines = enumerate(text.splitlines(), 1)
    return {number for number, line in lines if line.strip() and not line.lstrip().startswith("#")}
