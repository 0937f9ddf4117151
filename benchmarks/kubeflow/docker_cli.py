"""The commands about Kubeflow's image: build it, and measure what it costs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.stack_cli import DEFAULT, EnvFile, Json

err = Console(stderr=True)


class ImageName(StrEnum):
    """What can be built by itself; the compose stacks' images are built by `up`."""

    KUBEFLOW = "kubeflow"


def build(
    what: Annotated[ImageName, typer.Argument(help="Whose image.")],
    env_file: EnvFile = DEFAULT,
    json: Json = False,
) -> None:
    """Build the image that Kubeflow's steps run in, unless there is one of this content, and print its name."""
    import json as library

    from benchmarks.display import Display
    from benchmarks.kubeflow import image
    from benchmarks.stacks.stack import prefix

    label = "image"
    with Display(err, [label]) as display:
        display.begin(label, "looking")
        found = image.ensure(lambda step: display.begin(label, step), prefix(env_file.absolute()))
        display.end(label, f"[green]there[/green]: {found}")
    print(library.dumps({"image": found}) if json else found)


def bench_kubeflow(
    repeats: Annotated[int, typer.Option(min=1, help="Samples of what is measured several times.")] = 3,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results, for the documents.")] = False,
) -> None:
    """Kubeflow's image and containers: MB, seconds to build, to compile, and for each component; about ten minutes."""
    from benchmarks import results
    from benchmarks.kubeflow import cost
    from benchmarks.places import RESULTS

    done = cost.measure(err, repeats)
    if save:
        results.write(done, RESULTS / "kubeflow.json")
    print(done.model_dump_json(indent=2))
    raise typer.Exit(1 if done.failures else 0)


COMMANDS = (build,)
