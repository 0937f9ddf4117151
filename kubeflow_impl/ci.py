"""What a CI job runs: deploy this checkout's pipeline, run it, and end as the run has ended.

BAKEOFF_KFP_IMAGE=registry/bakeoff-kubeflow:TAG python -m kubeflow_impl.ci 2013-03

KFP's own `kfp run create --timeout` waits too, but ends with 0 also when the run has failed.
"""

import json
from typing import Annotated

import typer

from kubeflow_impl.pipeline import retrain
from kubeflow_impl.server import Server


def main(
    month: str,
    settings: Annotated[str, typer.Option(help="of the retraining, as JSON")] = "{}",
    timeout: Annotated[int, typer.Option(help="seconds")] = 3600,
    job: Annotated[str, typer.Option(help="of CI: what is deployed again, back too, has a run of its own")] = "",
    host: Annotated[str | None, typer.Option(help="the server, else KF_PIPELINES_ENDPOINT")] = None,
) -> None:
    """Deploy, run and wait."""
    server = Server(host)
    version = server.upload(retrain)
    name = f"ci {version.display_name} {month} {job}".strip()
    run, _ = server.start(name, {"month": month, "settings": json.loads(settings)}, version)
    ended = server.client.wait_for_run_completion(run.run_id, timeout)
    print(f"{name}: {ended.state.lower()}")
    raise SystemExit(ended.state != "SUCCEEDED")


if __name__ == "__main__":
    typer.run(main)
