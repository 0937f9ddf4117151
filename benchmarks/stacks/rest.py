"""One HTTP API: a call gives JSON, or says whether asking again can help."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import httpx

from shared.errors import BakeoffError

#: A server that is busy with the retraining may take its time.
TIMEOUT_S = 15.0


class Silent(BakeoffError):
    """The server does not answer, or says that it cannot now: it may come back."""

    transient = True


class Refused(BakeoffError):
    """The server has understood and says no: asking again would not help."""

    def __init__(self, what: str, *, where: str, fix: str, status: int = 0) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


class Rest:
    """Calls one server.

    Args:
        name: for messages, such as `airflow`.
        address: such as `http://127.0.0.1:8080`.
        auth: user and password of basic authentication, where the server takes that.
        up: the command that starts the server, for messages.
    """

    def __init__(self, name: str, address: str, *, up: str, auth: tuple[str, str] | None = None) -> None:
        self.name, self.address, self._up = name, address, up
        # The user's proxy and certificates are for servers elsewhere.
        away = not is_this_machine(address)
        self.client = httpx.Client(base_url=address, timeout=TIMEOUT_S, auth=auth, trust_env=away)

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Call the API.

        Raises:
            Silent: no answer, or a failure of the server's own (5xx).
            Refused: the server says no (4xx).
        """
        try:
            answer = self.client.request(method, path, **more)
            # 429 and 408 are the server's way to say later.
            if answer.is_client_error and answer.status_code not in (408, 429):
                raise self._refusal(answer)
            answer.raise_for_status()
            return None if answer.status_code == 204 else answer.json()
        except (httpx.HTTPError, ValueError) as error:  # no answer, or not JSON
            raise Silent(
                f"{self.name} does not answer: {_brief(error)}",
                where=self.address,
                fix=f"see that the stack is up (`{self._up}`), then run again",
            ) from error

    def _refusal(self, answer: httpx.Response) -> Refused:
        said = answer.text[:300].strip()
        if answer.status_code in (401, 403):
            return Refused(
                f"{self.name} refuses the password of the env file",
                where=f"{self.address}{answer.request.url.path}",
                fix="give the env file that the stack was started with (--env-file), or start the stack anew with it",
                status=answer.status_code,
            )
        return Refused(
            f"{self.name} refuses the request ({answer.status_code}): {said}",
            where=f"{self.address}{answer.request.url.path}",
            fix=f"see that this checkout's code is deployed (`{self._up}`)",
            status=answer.status_code,
        )

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


def is_this_machine(address: str) -> bool:
    """Does an address mean whatever machine it is used on?"""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _brief(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    return str(error) or type(error).__name__
