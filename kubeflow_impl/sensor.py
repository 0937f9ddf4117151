"""A sensor: a month's notice lands in a folder or a bucket, and its retraining is started.

python -m kubeflow_impl.sensor s3://mlpipeline/bakeoff/arrivals

Kubeflow Pipelines has no events of its own: something beside it has to call its API. Argo Events or a Knative function
would do that here; this is the same without either, and needs one replica.

A run is named by month and data revision, and looked up by that name before it is started. So a notice that is seen
again, also by a sensor that was started anew, starts nothing; corrected data, which have another revision, do. Whether
the month may be retrained on at all is for the pipeline to say, which refuses a month that the champion knows.
"""

import logging
import time
from collections.abc import Iterator
from typing import Annotated

import fsspec
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kubeflow_impl.server import Server
from shared.config import parse_config
from shared.errors import BakeoffError

log = logging.getLogger(__name__)


class Notice(BaseModel):
    """What lands: a month of data has arrived."""

    model_config = ConfigDict(extra="forbid")

    month: str
    data_rev: str = Field(min_length=7)
    settings: dict = {}


class Sensor:
    """Watches one place.

    Args:
        server: where runs are started.
        place: folder or bucket of the notices, as fsspec names it.
    """

    def __init__(self, server: Server, place: str) -> None:
        self.server = server
        self.files, self.root = fsspec.url_to_fs(place)
        self.done: set[str] = set()

    def look(self) -> Iterator[str]:
        """Deal with every notice that has not been dealt with; a bad one is told once, and left where it is."""
        self.files.invalidate_cache()
        for path in sorted(self.files.glob(f"{self.root}/*.json")):
            content = self.files.cat_file(path)
            key = f"{path} {hash(content)}"
            if key in self.done:
                continue
            try:
                yield self.react(Notice.model_validate_json(content))
            except (ValidationError, BakeoffError) as error:
                yield f"bad notice {path}: {error}"
            self.done.add(key)  # not before: where the server does not answer, the next look tries again

    def react(self, notice: Notice) -> str:
        """Start the retraining of a notice.

        Raises:
            ConfigError: there is no such month, or no such setting.
        """
        parse_config({"month": notice.month, **notice.settings})
        run, new = self.server.start(f"retrain {notice.month} of data {notice.data_rev[:12]}", notice.model_dump())
        return f"{notice.month}: {'started' if new else 'had started'} run {run.run_id}"


def main(
    place: Annotated[str, typer.Argument(help="folder or bucket of the notices")],
    every: Annotated[float, typer.Option(help="seconds between two looks")] = 5.0,
    host: Annotated[str | None, typer.Option(help="the server, else KF_PIPELINES_ENDPOINT")] = None,
) -> None:
    """Start a run for each month that arrives, until stopped."""
    sensor = Sensor(Server(host), place)
    while True:
        try:
            for told in sensor.look():
                print(told, flush=True)
        except Exception as error:  # the server or the bucket is away: it may come back
            log.warning("will look again in %s s: %s", every, error)
        time.sleep(every)


if __name__ == "__main__":
    typer.run(main)
