"""The commands about the stacks of containers: the tools' real servers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.kind import cli as kind_cli
from benchmarks.places import ROOT
from shared.errors import ConfigError


class ComposeTool(StrEnum):
    """The tools with a stack of containers, as `benchmarks.stacks.stack.Tool`, which takes longer to import."""

    AIRFLOW = "airflow"
    PREFECT = "prefect"


class ToolName(StrEnum):
    """The tools that have servers of their own."""

    AIRFLOW = "airflow"
    PREFECT = "prefect"
    KUBEFLOW = "kubeflow"


class ToolOrAll(StrEnum):
    """One or all."""

    AIRFLOW = "airflow"
    PREFECT = "prefect"
    KUBEFLOW = "kubeflow"
    ALL = "all"


EnvFile = Annotated[
    Path, typer.Option("--env-file", help="Prefix, ports and secrets; `up` makes it.", show_default="compose/.env")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Context = Annotated[
    str | None, typer.Option(help="kubeflow: a context of kubectl, for a cluster that is there instead of Kind's.")
]
Kubeconfig = Annotated[Path | None, typer.Option(help="kubeflow: the file that knows the context.")]
DEFAULT = ROOT / "compose" / ".env"

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to


def up(
    tool: Annotated[ToolName, typer.Argument(help="Whose stack.")],
    celery: Annotated[bool, typer.Option(help="Airflow with Redis and Celery workers.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=16, help="How many: of Celery's, by default 2, or Prefect's, by default 1.")
    ] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    image: Annotated[str | None, typer.Option(help="kubeflow, with --context: what the steps' pods run.")] = None,
    mlflow_image: Annotated[str | None, typer.Option(help="kubeflow, with --context: what MLflow runs.")] = None,
    env_file: EnvFile = DEFAULT,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print no addresses and passwords, as CI wants it; progress is shown.")
    ] = False,
    json: Json = False,
) -> None:
    """Build and start a tool's real servers, in containers or on a Kind cluster, and wait until they are healthy."""
    if quiet and json:
        fix = "leave one of them out"
        raise ConfigError("what prints nothing prints no JSON", where="--quiet, --json", fix=fix)
    if tool is ToolName.KUBEFLOW:
        if celery or workers:
            fix = "leave it out: it is for airflow and prefect"
            raise ConfigError("kubeflow has no such workers", where="--celery, --workers", fix=fix)
        kind_cli.up(env_file, context, kubeconfig, image, mlflow_image, err, json=json, quiet=quiet)
        return
    _for_clusters_only(context, kubeconfig, image, mlflow_image)
    from benchmarks.stacks import lifecycle
    from benchmarks.stacks.stack import STACKS, Tool

    done = lifecycle.up(Tool(tool), env_file.absolute(), err, celery=celery, workers=workers)
    if quiet:
        return
    if json:
        _print_json(done.json_dict())
        return
    title = STACKS[done.tool].title
    _say(f"{title:8} {done.url}  user {done.user}, password {done.password}")
    _say(f"{'MLflow':8} {done.mlflow_url}  user {done.mlflow_user}, password {done.mlflow_password}")
    other = "" if env_file == DEFAULT else f" --env-file {env_file}"
    _say(f"next: ./bakeoff retrain --on {tool} --stack compose --month 2013-03{other}")


def down(
    tool: Annotated[ToolOrAll, typer.Argument(help="Whose stack.")],
    volumes: Annotated[bool, typer.Option("--volumes", help="And all that its databases and stores hold.")] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    env_file: EnvFile = DEFAULT,
) -> None:
    """Remove the containers of a stack; what they have stored is kept, unless --volumes is given.

    A Kind cluster is deleted with all that it holds. Of a cluster that was there before, only what is ours is removed.
    """
    if tool is not ToolOrAll.KUBEFLOW:
        _for_clusters_only(context, kubeconfig)
        from benchmarks.stacks import lifecycle
        from benchmarks.stacks.stack import Tool

        for each in list(Tool) if tool is ToolOrAll.ALL else [Tool(tool)]:
            _say(lifecycle.down(each, env_file.absolute(), err, volumes=volumes))
    if tool is ToolOrAll.KUBEFLOW or (tool is ToolOrAll.ALL and kind_cli.is_there(env_file)):
        _say(kind_cli.down(env_file, context, kubeconfig, err, volumes=volumes))


def status(
    tool: Annotated[ToolName | None, typer.Argument(help="Whose stack; all by default.")] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    env_file: EnvFile = DEFAULT,
    json: Json = False,
) -> None:
    """Show the services of the stacks, and what the tools say of their own health; ends with 1 if it is not good."""
    from benchmarks.stacks import report
    from benchmarks.stacks.stack import Tool

    of_kind = []
    if tool is ToolName.KUBEFLOW or (tool is None and kind_cli.is_there(env_file)):
        of_kind = [kind_cli.status(env_file, context, kubeconfig)]
    else:
        _for_clusters_only(context, kubeconfig)
    tools = [] if tool is ToolName.KUBEFLOW else [Tool(tool)] if tool else list(Tool)
    found = [report.status(each, env_file.absolute()) for each in tools]
    if json:
        _print_json({"stacks": [each.json_dict() for each in found] + [each.json_dict() for each in of_kind]})
    for each in [] if json else found:
        state = "healthy" if each.healthy else "up, but not healthy" if each.up else "not up"
        _say(f"{each.project}: {state}")
        if each.up:
            out.print(report.table(each))
        for reason in each.reasons:
            _say(f"amiss: {reason}")
    for cluster in [] if json else of_kind:
        for line in kind_cli.lines(cluster):
            out.print(line, soft_wrap=True, highlight=False, markup=False)
    states = [(each.up, each.healthy) for each in found] + [(each.up, each.healthy) for each in of_kind]
    raise typer.Exit(0 if all(healthy or not (up or tool) for up, healthy in states) else 1)


def logs(
    tool: Annotated[ToolName, typer.Argument(help="Whose stack.")],
    service: Annotated[str | None, typer.Argument(help="Which service; all by default.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Only that many lines of each.")] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    env_file: EnvFile = DEFAULT,
) -> None:
    """Show what the services of a stack have logged."""
    if tool is ToolName.KUBEFLOW:
        raise typer.Exit(kind_cli.logs(env_file, context, kubeconfig, service, follow=follow, tail=tail))
    _for_clusters_only(context, kubeconfig)
    from benchmarks.stacks import report
    from benchmarks.stacks.stack import Tool

    raise typer.Exit(report.logs(Tool(tool), env_file.absolute(), service, follow=follow, tail=tail))


def doctor(
    tool: Annotated[ToolName | None, typer.Argument(help="Whose needs are checked; the stacks' by default.")] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    env_file: EnvFile = DEFAULT,
    json: Json = False,
) -> None:
    """Check what the stacks need: engine, memory, CPUs, disk, env file, ports; ends with 1 if any is missing.

    Without a tool, kind and kubectl are told too, but only Kubeflow needs them.
    """
    from benchmarks.stacks import doctor
    from benchmarks.stacks.stack import Tool

    if tool is ToolName.KUBEFLOW:
        found = kind_cli.checks(env_file, context, kubeconfig)
    else:
        _for_clusters_only(context, kubeconfig)
        found = list(doctor.checks([Tool(tool)] if tool else list(Tool), env_file.absolute()))
        found += [] if tool else kind_cli.information()
    ok = all(check.ok for check in found)
    if json:
        _print_json({"ok": ok, "checks": [check.json_dict() for check in found]})
    else:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        for check in found:
            table.add_row("[green]ok[/green]" if check.ok else "[red]no[/red]", check.name, check.found)
            if not check.ok:
                table.add_row("", "", f"[bold]What to do:[/bold] {check.fix}")
        out.print(table, highlight=False)
    raise typer.Exit(0 if ok else 1)


def bench_stacks(
    tools: Annotated[list[ComposeTool] | None, typer.Argument(help="Whose stacks; both by default.")] = None,
    celery: Annotated[bool, typer.Option(help="Airflow with Redis and two Celery workers.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Warm starts.")] = 3,
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Give up what the stacks hold, so that a first start can be measured.")
    ] = False,
    env_file: EnvFile = DEFAULT,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results, for the documents.")] = False,
) -> None:
    """The stacks of containers: seconds until healthy, MB of images, memory and CPU while idle; takes them down."""
    from benchmarks import results, stack_cost
    from benchmarks.places import RESULTS
    from benchmarks.stacks.stack import Tool

    chosen = [Tool(tool) for tool in tools or ([ComposeTool.AIRFLOW] if celery else ComposeTool)]
    minutes = stack_cost.estimate_s(len(chosen), repeats) / 60
    err.print(f"about {minutes:.0f} minutes, and more where images have to be built", highlight=False)
    done = stack_cost.measure(chosen, env_file.absolute(), err, celery=celery, repeats=repeats, volumes=volumes)
    if save:
        path = RESULTS / "stacks.json"
        results.write(stack_cost.merged(stack_cost.read(path), done), path)
    print(done.model_dump_json(indent=2))
    failed = [each for each in done.stacks if each.error or any(start.error for start in [*each.warm, *each.again])]
    raise typer.Exit(1 if failed else 0)


def _for_clusters_only(*given: object) -> None:
    if any(given):
        where, fix = "--context, --kubeconfig, --image, --mlflow-image", "leave them out, or say kubeflow"
        raise ConfigError("these options are for a cluster, which this stack has none of", where=where, fix=fix)


def _say(line: str) -> None:
    out.print(line, soft_wrap=True, highlight=False, markup=False)


def _print_json(value: Any) -> None:
    import json as library

    print(library.dumps(value, indent=2))


COMMANDS = (up, down, status, logs, doctor)
