"""A tool's pipeline as its files have it, in the same words for both systems."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from benchmarks.places import ROOT
from shared.errors import ConfigError


class System(StrEnum):
    """The two CI systems."""

    GITHUB = "github"
    GITLAB = "gitlab"


class Part(StrEnum):
    """The tools, and what belongs to none of them alone."""

    CORE = "core"
    PREFECT = "prefect"
    AIRFLOW = "airflow"
    KUBEFLOW = "kubeflow"


TITLES = {System.GITHUB: "GitHub Actions", System.GITLAB: "GitLab"}
#: Shared by all pipelines of GitLab; GitHub has no such file.
GITLAB_ROOT = ".gitlab-ci.yml"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Record):
    """One step: of GitHub's `steps`, or one entry of GitLab's scripts."""

    name: str
    #: An action, as `owner/name@ref`; it has no commands.
    uses: str = ""
    commands: tuple[str, ...] = ()


class Job(_Record):
    """One job."""

    name: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    runner: str
    #: A runner that somebody has to bring, not one of the system's.
    own_runner: bool
    environment: str = ""
    #: Containers that run beside it.
    services: tuple[str, ...] = ()
    #: Values that somebody has to set in the system before the job can run.
    secrets: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """Of all its steps."""
        return tuple(command for step in self.steps for command in step.commands)


class Pipeline(_Record):
    """What one part's files on one system say."""

    part: Part
    system: System
    files: tuple[str, ...]
    #: Neither blank nor only a comment.
    lines: int
    #: What it runs for, and how many lines say so.
    paths: tuple[str, ...]
    path_lines: int
    jobs: tuple[Job, ...]
    #: Code of others that it takes: actions, or what GitLab includes from elsewhere.
    others: tuple[str, ...] = ()


def files(part: Part, system: System) -> tuple[str, ...]:
    """The files of one part on one system."""
    if system is System.GITHUB:
        return (f".github/workflows/{part}.yml",)
    own = f".gitlab/ci/{part}.yml"
    return (GITLAB_ROOT, own) if part is Part.CORE else (own,)


def read(path: str, root: Path = ROOT) -> tuple[dict[Any, Any], str]:
    """A file's content, parsed and as text.

    Raises:
        ConfigError: there is no such file, or it is no YAML mapping.
    """
    try:
        text = (root / path).read_text()
        content = yaml.safe_load(text)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"it cannot be read: {error}", where=path, fix="restore or correct it") from error
    if not isinstance(content, dict):
        raise ConfigError("it holds no mapping", where=path, fix="restore or correct it")
    return content, text


def lines(text: str) -> int:
    """Lines that are neither blank nor only a comment."""
    stripped = (line.strip() for line in text.splitlines())
    return sum(1 for line in stripped if line and not line.startswith("#"))


def commands(script: str) -> tuple[str, ...]:
    """The commands of a script, one a line; a line that ends with a backslash goes on."""
    joined = script.replace("\\\n", " ").splitlines()
    return tuple(" ".join(line.split()) for line in joined if line.strip() and not line.lstrip().startswith("#"))


def as_list(value: Any) -> list[Any]:
    """What may be written as one thing or as a list of it."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def strings(value: Any) -> list[str]:
    """All strings in a piece of YAML, keys left out."""
    if isinstance(value, dict):
        return [found for each in value.values() for found in strings(each)]
    if isinstance(value, list):
        return [found for each in value for found in strings(each)]
    return [value] if isinstance(value, str) else []
