"""Where a running stack's UIs are, and what it takes to log in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import httpx

from shared.errors import BakeoffError


class ScreenshotError(BakeoffError):
    """A picture cannot be taken."""


@dataclass(frozen=True)
class Airflow:
    """Airflow's public API, logged in to."""

    address: str
    token: str

    @classmethod
    def login(cls, address: str, password: str) -> Airflow:
        """Log in as `admin`.

        Raises:
            ScreenshotError: nobody answers there, or the password is another.
        """
        answer = _ask("POST", f"{address}/auth/token", json={"username": "admin", "password": password})
        return cls(address, str(answer["access_token"]))

    def ask(self, path: str) -> dict[str, Any]:
        """Read from the API."""
        answer: dict[str, Any] = _ask(
            "GET", f"{self.address}/api/v2{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        return answer


@dataclass(frozen=True)
class Prefect:
    """Prefect's API; `auth` is `user:password`, or empty on a server that asks for none."""

    address: str
    auth: str = ""

    @property
    def encoded(self) -> str:
        """What Prefect's UI keeps in its local storage after a login."""
        return base64.b64encode(self.auth.encode()).decode()

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """Read from the API, whose filters are POSTs."""
        headers = {"Authorization": f"Basic {self.encoded}"} if self.auth else {}
        return _ask("POST", f"{self.address}/api{path}", json=body, headers=headers)


def _ask(method: str, address: str, **more: Any) -> Any:
    try:
        return httpx.request(method, address, timeout=30, **more).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise ScreenshotError(
            f"no answer as expected: {error}", where=address, fix="start the stack by `./bakeoff up`, then try again"
        ) from error
