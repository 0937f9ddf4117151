"""What a pipeline takes: counted, and each claim with the lines of the file that it comes from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks import results
from benchmarks.ci import github, gitlab
from benchmarks.ci.pipelines import Job, Part, Pipeline, System
from benchmarks.places import ROOT

#: Commands that build an image.
BUILDS = re.compile(
    r"\bdocker (buildx )?build\b|\bdocker compose\b.* (build|up)\b|\./bakeoff (build|up) |\bmake (up-\w+|test-stacks)\b"
)
#: Commands that talk to a container engine.
DOCKER = re.compile(BUILDS.pattern + r"|\bdocker\b|--stack compose\b|\./bakeoff (arrive|down|logs|status) ")
#: Settings that hold the address of a server, which has to be there before the job.
ADDRESS = re.compile(r".*_(URL|HOST)$")
#: Owners of actions that are GitHub itself.
_FIRST_PARTY = ("actions", "github")


class Count(BaseModel):
    """One part on one system."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: Part
    system: System
    files: tuple[str, ...]
    #: Neither blank nor only a comment.
    lines: int
    #: Of these, entries of path filters.
    path_lines: int
    jobs: int
    steps: int
    #: Lines that a shell runs.
    commands: int
    #: Code of others: actions, or what GitLab includes from elsewhere; those of GitHub itself among them.
    actions: tuple[str, ...]
    third_party: tuple[str, ...]
    #: `job: command`.
    image_builds: tuple[str, ...]
    #: Jobs that need a container engine.
    docker: tuple[str, ...]
    #: Jobs that need a server or cluster that is there already, and the settings that hold its address.
    servers: tuple[str, ...]
    #: Jobs that need a runner which somebody has to bring.
    own_runners: tuple[str, ...]
    #: Names of what somebody has to set in the system: secret, and not.
    secrets: tuple[str, ...]
    settings: tuple[str, ...]


class CiResult(BaseModel):
    """The result file of `bakeoff bench ci`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal["ci"] = "ci"
    environment: results.Environment
    counts: tuple[Count, ...]


def read(part: Part, system: System, root: Path = ROOT) -> Pipeline:
    """Read one part's files on one system."""
    return github.read(part, root) if system is System.GITHUB else gitlab.read(part, root)


def count(pipeline: Pipeline) -> Count:
    """Count one pipeline."""
    jobs = pipeline.jobs
    return Count(
        part=pipeline.part,
        system=pipeline.system,
        files=pipeline.files,
        lines=pipeline.lines,
        path_lines=pipeline.path_lines,
        jobs=len(jobs),
        steps=sum(len(job.steps) for job in jobs),
        commands=sum(len(job.commands) for job in jobs),
        actions=pipeline.others,
        third_party=tuple(each for each in pipeline.others if each.partition("/")[0] not in _FIRST_PARTY),
        image_builds=tuple(f"{job.name}: {line}" for job in jobs for line in job.commands if BUILDS.search(line)),
        docker=tuple(job.name for job in jobs if _needs_docker(job)),
        servers=tuple(f"{job.name}: {', '.join(found)}" for job in jobs if (found := _addresses(job))),
        own_runners=tuple(job.name for job in jobs if job.own_runner),
        secrets=tuple(sorted({name for job in jobs for name in job.secrets})),
        settings=tuple(sorted({name for job in jobs for name in job.settings})),
    )


def measure(parts: list[Part], root: Path = ROOT) -> CiResult:
    """Count parts on both systems."""
    counted = [count(read(part, system, root)) for part in parts for system in System]
    return CiResult(environment=results.environment(), counts=tuple(counted))


def _needs_docker(job: Job) -> bool:
    return bool(job.services) or any(DOCKER.search(line) for line in job.commands)


def _addresses(job: Job) -> list[str]:
    return [name for name in job.settings if ADDRESS.match(name)]
