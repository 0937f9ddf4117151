"""Tables of the documents as HTML for the page: the same functions make both, so that they cannot differ."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

#: HTML in a result file stays text; links that lead into the repository have no place to go to from the page.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def html(markdown: str, caption: str) -> Markup:
    """Text with tables, each in a region that scrolls by itself, with a caption and scopes."""
    tokens = _MARKDOWN.parse(markdown)
    made = _MARKDOWN.renderer.render(_dressed(tokens, caption), _MARKDOWN.options, {})
    return Markup(made.replace("&lt;br&gt;", "<br>"))


def inline(text: str) -> Markup:
    """A sentence as the documents write it, with code in backticks; it begins with a capital."""
    return Markup(_MARKDOWN.renderInline(text[:1].upper() + text[1:]))


def _dressed(tokens: list[Token], caption: str) -> list[Token]:
    made: list[Token] = []
    first_of_row = in_body = row_header = False
    number = 0
    for token in tokens:
        if token.type == "table_open":
            number += 1
            label = escape(caption if number == 1 else f"{caption}, {number}")
            made.append(_html(f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'))
            made += [token, _html(f"<caption><span>{label}</span></caption>")]
            continue
        if token.type == "table_close":
            made += [token, _html("</div>")]
            continue
        if token.type in ("tbody_open", "thead_open"):
            in_body = token.type == "tbody_open"
        elif token.type == "tr_open":
            first_of_row = True
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "td_open" and in_body and first_of_row:
            token.tag, row_header, first_of_row = "th", True, False
            token.attrSet("scope", "row")
        elif token.type == "td_close" and row_header:
            token.tag, row_header = "th", False
        elif token.type == "inline":
            token.children = [each for each in _children(token) if each is not None]
        _align(token)
        made.append(token)
    return made


def _align(token: Token) -> None:
    """The page allows no style on an element: a class instead."""
    style = token.attrs.pop("style", None)
    if style == "text-align:right":
        token.attrSet("class", "number")


def _children(token: Token) -> list[Token]:
    """Links that lead to no address are left as their text."""
    kept, dropped = [], False
    for each in token.children or []:
        if each.type == "link_open" and not str(each.attrGet("href")).startswith(("http://", "https://")):
            dropped = True
        elif each.type == "link_close" and dropped:
            dropped = False
        else:
            kept.append(each)
    return kept


def _html(text: str) -> Token:
    return Token("html_block", "", 0, content=text)
