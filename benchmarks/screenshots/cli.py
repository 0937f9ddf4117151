"""The command `screenshots`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.places import ROOT, child_env, python
from benchmarks.stack_cli import DEFAULT, ComposeTool, EnvFile, err, out

IMAGES = ROOT / "docs" / "images"


def screenshots(
    tool: Annotated[ComposeTool | None, typer.Argument(help="Whose UI; both by default.")] = None,
    env_file: EnvFile = DEFAULT,
    folder: Annotated[Path, typer.Option("--out", help="Where the pictures go.")] = IMAGES,
) -> None:
    """Take pictures of the latest finished run in the UIs of a running stack, by the machine's own Chromium."""
    from benchmarks import environments
    from benchmarks.screenshots import browser, places, plan
    from benchmarks.stacks import env_file as stack_env
    from benchmarks.stacks.stack import mlflow_login
    from shared.files import make_folder

    found = browser.browser()
    env = stack_env.read(env_file.absolute())
    values, mlflow = env.values, mlflow_login(env)
    sessions = []
    if tool in (None, ComposeTool.PREFECT):
        address = f"http://127.0.0.1:{values['PREFECT_PORT']}"
        sessions += plan.of_prefect(places.Prefect(address, values["PREFECT_AUTH_STRING"]), mlflow)
    if tool in (None, ComposeTool.AIRFLOW):
        address = f"http://127.0.0.1:{values['AIRFLOW_PORT']}"
        sessions += plan.of_airflow(places.Airflow.login(address, values["AIRFLOW_ADMIN_PASSWORD"]), mlflow)
    make_folder(folder)
    if not environments.is_ready("screenshots"):
        err.print("building the screenshots environment", highlight=False)
        environments.ensure("screenshots")
    done = subprocess.run(
        [python("screenshots"), "-m", "benchmarks.screenshots.camera", found, folder.absolute()],
        input=json.dumps([session.json_dict() for session in sessions]),
        capture_output=True,
        text=True,
        env=child_env(),
        cwd=ROOT,
    )
    for name in done.stdout.splitlines():
        out.print(f"{folder / name}", soft_wrap=True, highlight=False)
    if done.returncode:
        raise places.ScreenshotError(
            f"not every picture could be taken: {done.stderr.strip()[-1500:]}",
            where=str(folder),
            fix="look at its failed-*.png: they show what the browser saw",
        )


COMMANDS = (screenshots,)
