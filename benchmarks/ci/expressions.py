"""Expressions of GitHub's workflows, as far as the files here need them: any other is refused, and named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import ConfigError

#: Of the steps before in a job, or of the jobs that a job needs.
STATUS = ("success", "failure", "always", "cancelled")
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)|(?P<sign>==|!=|&&|\|\||[!()]))"
)
_IN_TEXT = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)

Tree = tuple[Any, ...]
Look = Callable[[str], str]


@dataclass(frozen=True)
class Expression:
    """One expression, parsed.

    Args:
        text: as the file has it.
        tree: its parts.
        names: what it looks up, such as `vars.NAME`.
        asks: which of the functions in `STATUS` it calls.
    """

    text: str
    tree: Tree
    names: frozenset[str]
    asks: frozenset[str]

    def value(self, look: Look, status: Mapping[str, bool] | None = None) -> str | bool:
        """What it comes to.

        Args:
            look: gives the value of a name.
            status: what the functions of `STATUS` give.
        """
        return _value(self.tree, look, status or {})


def parse(text: str) -> Expression:
    """Parse one expression, without its `${{ }}`.

    Raises:
        ConfigError: it is not understood.
    """
    parser = _Parser(text)
    tree = parser.whole()
    return Expression(text.strip(), tree, frozenset(parser.names), frozenset(parser.asks))


def condition(text: str) -> Expression:
    """Parse what stands after `if:`, where `${{ }}` may be left out.

    Raises:
        ConfigError: it is not understood.
    """
    whole = _IN_TEXT.fullmatch(text.strip())
    return parse(whole[1] if whole else text)


def within(text: str) -> list[Expression]:
    """All that stand in a text as `${{ }}`.

    Raises:
        ConfigError: one of them is not understood.
    """
    return [parse(found) for found in _IN_TEXT.findall(text)]


def fill(text: str, look: Look) -> str:
    """A text with the values of its expressions."""
    return _IN_TEXT.sub(lambda found: _text(parse(found[1]).value(look)), text)


class _Parser:
    """By descent, the weakest sign first: `||`, `&&`, comparison, `!`."""

    def __init__(self, text: str) -> None:
        self.text, self.names, self.asks = text, set[str](), set[str]()
        self._left = self._tokens()

    def whole(self) -> Tree:
        tree = self._either()
        if self._left:
            raise self._no()
        return tree

    def _tokens(self) -> list[tuple[str, str]]:
        found, at, text = [], 0, self.text.rstrip()
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None or token.lastgroup is None:
                raise self._no()
            found.append((token.lastgroup, token[token.lastgroup]))
            at = token.end()
        return found

    def _no(self) -> ConfigError:
        fix = "run it on GitHub, or teach benchmarks/ci/expressions.py what it means"
        return ConfigError("this expression is not understood here", where=self.text.strip() or "${{ }}", fix=fix)

    def _take(self, *signs: str) -> str:
        if self._left and self._left[0][0] == "sign" and self._left[0][1] in signs:
            return self._left.pop(0)[1]
        return ""

    def _either(self) -> Tree:
        tree = self._both()
        while self._take("||"):
            tree = ("||", tree, self._both())
        return tree

    def _both(self) -> Tree:
        tree = self._compared()
        while self._take("&&"):
            tree = ("&&", tree, self._compared())
        return tree

    def _compared(self) -> Tree:
        tree = self._one()
        while sign := self._take("==", "!="):
            tree = (sign, tree, self._one())
        return tree

    def _one(self) -> Tree:
        if self._take("!"):
            return ("!", self._one())
        if self._take("("):
            tree = self._either()
            if not self._take(")"):
                raise self._no()
            return tree
        if not self._left or self._left[0][0] == "sign":
            raise self._no()
        kind, word = self._left.pop(0)
        if kind == "string":
            return ("is", word[1:-1].replace("''", "'"))
        if word in ("true", "false"):
            return ("is", word == "true")
        if word in STATUS and self._take("("):
            if not self._take(")"):
                raise self._no()
            self.asks.add(word)
            return ("status", word)
        if "." not in word or (self._left and self._left[0] == ("sign", "(")):
            raise self._no()  # a function, or a word, that is not known here
        self.names.add(word)
        return ("name", word)


def _value(tree: Tree, look: Look, status: Mapping[str, bool]) -> str | bool:
    sign, first = tree[0], tree[1]
    if sign == "is":
        return first  # type: ignore[no-any-return]
    if sign == "name":
        return look(first)
    if sign == "status":
        return status[first]
    left = _value(first, look, status)
    if sign == "!":
        return not left
    if sign == "&&":
        return _value(tree[2], look, status) if left else left
    if sign == "||":
        return left or _value(tree[2], look, status)
    right = _value(tree[2], look, status)
    # GitHub ignores case when it compares.
    same = _text(left).casefold() == _text(right).casefold()
    return same if sign == "==" else not same


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()
