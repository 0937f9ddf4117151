"""The monthly schedule: a recurring run, which knows by its scheduled instant which month is due.

python -m kubeflow_impl.schedule on                                  # each first of a month, from now on
python -m kubeflow_impl.schedule on --catch-up --start 2013-03-15T00:00:00Z --end 2013-07-15T00:00:00Z
python -m kubeflow_impl.schedule pause
python -m kubeflow_impl.schedule resume

The cron has six fields, the first for seconds. Its time zone is the server's, one for all (`cronScheduleTimezone` of
the ConfigMap pipeline-install-config, UTC unless changed): so the default is late enough for the month to be over in
New York in summer and winter. Which month is due is reckoned in the data's own zone.

The month comes from KFP's placeholder for the scheduled time; the macro [[ScheduledTime]] is not expanded in v2.
kfp.local cannot resolve that placeholder and ends with an IndexError, so this is a pipeline around `retrain`, for
servers only.
"""

import json
from typing import Annotated, Any

import typer
from kfp import compiler, dsl

from kubeflow_impl.components import component
from kubeflow_impl.pipeline import retrain, task
from kubeflow_impl.server import Server

app = typer.Typer(add_completion=False)
Host = Annotated[str | None, typer.Option(help="the server, else KF_PIPELINES_ENDPOINT")]
CRON = "0 0 11 1 * *"


@component
def due(scheduled: str, dataset: str) -> str:
    """Say which month had ended at the scheduled instant."""
    from shared.schedule import month_due

    return month_due(scheduled, dataset)


@dsl.pipeline(name="retrain-monthly", description="Retrain on the month that a schedule's instant is about.")
def monthly(dataset: str = "flights", settings: dict = {}, approval: bool = False):  # noqa: B006 - KFP reads the default
    """Retrain once; the arguments are those of `retrain`."""
    month = task(due(scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER, dataset=dataset), "1", "1Gi")
    retrain(month=month.output, dataset=dataset, settings=settings, approval=approval)


def recurring(server: Server) -> Any:
    """The schedule on a server; None where there is none."""
    named = {"operation": 1, "key": "display_name", "stringValue": monthly.name}
    wanted = json.dumps({"predicates": [named]})
    found = server.client.list_recurring_runs(experiment_id=server.experiment, filter=wanted)
    return next(iter(found.recurring_runs or []), None)


@app.command()
def on(
    cron: Annotated[str, typer.Option(help="six fields, seconds first")] = CRON,
    start: Annotated[str | None, typer.Option(help="RFC 3339; with --catch-up it may be in the past")] = None,
    end: Annotated[str | None, typer.Option(help="RFC 3339")] = None,
    catch_up: Annotated[bool, typer.Option(help="run what was missed, too")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=10, help="runs at a time")] = 1,
    settings: Annotated[str, typer.Option(help="of the retraining, as JSON")] = "{}",
    host: Host = None,
) -> None:
    """Make the schedule; one that is there is replaced."""
    server = Server(host)
    version = server.upload(monthly)
    if earlier := recurring(server):
        server.client.delete_recurring_run(earlier.recurring_run_id)
    made = server.client.create_recurring_run(
        server.experiment,
        monthly.name,
        cron_expression=cron,
        start_time=start,
        end_time=end,
        no_catchup=not catch_up,  # KFP's own default is to catch up
        max_concurrency=at_once,
        params={"settings": json.loads(settings)},
        pipeline_id=version.pipeline_id,
        version_id=version.pipeline_version_id,
    )
    print(made.recurring_run_id)


@app.command("compile")
def compile_to(path: str) -> None:
    """Compile what the schedule runs to IR YAML."""
    compiler.Compiler().compile(monthly, path)


@app.command()
def pause(host: Host = None) -> None:
    """Start no more runs; those that have started go on."""
    server = Server(host)
    server.client.disable_recurring_run(recurring(server).recurring_run_id)


@app.command()
def resume(host: Host = None) -> None:
    """Go on; where it catches up, with every instant that was missed."""
    server = Server(host)
    server.client.enable_recurring_run(recurring(server).recurring_run_id)


if __name__ == "__main__":
    app()
