"""What stands in for the verbs of a small repository: called as `bakeoff`, `docker`, `make`, `prefect` or `python`.

An image is a copy of the code, and a run's log is the code that it ran. So whatever was forgotten to be brought to the
"server" is missing there. Its state is in the folder HERE.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(os.environ["HERE"])
STATE = HERE / "state.json"
IMAGE = HERE / "image"
CODE = ("shared", "airflow_impl", "prefect_impl", "kubeflow_impl", "locks")


def state() -> dict:
    return json.loads(STATE.read_text()) if STATE.exists() else {"runs": {}, "version": "", "cron": "", "started": 0}


def write(**more) -> None:
    STATE.with_suffix(".new").write_text(json.dumps(state() | more))
    STATE.with_suffix(".new").replace(STATE)  # the "server" may be reading


def git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()


def build() -> None:
    """The image of what is checked out, and the services started anew."""
    shutil.rmtree(IMAGE, ignore_errors=True)
    for name in CODE:
        shutil.copytree(name, IMAGE / name)
    (IMAGE / "commit").write_text(git("rev-parse", "HEAD"))
    write(started=state()["started"] + 1)


def text_of(*paths: Path) -> str:
    return "\n".join(path.read_text() for path in paths)


def run(tool: str, adapter: str) -> dict:
    """Run an adapter's code with the image's core and libraries."""
    lock = (IMAGE / "locks" / f"{tool}.txt").read_text()
    log = adapter + text_of(IMAGE / "shared" / "steps.py")
    pinned = re.search(r"^inflection==(\S+)", lock, re.M)
    if "import inflection" in adapter:
        if not pinned:
            sys.exit("ModuleNotFoundError: No module named 'inflection'")
        name = re.search(r"inflection .*, (run-\w+):", adapter)[1]
        log += f"\ninflection {pinned[1]}, {name}: Logistic Regression\n"
    steps = ["validate", *(["announce"] if "def announce" in adapter else [])]
    return {"log": log, "steps": steps}


def keep(made: dict) -> None:
    runs = state()["runs"]
    write(runs={**runs, f"run-{len(runs)}": made})


def cron_of(text: str) -> str:
    return re.search(r'cron: "(.*)"', text)[1]


def bakeoff(words: list[str]) -> None:
    match words:
        case ["up", "prefect", *_]:
            build()
            deploy(IMAGE / "prefect_impl" / "prefect.yaml", git("rev-parse", "HEAD"))
        case ["up", "airflow", *_]:
            build()
        case ["setup", name]:
            programs = Path(".venvs", name, "bin")
            programs.mkdir(parents=True, exist_ok=True)
            for program in ("prefect", "python"):
                link(programs / program)
        case ["build", "kubeflow"]:
            build()
            print("image:1")
        case ["deploy", "kubeflow", "--host", host, *_]:
            upload(host, "retrain")
        case ["retrain", "--on", "kubeflow", "--runner", "docker", *_]:
            build()
            in_containers(Path(".bakeoff/kubeflow/runs") / str(time.time_ns()))
    if words[:2] == ["up", "airflow"]:
        bakeoff(["setup", "core"])
    if os.environ.get("FAILS", "nothing") in " ".join(words):
        sys.exit("it went wrong")


def link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(HERE / "programs" / path.name)


def in_containers(folder: Path) -> None:
    folder.mkdir(parents=True)
    made = run("kubeflow", components())
    ended = "".join(
        f"Task \x1b[96m'{step}'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m\n" for step in made["steps"]
    )
    (folder / "kubeflow.log").write_text(made["log"] + ended)
    (folder / "events.jsonl").write_text(json.dumps({"step": "retrain", "state": "finished"}) + "\n")


def deploy(path: Path, version: str) -> None:
    write(version=version, cron=cron_of(path.read_text()))


def prefect(words: list[str]) -> None:
    match [word for word in words if word != "--no-prompt"]:
        case ["deploy", *_]:
            deploy(Path("prefect_impl/prefect.yaml"), os.environ["BAKEOFF_REVISION"])
        case ["deployment", "run", *_]:
            keep(run("prefect", flow()))


def flow() -> str:
    """As the deployment has it: from the image, or cloned."""
    if "git_clone" in (IMAGE / "prefect_impl" / "prefect.yaml").read_text():
        there = ("--git-dir", str(HERE / "code.git"), "show")
        return git(*there, "main:prefect_impl/flow.py") + git(*there, "main:shared/steps.py")
    return text_of(IMAGE / "prefect_impl" / "flow.py")


def dag() -> str:
    if branch := os.environ.get("BRANCH"):
        return git("--git-dir", str(HERE / "code.git"), "show", f"{branch}:airflow_impl/dags/retrain.py")
    return text_of(IMAGE / "airflow_impl" / "dags" / "retrain.py")


def components() -> str:
    return text_of(*map(Path, ("kubeflow_impl/components.py", "kubeflow_impl/pipeline.py")))


def upload(host: str, pipeline: str) -> tuple[str, str]:
    """Have the components, with the image's core and libraries, on a server, as the version of their content."""
    from benchmarks.kubeflow.api import KfpApi

    api, made = KfpApi(host), run("kubeflow", components())
    there = api.pipeline(pipeline) or api.create_pipeline(pipeline, "")
    name = hashlib.sha256(json.dumps(made).encode()).hexdigest()[:12]
    title = f"{git('rev-parse', 'HEAD')[:12]}-{name}"
    if same := [each["pipeline_version_id"] for each in api.versions(there) if each["name"] == name]:
        return there, same[0]
    return there, api.upload_version(there, name, title, "", json.dumps(made).encode())


def kubeflow(module: str, host: str) -> None:
    from benchmarks.kubeflow.api import KfpApi

    api = KfpApi(host)
    experiment = api.experiment("bakeoff")
    if module.endswith("ci"):
        api.create_run("ci", experiment, *upload(host, "retrain"), {})
    else:
        cron = re.search('^CRON = "(.*)"', Path("kubeflow_impl/schedule.py").read_text(), re.M)[1]
        trigger = {"cron_schedule": {"cron": cron}}
        api.create_recurring_run("retrain-monthly", experiment, *upload(host, "retrain-monthly"), {}, trigger)


def docker(words: list[str]) -> None:
    here = (IMAGE / "commit").exists() and not (HERE / "down").exists()
    match words:
        case ["exec", "--interactive", _, program, _]:
            sys.exit(subprocess.call([program, str(HERE / "code.git")]))
        case ["exec", _, "git", "--git-dir", _, *rest]:
            print(git("--git-dir", str(HERE / "code.git"), *rest))
        case ["exec", _, "airflow", *_]:
            os.environ.pop("BRANCH")
            keep(run("airflow", dag()))
        case ["compose", *rest] if "down" in rest:
            (HERE / "down").touch()
        case ["image", "ls", *_]:
            print(f"id-{(IMAGE / 'commit').read_text()}" if here else "")
        case ["container", "ls", "--all", *_]:
            print("c1" if here else "")
        case ["container", "inspect", *_]:
            print(json.dumps([container()]))
        case _:
            print("")


def container() -> dict:
    labels = {
        "com.docker.compose.service": "service",
        "org.opencontainers.image.revision": (IMAGE / "commit").read_text(),
    }
    started = f"2026-01-01T00:00:{state()['started']:02}.123456789Z"
    about = {"Status": "running", "Running": True, "StartedAt": started, "ExitCode": 0}
    return {"Id": "c1", "Name": "/c", "Image": "i", "State": about, "Config": {"Labels": labels}, "HostConfig": {}}


def python(words: list[str]) -> None:
    if "airflow_impl.ci" in words:
        keep(run("airflow", dag()))
    elif words[1].startswith("kubeflow_impl"):
        kubeflow(words[1], words[words.index("--host") + 1])


def main() -> None:
    name, *words = sys.argv[1:]
    with (HERE / "calls").open("a") as calls:
        calls.write(" ".join([name, *words]) + "\n")
    programs = {"bakeoff": bakeoff, "docker": docker, "prefect": prefect, "python": python}
    programs.get(name, lambda words: bakeoff(["setup", "kubeflow"]))(words)  # `make ir` sets up what compiles


if __name__ == "__main__":
    main()
