"""What a picture is: an address, what to click, what must be seen. Plain standard library, for both sides to import."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shot:
    """One picture of one page."""

    file: str
    url: str
    #: Text that must be visible before the picture is taken: a page that has not loaded makes no picture.
    see: tuple[str, ...] = ()
    #: Playwright selectors, clicked in turn once the page has settled.
    click: tuple[str, ...] = ()
    #: Text that is brought to the top.
    scroll_to: str = ""


@dataclass(frozen=True)
class Session:
    """Who looks: what the browser holds when a person has logged in, and the pictures that this login can take."""

    shots: tuple[Shot, ...]
    #: Cookies, as name -> value, for every address of the session.
    cookies: dict[str, str] = field(default_factory=dict)
    #: What the pages' local storage holds.
    storage: dict[str, str] = field(default_factory=dict)
    #: User and password that the browser itself is asked for.
    http_login: tuple[str, str] | None = None

    def json_dict(self) -> dict[str, Any]:
        """The session as plain JSON types."""
        return asdict(self)
