"""What Kubeflow's capabilities are shown with, where no cluster is to be had.

`kfp.local` runs the pipelines for real, every component in a process of its own. Servers are stand-ins
(`tests/benchmarks/kubeflow/fake_kfp.py`): against them the adapter's commands run with KFP's own client and real HTTP,
which shows what they ask of a server, and nothing about what one does. `./bakeoff verify kubeflow` shows that.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.places import ROOT, child_env, python
from shared import events
from tests.benchmarks.kubeflow.__main__ import with_pipeline
from tests.benchmarks.kubeflow.executing import Executing
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp

RUN = Path(__file__).with_name("local_run.py")
#: Small and quick, on the real rows of `tests/conftest.py`.
QUICK = {"name": "hist_gradient_boosting", "max_iter": 5}


@pytest.fixture(scope="session")
def kfp():
    """The interpreter that has KFP."""
    environments.ensure("kubeflow")
    return python("kubeflow")


@dataclass
class Local:
    """A run of `kfp.local`."""

    process: subprocess.Popen
    log: Path
    root: Path
    events: Path

    def end(self, timeout=180):
        """Its exit code, and what it has written."""
        code = self.process.wait(timeout)
        return code, self.log.read_text()

    def told(self, step=None, state=None):
        found = events.read(self.events)
        return [each for each in found if step in (None, each["step"]) and state in (None, each["state"])]

    def counts(self, state="finished"):
        """How often each step has done so."""
        return Counter(each["step"] for each in self.told(state=state))

    def outputs(self, component):
        return list(self.root.glob(f"*/{component}/executor_output.json"))


@pytest.fixture
def run_locally(kfp, tmp_path):
    """Start a pipeline in a process group of its own: `run_locally("kubeflow_impl.pipeline:retrain", config, ...)`."""
    started = []

    def run(pipeline, config, name="run", env=None, **more):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        listener = folder / "events.jsonl"
        listener.unlink(missing_ok=True)
        settings = {key: value for key, value in config.json_dict().items() if key != "events"}
        root = tmp_path / "kfp"  # one for all, as a cache is
        request = {"pipeline": pipeline, "config": settings, "more": more, "root": str(root)}
        (folder / "request.json").write_text(json.dumps(request))
        log = folder / "log"
        process = subprocess.Popen(
            [kfp, "-W", "ignore", RUN, folder / "request.json"],
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            env=child_env(BAKEOFF_EVENTS=str(listener), **(env or {})),
            cwd=ROOT,
            start_new_session=True,
        )
        started.append(process)
        return Local(process, log, root, listener)

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


@pytest.fixture
def webhook():
    """A real web server; what has been posted to it, and where it is."""
    posted = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield posted, f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()


@pytest.fixture
def fake():
    """A stand-in on which every run succeeds at once, with the pipeline on it."""
    with FakeKfp() as server:
        with_pipeline(server)
        yield server


@pytest.fixture
def executing(make_config):
    """A stand-in that runs our real steps, with the pipeline on it, and the config that they run by."""
    config = make_config("2013-02")
    with Executing(config.tracking_uri) as server:
        with_pipeline(server)
        own = config.model_dump(mode="json", include={"state", "contract", "artifact_location", "data_repo"})
        server.spoil = lambda settings: settings.update(own)
        yield server, config


@pytest.fixture
def command(kfp):
    """Run a command of the adapter against a server: `command(fake, "versions", "list")`."""

    def run(server, module, *words, check=True):
        asked = [kfp, "-W", "ignore", "-m", f"kubeflow_impl.{module}", *words, "--host", server.address]
        done = subprocess.run(
            asked, capture_output=True, text=True, cwd=ROOT, timeout=120, env=child_env(COLUMNS="200")
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


def until(condition, seconds=120):
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {seconds} s")
