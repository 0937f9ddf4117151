"""The `bakeoff` command."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text
from typer.core import TyperGroup

from benchmarks import (
    arrival_cli,
    bench_cli,
    dataset,
    debug_cli,
    environments,
    locks,
    model_cli,
    results,
    scale_data,
    stack_cli,
)
from benchmarks import demo as main_job
from benchmarks.arms import Arm
from benchmarks.display import Display
from benchmarks.kubeflow import cli as kubeflow_cli
from benchmarks.kubeflow import docker_arm, docker_cli
from benchmarks.kubeflow.docker_arm import Runner
from benchmarks.places import ARMS, ENVIRONMENT, RESULTS, ROOT, STATE, ArmName, Stack
from benchmarks.report import cli as report_cli
from benchmarks.retraining import make_configs, run
from benchmarks.screenshots import cli as screenshots_cli
from benchmarks.stacks.arms import make_arm as make_stack_arm
from benchmarks.stacks.settings import data_version
from benchmarks.stacks.settings import settings as stack_settings
from shared import datasets
from shared.config import GateConfig
from shared.errors import BakeoffError, ConfigError


class Group(TyperGroup):
    """Ends a known failure with one message and exit code 1, and Ctrl-C with 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BakeoffError as error:
            fail(str(error))
        except KeyboardInterrupt as stopped:
            told = str(stopped) or "stopped; no process is left behind"
            err.print(told, highlight=False, markup=False, soft_wrap=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # which joins the lines of a paragraph
    pretty_exceptions_enable=False,
    help="One real retraining pipeline, run by plain Python, Prefect, Airflow and Kubeflow, and measured.",
)
data_app = typer.Typer(
    no_args_is_help=True, help="The data sets: build them, see that they are unchanged, or make millions of flights."
)
app.add_typer(data_app, name="data")
app.add_typer(bench_cli.app, name="bench")

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output; progress goes to standard error.")
]
State = Annotated[Path | None, typer.Option(help="Folder for all that is written; by default below .bakeoff.")]
Port = Annotated[int, typer.Option(help="Port of Airflow's api-server on 127.0.0.1; 0 for any free one.")]

err = Console(stderr=True)
out = Console()
if not out.is_terminal:
    out.width = 100  # a pipe or a file has no width to keep to
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.percentage:3.0f} %"),
    TimeRemainingColumn(),
)


@app.command()
def demo(
    json: Json = False,
    state: State = None,
    port: Port = 0,
    month: Annotated[list[str] | None, typer.Option(help="Other months, in this order; give it once for each.")] = None,
    on: Annotated[list[ArmName] | None, typer.Option(help="Only these arms; give it once for each.")] = None,
    save: Annotated[bool, typer.Option(help="Keep the result in benchmarks/results, for the documents.")] = False,
) -> None:
    """Retrain on March, April and May 2013 on all four arms and compare (three minutes after the first set-up)."""
    result = main_job.demo(err, month or main_job.MONTHS, on or list(ARMS), state, port)
    if save:
        results.write(result, RESULTS / "demo.json")
    if json:
        print(result.model_dump_json(indent=2))
    else:
        out.print(main_job.table(result))
        for line in main_job.summary(result):
            out.print(line, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if result.parity else 1)


@app.command()
def retrain(
    on: Annotated[ArmName, typer.Option(help="Which arm runs it.")],
    month: Annotated[
        str,
        typer.Option(help="The month (or other window) that has just arrived: train on all before it, score on it."),
    ],
    of: Annotated[
        str, typer.Option("--dataset", help=f"The data set it is a window of: {' or '.join(datasets.names())}.")
    ] = datasets.DEFAULT,
    tracking_uri: Annotated[str | None, typer.Option(help="An MLflow server instead of the arm's own store.")] = None,
    stack: Annotated[
        Stack, typer.Option(help="Embedded, or on the tool's real servers: `./bakeoff up` starts them.")
    ] = Stack.EMBEDDED,
    runner: Annotated[
        Runner,
        typer.Option(help="How embedded Kubeflow runs a component: as a process, or in an image's container."),
    ] = Runner.SUBPROCESS,
    mount_code: Annotated[
        bool,
        typer.Option("--mount-code", help="With containers: this checkout's code over the image's, no build."),
    ] = False,
    env_file: model_cli.EnvFile = None,
    host: kubeflow_cli.Host = None,
    mlflow: kubeflow_cli.Mlflow = None,
    mlflow_in_pods: kubeflow_cli.MlflowInPods = None,
    object_store: kubeflow_cli.ObjectStore = None,
    data_remote: kubeflow_cli.DataRemote = None,
    image: kubeflow_cli.Image = None,
    namespace: kubeflow_cli.Namespace = "kubeflow",
    context: kubeflow_cli.Context = None,
    json: Json = False,
    state: State = None,
    port: Port = 0,
) -> None:
    """Run one retraining on one arm, in that arm's lasting tracking store."""
    in_containers = docker_arm.check(on, stack, runner, mount_code=mount_code)
    if stack is not Stack.EMBEDDED and (tracking_uri or port):
        fix = "leave these options away, or the stack"
        raise ConfigError("a stack has an MLflow and ports of its own", where="--tracking-uri, --port", fix=fix)
    if stack is not Stack.KIND and any((host, mlflow, mlflow_in_pods, object_store, data_remote, image, context)):
        raise ConfigError("a server is named, but not asked for", where="--host", fix="add --stack kind")
    folder = (state or STATE) / (on if stack is Stack.EMBEDDED else f"{on}-{stack}")
    server: dict[str, Any] = {"tracking_uri": tracking_uri, "artifact_location": None} if tracking_uri else {}
    arm: Arm | None = None
    if stack is Stack.COMPOSE:
        servers = stack_settings(on, env_file)
        server = {"tracking_uri": servers.tracking_uri, "artifact_location": None, "data_rev": data_version()}
        arm = make_stack_arm(folder, servers)
    elif stack is Stack.KIND:
        places = {"mlflow_in_pods": mlflow_in_pods, "object_store": object_store, "data_remote": data_remote}
        where = {"image": image, "namespace": namespace, "context": context, "env_file": env_file}
        cluster = kubeflow_cli.arm_of(on, folder, host, mlflow, **places, **where)
        arm, server = cluster, {"tracking_uri": cluster.tracking_uri, "artifact_location": None}
    elif in_containers:
        server |= docker_arm.places()
    if broken := debug_cli.met(on, stack):
        server |= broken.settings
    [config] = make_configs([month], folder, {"dataset": of, **server})
    dataset.ensure()
    if broken and stack is Stack.EMBEDDED:
        arm = debug_cli.arm_of(broken, config, port)
    with Display(err, [on]) as display:
        if in_containers:
            arm = docker_arm.make(config, env_file, lambda line: display.begin(on, line), mount_code=mount_code)
        result = run(on, [config], display, port=port, arm=arm)
    [done] = result.retrainings
    if json:
        print(result.model_dump_json(indent=2))
    elif result.status == "succeeded":
        verdict = f"promoted to version {done.version}" if done.promoted else "rejected"
        out.print(
            f"{month} on {on}: {done.candidate} {verdict}; AUC {done.auc:.4f}, log loss {done.log_loss:.4f}",
            highlight=False,
        )
        out.print(f"{done.reason}", soft_wrap=True, highlight=False, markup=False)
        out.print(
            f"look inside: {config.tracking_uri}"
            if config.tracking_uri.startswith("http")
            else f"look inside: .venvs/core/bin/mlflow ui --backend-store-uri {config.tracking_uri}",
            soft_wrap=True,
            highlight=False,
        )
    if result.status == "failed":
        fail(result.error or "the run failed")


@app.command("replay")
def replay_command(
    on: Annotated[ArmName, typer.Option(help="Which arm runs it.")] = ArmName.PLAIN,
    first: Annotated[
        str | None, typer.Option("--from", help="The first month that arrives; by default the 2nd.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last one; by default the last there is.")] = None,
    of: model_cli.Of = datasets.DEFAULT,
    json: Json = False,
    state: State = None,
    port: Port = 0,
    save: Annotated[bool, typer.Option(help="Keep result and picture with the documents.")] = False,
) -> None:
    """Retrain as each month arrives, and draw what became of it; called again, it goes on where it stopped."""
    from benchmarks import replay, timeline  # scikit-learn, MLflow and matplotlib take seconds to import

    result = replay.replay(err, on, first, last, of, state, port)
    png, html = timeline.save(result, (state or STATE) / on, GateConfig().min_auc_gain)
    if save:
        results.write(result, RESULTS / "replay.json")
        (ROOT / "docs" / "images" / "replay.png").write_bytes(timeline.png_of(result, GateConfig().min_auc_gain))
    err.print(f"picture: {png}; page: {html}", highlight=False, soft_wrap=True)
    if json:
        print(result.model_dump_json(indent=2))
    else:
        out.print(replay.table(result))
        for line in replay.summary(result):
            out.print(line, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if result.status == "succeeded" else 1)


@app.command()
def setup(
    arms: Annotated[list[ArmName] | None, typer.Argument(help="Which arms; all of them by default.")] = None,
    test: Annotated[bool, typer.Option(help="Add what `make test` needs.")] = False,
    dev: Annotated[bool, typer.Option(help="Add what `make check` needs to the core environment.")] = False,
    browser: Annotated[bool, typer.Option(help="Build what `make test-report` opens the page with.")] = False,
) -> None:
    """Build the environments and the data; what is there already costs nothing."""
    for arm in arms or ARMS:
        name = ENVIRONMENT[arm]
        extra = ["test"] * test + [f"test-{name}"] * (test and name in locks.TEST_OF)
        extra += ["dev"] * (dev and name == "core")
        if not environments.is_ready(name, *extra):
            what = "adding test tools to" if environments.is_ready(name) else "building"
            err.print(f"{what} the {name} environment", highlight=False)
            environments.ensure(name, *extra)
    if browser and not environments.is_ready("report"):
        err.print("building the report environment", highlight=False)
        environments.ensure("report")
    dataset.ensure()


_COMMANDS = (
    *model_cli.COMMANDS,
    arrival_cli.arrive,
    *stack_cli.COMMANDS,
    *docker_cli.COMMANDS,
    *screenshots_cli.COMMANDS,
    *report_cli.COMMANDS,
)
for _command in (*_COMMANDS, kubeflow_cli.deploy, kubeflow_cli.verify, debug_cli.mend):
    app.command()(_command)
app.command("break")(debug_cli.break_command)


@app.command("lock")
def lock_command() -> None:
    """Recompile the hash-pinned files in locks/ to the newest versions that fit pyproject.toml."""
    for path in locks.compile_all():
        err.print(f"wrote {path.relative_to(path.parent.parent)}", highlight=False)


@data_app.command("build")
def data_build(force: Annotated[bool, typer.Option(help="Build anew even what is there.")] = False) -> None:
    """Build the files from the pinned packages, by `dvc repro`, and check them against dvc.lock."""
    dataset.build(force=force)
    data_check()


@data_app.command("check")
def data_check() -> None:
    """See that every file is, byte for byte, what its version says."""
    versions = dataset.check()
    for name, files, megabytes in dataset.summary():
        size = f"{files} files, {megabytes:.2f} MB"
        out.print(f"{name}: {size}, unchanged: data version {versions[name]}", highlight=False)


@data_app.command("scale")
def data_scale(
    rows: Annotated[int, typer.Option(help="How many flights altogether, such as 10_000_000.")],
    seed: Annotated[int, typer.Option(help="Of the days that are drawn and of their jitter.")] = 0,
    to: Annotated[Path | None, typer.Option("--out", help="Folder to fill; by default .bakeoff/scale/ROWS.")] = None,
) -> None:
    """Make any number of flights out of the real ones, to measure time and memory on.

    Every real day is drawn equally often and moved to a date of the same month, with weather and delays of its own. The
    rows hold no more information than the real ones: never quote an accuracy on them. The folder is a DVC repository of
    its own (data_repo).
    """
    dataset.ensure()
    folder = (to or scale_data.folder_of(rows)).absolute()
    with Progress(*_COLUMNS, console=err, disable=not err.is_terminal) as progress:
        bar = progress.add_task(f"{rows:,} flights", total=rows)

        def tell(month: str, count: int) -> None:
            progress.advance(bar, count)
            if not err.is_terminal:
                err.print(f"{month}: {count:,} flights", highlight=False)

        made = scale_data.make(rows, seed, folder, tell)
    size = sum(path.stat().st_size for path in (folder / "data").rglob("*.parquet")) / 1e6
    state = "made" if made else "are there already"
    line = f"{rows:,} flights (seed {seed}, {size:.0f} MB) {state}: {folder}"
    out.print(line, soft_wrap=True, highlight=False, markup=False)


def fail(message: str) -> NoReturn:
    """Print an error and end with exit code 1."""
    err.print(Text("error: ", "red").append(message, "default"), soft_wrap=True)
    raise typer.Exit(1)


def main() -> None:
    """Entry point of the console script."""
    # Ended from outside, the terminal closed, or Ctrl-C that a background shell would ignore: clean up all the same.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    app(prog_name="bakeoff")
