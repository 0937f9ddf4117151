"""The command that lets a month of data arrive."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from benchmarks import model_cli
from benchmarks.model_cli import EnvFile, Json
from benchmarks.stack_cli import ComposeTool
from shared import datasets


def arrive(
    month: Annotated[str, typer.Argument(help="The month (or other window) that arrives.")],
    on: Annotated[ComposeTool, typer.Option(help="Whose compose stack receives it.")],
    model: Annotated[str | None, typer.Option(help="Name of the registered model, if not the data set's own.")] = None,
    of: Annotated[str, typer.Option("--dataset", help=f"Which data set: {' or '.join(datasets.names())}.")] = (
        datasets.DEFAULT
    ),
    env_file: EnvFile = None,
    json: Json = False,
) -> None:
    """Let a month of data arrive at a running stack: the retraining then starts by itself."""
    from benchmarks import arrivals
    from benchmarks.places import ArmName
    from benchmarks.stacks.settings import settings as stack_settings

    settings: dict[str, Any] = {"dataset": of} if of != datasets.DEFAULT else {}
    settings |= {"model_name": model} if model else {}
    config = arrivals.check(month, settings)
    name = ArmName(on.value)
    done = arrivals.arrive(name, stack_settings(name, env_file), config, settings, model_cli.err)
    if json:
        model_cli.print_json(done.json_dict())
    elif done.page:
        model_cli.out.print(f"see {done.page}", soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if done.run else 1)
