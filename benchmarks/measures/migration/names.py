"""Which names of a tool's API its adapter uses, read from the source: what whoever moves away can forget, and whoever
moves there has to learn.

A name counts once, however often it is used, and under its own name, whatever it is called locally. Two kinds count:

- what is imported from the tool and used, with all that is reached from it by dots: `airflow.sdk.task.branch`,
  `kfp.dsl.If`. An import that nothing uses does not count, keyword arguments do not either;
- attributes of what the tool has made, such as `.expand` or `.set_retry`: of a function that it decorates, of a class
  derived from one of its own, of a parameter annotated with one, and of whatever calls of these give. Here an attribute
  that the core's or the adapter's own classes declare, or that a built-in type has, is taken for theirs.

Not seen: what a tool passes by the name of a parameter (Airflow's `ti`), methods that a derived class overrides, and
names in templates, strings and configuration.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

#: Attributes of these say nothing of a tool.
_BUILT_IN = frozenset(name for kind in (dict, list, str, tuple, set, bytes, int, float, object) for name in dir(kind))
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Api:
    """A name of the tool."""

    path: str


@dataclass(frozen=True)
class _Module:
    """One of the adapter's own modules or packages."""

    name: str


class _Made:
    """Whatever a tool has made or wrapped."""


class _Giver:
    """A function of the adapter's own that gives what the tool has made."""


_MADE, _GIVER = _Made(), _Giver()
_Origin = _Api | _Module | _Made | _Giver | None


def declared(sources: Iterable[str]) -> frozenset[str]:
    """Fields, methods and attributes of the classes in these sources."""
    found: set[str] = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                found |= {name for each in node.body for name in _bound(each)}
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
                found.add(node.attr)
    return frozenset(found)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def used(sources: Mapping[str, str], package: str, known: frozenset[str] = frozenset()) -> list[str]:
    """The names of a tool that an adapter uses, sorted.

    Args:
        sources: the adapter's modules by their dotted names.
        package: what the tool is imported as.
        known: attributes that are not the tool's, beside the built-in types' and those that the adapter's classes have.
    """
    adapter = _Adapter(package, known | _BUILT_IN | declared(sources.values()))
    trees = {name: ast.parse(source) for name, source in sources.items()}
    adapter.modules = {name.rsplit(".", depth)[0] for name in trees for depth in range(name.count(".") + 1)}
    before = -1
    while before < len(adapter.origins):  # a name may be used above, or in another module than, where it is made
        before = len(adapter.origins)
        for name, tree in trees.items():
            _Reader(adapter, name).visit(tree)
    return sorted(adapter.names)


@dataclass
class _Adapter:
    package: str
    known: frozenset[str]
    modules: set[str] = field(default_factory=set)
    #: By scope (a module, or a function in it) and name.
    origins: dict[tuple[str, str], _Origin] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def is_api(self, path: str) -> bool:
        return path == self.package or path.startswith(f"{self.package}.")

    def imported(self, path: str) -> _Origin:
        if self.is_api(path):
            return _Api(path)
        if path in self.modules:
            return _Module(path)
        module, _, name = path.rpartition(".")
        return self.origins.get((module, name))


class _Reader(ast.NodeVisitor):
    """Reads one module: notes what is used, and remembers where names come from."""

    def __init__(self, adapter: _Adapter, module: str) -> None:
        self.adapter = adapter
        self.scopes: list[tuple[str, frozenset[str]]] = [(module, frozenset())]  # the outermost has every other name

    def bind(self, target: ast.expr | str, origin: _Origin) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                self.bind(each, origin)
        name = target.id if isinstance(target, ast.Name) else target
        if isinstance(name, str) and origin is not None:
            self.adapter.origins.setdefault((self.scopes[-1][0], name), origin)

    def found(self, name: str) -> _Origin:
        for scope, local in reversed(self.scopes):
            if name in local:
                return self.adapter.origins.get((scope, name))
        return self.adapter.origins.get((self.scopes[0][0], name))

    def origin(self, node: ast.expr | None) -> _Origin:
        match node:
            case ast.Name():
                return self.found(node.id)
            case ast.Attribute():
                of = self.origin(node.value)
                if isinstance(of, _Api | _Module):
                    return self.adapter.imported(f"{of.path if isinstance(of, _Api) else of.name}.{node.attr}")
                return of if isinstance(of, _Made) else None
            case ast.Call():
                return None if self.origin(node.func) is None else _MADE
            case ast.Subscript():
                return _MADE if isinstance(self.origin(node.value), _Api | _Made) else None
            case ast.Await() | ast.NamedExpr():
                return self.origin(node.value)
            case ast.IfExp():
                return self.origin(node.body) or self.origin(node.orelse)
            case ast.Tuple() | ast.List():
                return next((_MADE for each in node.elts if self.origin(each)), None)
        return None

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            name = each.name if each.asname else each.name.split(".")[0]
            self.bind(each.asname or name, self.adapter.imported(name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            self.bind(each.asname or each.name, self.adapter.imported(f"{node.module}.{each.name}"))

    def visit_Name(self, node: ast.Name) -> None:
        of = self.found(node.id)
        if isinstance(of, _Api) and isinstance(node.ctx, ast.Load):
            self.adapter.names.add(of.path)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(of := self.origin(node), _Api):
            self.adapter.names.add(of.path)  # not what it is reached by, which is no name of its own here
            return
        if isinstance(self.origin(node.value), _Made) and node.attr not in self.adapter.known:
            self.adapter.names.add(f".{node.attr}")
        self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: _Function) -> None:
        for each in [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]:
            self.visit(each)
        if any(self.origin(each) for each in node.decorator_list):
            self.bind(node.name, _MADE)
        scope = f"{self.scopes[-1][0]}.{node.name}"
        annotated = [each for each in _arguments(node.args) if each.annotation and self._of_tool(each.annotation)]
        local = frozenset(
            {each.arg for each in _arguments(node.args)} | {n for each in node.body for n in _bound(each)}
        )
        self.scopes.append((scope, local))
        for argument in annotated:
            self.bind(argument.arg, _MADE)
        for statement in node.body:
            self.visit(statement)
        self.scopes.pop()
        if self.adapter.origins.get((scope, "return")):
            self.bind(node.name, _GIVER)

    def _of_tool(self, annotation: ast.expr) -> bool:
        return any(
            isinstance(self.origin(each), _Api | _Made)
            for each in ast.walk(annotation)
            if isinstance(each, ast.Name | ast.Attribute)
        )

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        arguments = frozenset(each.arg for each in _arguments(node.args))
        self.scopes.append((f"{self.scopes[-1][0]}.<lambda>", arguments))
        self.visit(node.body)
        self.scopes.pop()

    def visit_Return(self, node: ast.Return) -> None:
        self.bind("return", self.origin(node.value))
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if any(self.origin(each) for each in node.bases):
            self.bind(node.name, _MADE)
        for each in [*node.bases, *node.decorator_list]:
            self.visit(each)
        self.scopes.append((f"{self.scopes[-1][0]}.{node.name}", frozenset()))
        for statement in node.body:
            self.visit(statement)
        self.scopes.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.bind(target, self.origin(node.value))
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.bind(node.target, self.origin(node.value))
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.bind(node.target, self.origin(node.value))
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self.bind(node.target, self.origin(node.iter))
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.bind(node.target, self.origin(node.iter))
        self.generic_visit(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars:
            self.bind(node.optional_vars, self.origin(node.context_expr))
        self.generic_visit(node)


def _arguments(node: ast.arguments) -> list[ast.arg]:
    more = [each for each in (node.vararg, node.kwarg) if each]
    return [*node.posonlyargs, *node.args, *node.kwonlyargs, *more]


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that a statement binds where it stands."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from (each.asname or each.name.split(".")[0] for each in node.names)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for each in ast.iter_child_nodes(node):
        yield from _bound(each)
