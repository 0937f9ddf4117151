"""Read a workflow of GitHub Actions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from benchmarks.ci import pipelines
from benchmarks.ci.pipelines import Job, Part, Pipeline, Step, System, as_list, strings
from benchmarks.places import ROOT

_NAMED = re.compile(r"\b(vars|secrets)\.([A-Za-z_][A-Za-z0-9_]*)")
#: GitHub makes it for each job.
_GIVEN = {"GITHUB_TOKEN"}


def read(part: Part, root: Path = ROOT) -> Pipeline:
    """Read one part's workflow.

    Raises:
        ConfigError: there is no such file, or it is no YAML.
    """
    [path] = pipelines.files(part, System.GITHUB)
    content, text = pipelines.read(path, root)
    paths = [path for event in events(content).values() for path in as_list(event.get("paths"))]
    jobs = tuple(_job(name, job, content.get("env")) for name, job in content["jobs"].items())
    return Pipeline(
        part=part,
        system=System.GITHUB,
        files=(path,),
        lines=pipelines.lines(text),
        paths=tuple(dict.fromkeys(paths)),
        path_lines=len(paths),
        jobs=jobs,
        others=tuple(sorted({step.uses.partition("@")[0] for job in jobs for step in job.steps if step.uses})),
    )


def events(content: dict[Any, Any]) -> dict[str, dict[str, Any]]:
    """What starts it, but for schedules; YAML 1.1 takes the key `on` for true."""
    told = content.get("on", content.get(True))
    given = told if isinstance(told, dict) else dict.fromkeys(as_list(told))
    return {name: event or {} for name, event in given.items() if name != "schedule"}


def _job(name: str, job: dict[str, Any], env: Any) -> Job:
    runner = " ".join(as_list(job.get("runs-on"))) or "of the workflow that it calls"
    environment = job.get("environment") or ""
    named = {*_NAMED.findall("\n".join(strings([job, env])))}
    return Job(
        name=name,
        steps=tuple(_step(step) for step in job.get("steps", [])) or (Step(name=name, uses=job["uses"]),),
        needs=tuple(as_list(job.get("needs"))),
        runner=runner,
        own_runner="self-hosted" in runner or "vars." in runner,
        environment=environment if isinstance(environment, str) else environment["name"],
        services=tuple(job.get("services", {})),
        secrets=tuple(sorted(name for kind, name in named if kind == "secrets" and name not in _GIVEN)),
        settings=tuple(sorted(name for kind, name in named if kind == "vars")),
    )


def _step(step: dict[str, Any]) -> Step:
    uses, run = step.get("uses", ""), step.get("run", "")
    return Step(name=step.get("name") or uses or run.strip(), uses=uses, commands=pipelines.commands(run))
