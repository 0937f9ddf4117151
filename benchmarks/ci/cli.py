"""The command that counts what CI of each tool takes, and runs a tool's workflow on this machine."""

from __future__ import annotations

import contextlib
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from benchmarks import results
from benchmarks.ci import counts, show
from benchmarks.ci.pipelines import Part
from benchmarks.places import RESULTS
from benchmarks.stack_cli import ToolName
from shared.errors import ConfigError

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def bench_ci(
    tool: Annotated[
        list[ToolName] | None, typer.Option(help="Only this one; give it once for each. By default all, and the core.")
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Run the GitHub workflow of one tool here, in a clean checkout of HEAD.")
    ] = False,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="Change one tool's pipeline, check, merge, deploy and roll it back.")
    ] = False,
    cold_only: Annotated[bool, typer.Option("--cold-only", help="With --run: not a second time.")] = False,
    production: Annotated[
        bool, typer.Option("--production", help="With --run: the jobs of production too, on a stack of their own.")
    ] = False,
    host: Annotated[str, typer.Option(help="kubeflow, where something is run: the server to deploy to.")] = "",
    registry: Annotated[
        str, typer.Option(help="With --host: where the image is pushed to, as the setting REGISTRY.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the checkout and the logs of what was run.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results.")] = False,
) -> None:
    """CI on GitHub Actions and GitLab, counted from the files: jobs, steps, lines, and what has to be there first.

    With --run, the lines of one tool's workflow are run on this machine instead, and each step is timed; with
    --pull-request, for a change from its branch to the tool's server, and back.
    """
    tools = [Part(each) for each in tool or ()]
    if pull_request:
        if run or cold_only or production:
            where, fix = "--run, --cold-only, --production", "leave it out"
            raise ConfigError("a pull request is run cold, and to staging", where=where, fix=fix)
        _pull_request(tools, host, registry, keep, json, save)
    if run:
        _run(tools, cold_only, production, host, registry, keep, json, save)
    if any((cold_only, production, host, registry, keep)):
        where = "--cold-only, --production, --host, --registry, --keep"
        raise ConfigError("these options are for a run", where=where, fix="add --run, or leave them out")
    result = counts.measure(tools or list(Part))
    if save:
        results.write(result, RESULTS / "ci.json")
    if json:
        print(result.model_dump_json(indent=2))
    else:
        out.print(show.table(result.counts))


def _run(
    tools: list[Part], cold_only: bool, production: bool, host: str, registry: str, keep: bool, json: bool, save: bool
) -> NoReturn:
    from benchmarks.ci import records, show_run
    from benchmarks.ci import run as runs
    from benchmarks.ci.local import Asked

    asked = Asked(_one(tools), production=production, host=host, registry=registry)
    kinds = records.KINDS[:1] if cold_only else records.KINDS
    err.print(runs.estimate(asked.tool, kinds, records.read()), highlight=False, soft_wrap=True)
    done = []
    with contextlib.closing(runs.measure(asked, kinds, err, keep=keep)) as going:  # it takes down what it has started
        for each in going:
            done.append(each)
            if save:
                results.write(records.merged(records.read(), done), records.FILE)
    if json:
        print(records.CiRuns(runs=tuple(done)).model_dump_json(indent=2))
    else:
        out.print(show_run.table(done))
        for line in show_run.failures(done):
            out.print(line, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if all(each.passed for each in done) else 1)


def _pull_request(tools: list[Part], host: str, registry: str, keep: bool, json: bool, save: bool) -> NoReturn:
    from benchmarks.ci import pull_request, records, show_pull_request
    from benchmarks.ci.local import Asked

    asked = Asked(_one(tools), host=host, registry=registry)
    done = pull_request.measure(asked, err, keep=keep)
    if save:
        results.write(records.with_pull_request(records.read_pull_requests(), done), records.PULL_REQUESTS)
    if json:
        print(done.model_dump_json(indent=2))
    else:
        out.print(show_pull_request.table(done))
        for line in show_pull_request.problems(done):
            out.print(line, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if done.passed else 1)


def _one(tools: list[Part]) -> Part:
    if len(tools) != 1:
        raise ConfigError("one workflow is run at a time", where="--tool", fix="name one tool")
    return tools[0]
