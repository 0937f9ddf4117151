"""Read a pipeline of GitLab: the jobs of one part's file, with all that they extend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from benchmarks.ci import pipelines
from benchmarks.ci.pipelines import GITLAB_ROOT, Job, Part, Pipeline, Step, System, as_list, strings
from benchmarks.places import ROOT
from shared.errors import ConfigError

#: Keys of a file that are no jobs.
_KEYWORDS = {"default", "include", "spec", "stages", "variables", "workflow", "image", "services", "cache"}
_SCRIPTS = ("before_script", "script", "after_script")
_USED = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)")
_MADE = re.compile(r"\b([A-Z][A-Z0-9_]*)=")
#: Known to every shell, or given by GitLab to every job.
_GIVEN = re.compile(r"(PATH|PWD|HOME|CI|(CI|GITLAB|FF)_.*)$")
#: GitLab tells a secret from another variable in its settings only ("masked"): here it is told by its name.
_SECRET = re.compile(r".*(PASSWORD|TOKEN|SECRET|KEY|AUTH_STRING)$")

Yaml = dict[str, Any]


def read(part: Part, root: Path = ROOT) -> Pipeline:
    """Read one part's jobs.

    Raises:
        ConfigError: a file is missing or no YAML, or a job extends one that there is not.
    """
    common, _ = pipelines.read(GITLAB_ROOT, root)
    own = {path: pipelines.read(path, root) for path in pipelines.files(part, System.GITLAB)}
    content: Yaml = {**common}
    for each, _ in own.values():
        content |= each
    names = [name for each, _ in own.values() for name in each if name not in _KEYWORDS and not name.startswith(".")]
    resolved = {name: resolve(content, name) for name in names}
    made = {name for job in resolved.values() for script in strings(job) for name in _MADE.findall(script)}
    paths = tuple(dict.fromkeys(path for job in resolved.values() for path in changes(job)))
    return Pipeline(
        part=part,
        system=System.GITLAB,
        files=tuple(own),
        lines=sum(pipelines.lines(text) for _, text in own.values()),
        paths=paths,
        path_lines=len(paths),  # written once, and repeated by an anchor
        jobs=tuple(_job(name, job, {**common.get("variables", {})}.keys() | made) for name, job in resolved.items()),
        others=tuple(sorted({other for each, _ in own.values() for other in _others(each)})),
    )


def resolve(content: Yaml, name: str, *after: str) -> Yaml:
    """A job with the defaults and all that it extends: mappings are merged, all else is replaced.

    Raises:
        ConfigError: it extends one that there is not, or itself.
    """
    if name not in content or name in after:
        fix = "correct `extends`"
        raise ConfigError(f"there is no {name} to extend", where=" > ".join(after) or GITLAB_ROOT, fix=fix)
    job: Yaml = {} if after else {**content.get("default", {})}
    for base in as_list(content[name].get("extends")):
        job = _merged(job, resolve(content, base, *after, name))
    return {key: value for key, value in _merged(job, content[name]).items() if key != "extends"}


def changes(job: Yaml) -> list[str]:
    """The paths that its rules ask for."""
    asked = [rule["changes"] for rule in as_list(job.get("rules")) if isinstance(rule, dict) and "changes" in rule]
    return [path for each in asked for path in as_list(each["paths"] if isinstance(each, dict) else each)]


def _merged(base: Yaml, over: Yaml) -> Yaml:
    both = {**base}
    for key, value in over.items():
        there = both.get(key)
        both[key] = _merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return both


def _others(content: Yaml) -> list[str]:
    """What comes from elsewhere; `local` is this repository."""
    included = [each for each in as_list(content.get("include")) if isinstance(each, dict)]
    kinds = ("component", "project", "remote", "template")
    return [str(each[kind]) for each in included for kind in kinds if kind in each]


def _job(name: str, job: Yaml, known: set[str]) -> Job:
    tags = as_list(job.get("tags"))
    environment = job.get("environment") or ""
    used = {found for each in strings(job) for found in _USED.findall(each)}
    asked = sorted(each for each in used - known - {*job.get("variables", {})} if not _GIVEN.match(each))
    return Job(
        name=name,
        steps=tuple(_step(each) for key in _SCRIPTS for each in as_list(job.get(key))),
        needs=tuple(each["job"] if isinstance(each, dict) else each for each in as_list(job.get("needs"))),
        runner=" ".join(tags) or "GitLab's",
        own_runner=bool(tags),
        environment=environment if isinstance(environment, str) else environment["name"],
        services=tuple(each["name"] if isinstance(each, dict) else each for each in as_list(job.get("services"))),
        secrets=tuple(each for each in asked if _SECRET.match(each)),
        settings=tuple(each for each in asked if not _SECRET.match(each)),
    )


def _step(script: str) -> Step:
    commands = pipelines.commands(script)
    return Step(name=commands[0] if commands else "nothing", commands=commands)
