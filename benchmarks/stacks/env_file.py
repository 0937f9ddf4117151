"""The env file of the stacks: made once with random secrets, read the way compose does, checked before work starts."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from benchmarks import processes
from benchmarks.places import ROOT
from benchmarks.stacks.engine import StackError

EXAMPLE = ROOT / "compose" / ".env.example"
DEFAULT = ROOT / "compose" / ".env"
MIN_SECRET = 16
MADE_BY = "# Made by ./bakeoff up, with random secrets. It stays out of git; keep it as long as the stacks' volumes.\n"

_PORTS = range(1024, 65536)
_PORT = re.compile(r"(?m)^(\w+_PORT)=.*$")
_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]*")
#: Secrets stand in addresses of databases and pass through compose: nothing that either would read as syntax.
_SAFE = re.compile(r"[A-Za-z0-9._~=-]+")
_PLACEHOLDER = re.compile(r"(change|replace|your|example|insert|my|secret|password|default)[-_.]?[a-z-_.]*", re.I)


@dataclass(frozen=True)
class EnvFile:
    """What an env file says, checked."""

    path: Path
    values: dict[str, str]

    @property
    def prefix(self) -> str:
        """Prefix of the compose projects."""
        return self.values["STACK"]

    def port(self, name: str) -> int:
        """One of the ports."""
        return int(self.values[name])


def make(path: Path = DEFAULT, example: Path = EXAMPLE) -> bool:
    """Write the env file with random secrets where there is none; one that exists is never touched.

    Returns:
        Was it made?

    Raises:
        StackError: it cannot be written.
    """
    if path.exists():
        return False
    text = _filled(example.read_text())
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".env-")  # mode 600 from the start
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        os.link(temporary, path)  # whole or not at all, and never over one that was made meanwhile
    except FileExistsError:
        return False
    except OSError as error:
        raise StackError(
            f"the env file cannot be written: {error.strerror}",
            where=str(path),
            fix="correct the folder's permissions, or name another file with --env-file",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    return True


def make_another(path: Path, prefix: str, **more: str) -> EnvFile:
    """Write an env file for a second set of stacks, on ports that are free now.

    Args:
        path: the file, which is not there yet.
        prefix: of the compose projects.
        more: further variables.

    Raises:
        StackError: it cannot be written.
    """
    make(path)
    text = re.sub(r"(?m)^STACK=.*$", f"STACK={prefix}", path.read_text())
    ports: set[int] = set()
    while len(ports) < len(_PORT.findall(text)):
        ports.add(processes.free_port())
    text = _PORT.sub(lambda found: f"{found[1]}={ports.pop()}", text)
    path.write_text(text + "".join(f"{name}={value}\n" for name, value in more.items()))
    return read(path)


def read(path: Path = DEFAULT, example: Path = EXAMPLE) -> EnvFile:
    """Read an env file and see that every variable of the example has a usable value.

    Raises:
        StackError: naming the variable and the remedy.
    """
    pattern = _parse(example)
    if not path.exists():
        raise StackError("there is no env file", where=str(path), fix="`./bakeoff up airflow` (or prefect) makes it")
    values = _parse(path)
    for name, default in pattern.items():
        if name not in values:
            remedy = f"add the line {name}={default}" if default else f"add a line {name}={_secret(name)}"
            raise StackError(f"{name} is missing", where=str(path), fix=f"{remedy} (it is never changed for you)")
        if not values[name]:
            remedy = default or f"such as {_secret(name)}"
            raise StackError(f"{name} is empty", where=f"{name} in {path}", fix=f"give it a value, {remedy}")
    _check_prefix(path, values["STACK"])
    _check_ports(path, {name: values[name] for name in pattern if name.endswith("_PORT")})
    for name in secret_names(example):
        _check_secret(path, name, values[name])
    return EnvFile(path.absolute(), values)


def of_example(example: Path = EXAMPLE) -> EnvFile:
    """What a file that is made now would say, but for its secrets."""
    return EnvFile(DEFAULT, _parse(example))


def read_one(name: str, path: Path = DEFAULT, example: Path = EXAMPLE) -> str:
    """One value, from a file that may lack others; where the default file is not made yet, the example's.

    Raises:
        StackError: there is no such file or no such value in it.
    """
    if not path.exists() and path.absolute() != DEFAULT:
        raise StackError("there is no env file", where=str(path), fix="name the one that the stack was made with")
    value = _parse(path if path.exists() else example).get(name, "")
    if not value:
        raise StackError(f"{name} is missing", where=str(path), fix=f"add the line {name}={_parse(example)[name]}")
    return value


def secret_names(example: Path = EXAMPLE) -> list[str]:
    """The variables that are secrets: the ones that the example leaves empty."""
    return [name for name, value in _parse(example).items() if not value]


def _parse(path: Path) -> dict[str, str]:
    try:
        found = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise StackError(
            f"the env file cannot be read: {reason}", where=str(path), fix="correct it, or name another with --env-file"
        ) from error
    return {name: value or "" for name, value in found.items()}


def _filled(text: str) -> str:
    """The example's text with a random secret behind every `NAME=` that has no value."""
    empty = re.compile(r"^([A-Z][A-Z0-9_]*)=[ \t]*$", re.M)
    return MADE_BY + empty.sub(lambda found: f"{found[1]}={_secret(found[1])}", text)


def _secret(name: str) -> str:
    if name.endswith("FERNET_KEY"):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    token = secrets.token_urlsafe(24)
    while _PLACEHOLDER.fullmatch(token):  # one of letters alone may begin like one, such as My
        token = secrets.token_urlsafe(24)
    return f"admin:{token}" if name.endswith("AUTH_STRING") else token


def _check_prefix(path: Path, prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        raise StackError(
            f"STACK={prefix} cannot be the prefix of a compose project",
            where=f"STACK in {path}",
            fix="use lower-case letters, digits and dashes, such as bakeoff",
        )


def _check_ports(path: Path, ports: dict[str, str]) -> None:
    owners: dict[int, str] = {}
    for name, value in ports.items():
        if not re.fullmatch(r"[0-9]+", value) or int(value) not in _PORTS:
            raise StackError(
                f"{name}={value} is not a port",
                where=f"{name} in {path}",
                fix=f"use a number from {_PORTS.start} to {_PORTS.stop - 1}",
            )
        if int(value) in owners:
            raise StackError(
                f"{name} and {owners[int(value)]} are both {value}",
                where=f"{name} in {path}",
                fix="give each a port of its own: both stacks can be up at once",
            )
        owners[int(value)] = name


def _check_secret(path: Path, name: str, value: str) -> None:
    user, colon, password = value.partition(":")
    if name.endswith("AUTH_STRING"):
        if not (user and colon and password):
            raise _bad_secret(path, name, "is not of the form user:password")
        value = password
    if not _SAFE.fullmatch(value):
        raise _bad_secret(path, name, "has characters other than letters, digits and . _ ~ = -")
    if _PLACEHOLDER.fullmatch(value):
        raise _bad_secret(path, name, "is a placeholder, not a secret")
    if len(value) < MIN_SECRET:
        raise _bad_secret(path, name, f"is shorter than {MIN_SECRET} characters")
    if name.endswith("FERNET_KEY") and not _is_fernet_key(value):
        raise _bad_secret(path, name, "is not the URL-safe base64 of 32 bytes")


def _is_fernet_key(value: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(value)) == 32
    except ValueError:
        return False


def _bad_secret(path: Path, name: str, what: str) -> StackError:
    return StackError(
        f"{name} {what}", where=f"{name} in {path}", fix=f"give it a random value, such as {_secret(name)}"
    )
