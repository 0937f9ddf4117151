"""A FAKE of Kubeflow Pipelines' API and UI, in memory: what it proves is the harness's own paths, nothing about KFP.

It answers as the sources named in `benchmarks/kubeflow/{api,nodes,mlmd}.py` say that a 2.17 server does, and breaks
when a test wants it to. `Executing` runs our real steps in this process where KFP would start pods, so that a
verification can go through to its end against a real MLflow server.
"""

from __future__ import annotations

import json
import re
import struct
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.kubeflow import mlmd
from tests.benchmarks.kubeflow import argo

TOKEN = "right"


class FakeKfp:
    """One server; `with` starts and ends it."""

    def __init__(self) -> None:
        self.version = "2.17.0"
        self.health: dict[str, Any] | None = None
        #: (method and path, status, body): answers that break, matched by regular expression, in order.
        self.breaks: list[tuple[str, int, Any]] = []
        self.token = ""
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.workflows: dict[str, argo.Workflow] = {}
        self.logs: dict[str, str] = {}
        self.objects: dict[str, str] = {}
        self.artifacts: dict[str, list[dict[str, Any]]] = {}
        self.has_v1 = True
        self.lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> FakeKfp:
        fake = self

        class Handler(_Handler):
            server_state = fake

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count:04}"

    def start(self, run: dict[str, Any]) -> None:
        """What becomes of a run: here it succeeds at once."""
        self.workflows[run["run_id"]] = argo.whole()
        run["state"] = "SUCCEEDED"

    def tick(self) -> None:
        """The schedule: each enabled recurring run has one run per look, at most two."""
        for each in list(self.recurring.values()):
            mine = [run for run in self.runs.values() if run.get("recurring_run_id") == each["recurring_run_id"]]
            if each["status"] == "ENABLED" and len(mine) < 1:
                run = {**each["job"], "recurring_run_id": each["recurring_run_id"], "state": "RUNNING"}
                run["run_id"] = self.new_id("run")
                self.runs[run["run_id"]] = run

    # What it answers

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        for pattern, status, content in self.breaks:
            if re.search(pattern, f"{method} {path}"):
                return status, content
        if path.startswith("/ml_metadata."):
            return 200, self._metadata(path.rpartition("/")[2], body)
        if path == "/artifacts/get" and (query["source"], query["bucket"]) == ("minio", "mlpipeline"):
            return (200, self.objects[query["key"]]) if query["key"] in self.objects else (404, "no such object")
        if path == "/k8s/pod/logs":
            return (200, self.logs[query["podname"]]) if query["podname"] in self.logs else (404, "pod not found")
        if found := re.fullmatch(r"/apis/v1beta1/runs/([^/]+)", path):
            flow = self.workflows.get(found[1])
            if not self.has_v1:
                return 404, {"code": 5, "message": "Not Found"}
            return 200, {
                "run": {"id": found[1]},
                "pipeline_runtime": {"workflow_manifest": json.dumps(flow.json())},
            } if flow else {}
        if not path.startswith("/apis/v2beta1/"):
            return 404, "<html><body>Cannot GET that</body></html>"
        part = path.removeprefix("/apis/v2beta1/")
        for pattern, name in _ROUTES:
            if found := re.fullmatch(pattern, f"{method} {part}"):
                with self.lock:
                    return getattr(self, name)(query, body, *found.groups())
        return 404, {"code": 5, "message": f"no such path {path}"}

    def _healthz(self, query, body):
        return 200, self.health or {"tag_name": self.version, "commit_sha": "c0ffee", "multi_user": False}

    def _pipeline_by_name(self, query, body, name):
        found = [each for each in self.pipelines.values() if each["display_name"] == name]
        return (200, found[0]) if found else (404, {"code": 5, "message": f"Pipeline {name} not found"})

    def _create_pipeline(self, query, body):
        if any(each["display_name"] == body["display_name"] for each in self.pipelines.values()):
            return 409, {"code": 6, "message": f"The name {body['display_name']} already exist"}
        made = {**body, "pipeline_id": self.new_id("pipeline")}
        self.pipelines[made["pipeline_id"]] = made
        return 200, made

    def _upload_version(self, query, body):
        if any(each["name"] == query["name"] for each in self.versions.values()):
            return 409, {"error_message": "Failed to create a pipeline version"}
        made = {
            "pipeline_version_id": self.new_id("version"),
            "pipeline_id": query["pipelineid"],
            "name": query["name"],
            "display_name": query["display_name"],
            "uploaded": body,
        }
        self.versions[made["pipeline_version_id"]] = made
        return 200, {name: value for name, value in made.items() if name != "uploaded"}

    def _versions(self, query, body, pipeline):
        found = [{**each, "uploaded": None} for each in self.versions.values() if each["pipeline_id"] == pipeline][::-1]
        first = int(query.get("page_token") or 0)  # pages of two, so that turning pages is tried
        more = {"next_page_token": str(first + 2)} if len(found) > first + 2 else {}
        return 200, {"pipeline_versions": found[first : first + 2], **more}

    def _delete_version(self, query, body, pipeline, version):
        return (200, {}) if self.versions.pop(version, None) else (404, {"code": 5, "message": "not found"})

    def _delete_pipeline(self, query, body, pipeline):
        return (200, {}) if self.pipelines.pop(pipeline, None) else (404, {"code": 5, "message": "not found"})

    def _experiments(self, query, body):
        wanted = json.loads(query["filter"])["predicates"][0]["stringValue"]
        return 200, {"experiments": [each for each in self.experiments.values() if each["display_name"] == wanted]}

    def _create_experiment(self, query, body):
        made = {**body, "experiment_id": self.new_id("experiment")}
        self.experiments[made["experiment_id"]] = made
        return 200, made

    def _delete_experiment(self, query, body, experiment):
        return (200, {}) if self.experiments.pop(experiment, None) else (404, {"code": 5, "message": "not found"})

    def _create_run(self, query, body):
        if body["pipeline_version_reference"]["pipeline_version_id"] not in self.versions:
            return 400, {"code": 3, "message": "no such version"}
        run = {**body, "run_id": self.new_id("run"), "state": "PENDING"}
        self.runs[run["run_id"]] = run
        self.start(run)
        return 200, run

    def _runs(self, query, body):
        self.tick()
        found = [each for each in self.runs.values() if each["experiment_id"] == query["experiment_id"]]
        return 200, {"runs": found[::-1]}

    def _run(self, query, body, run):
        if run not in self.runs:
            return 404, {"code": 5, "message": f"Run {run} not found"}
        flow = self.workflows.get(run)
        return 200, {**self.runs[run], "run_details": {"task_details": flow.details() if flow else []}}

    def _delete_run(self, query, body, run):
        return (200, {}) if self.runs.pop(run, None) else (404, {"code": 5, "message": "not found"})

    def _terminate(self, query, body, run):
        self.runs[run]["state"] = "CANCELED"
        return 200, {}

    def _create_recurring(self, query, body):
        job = {name: body[name] for name in ("display_name", "experiment_id", "runtime_config")}
        made = {"recurring_run_id": self.new_id("recurring"), "status": "ENABLED", "job": job}
        self.recurring[made["recurring_run_id"]] = made
        return 200, made

    def _recurring(self, query, body, recurring):
        found = self.recurring.get(recurring)
        return (200, found) if found else (404, {"code": 5, "message": "not found"})

    def _switch(self, query, body, recurring, how):
        self.recurring[recurring]["status"] = "ENABLED" if how == "enable" else "DISABLED"
        return 200, {}

    def _delete_recurring(self, query, body, recurring):
        return (200, {}) if self.recurring.pop(recurring, None) else (404, {"code": 5, "message": "not found"})

    def _metadata(self, method: str, body: bytes) -> bytes:
        message = mlmd.MESSAGES
        if method == "GetContextByTypeAndName":
            run = message["NamedContext"].FromString(body[5:]).context_name
            answer = message["ContextAnswer"](context={"id": list(self.runs).index(run) + 1, "name": run})
        else:
            run = list(self.runs)[message["InContext"].FromString(body[5:]).context_id - 1]
            items = self.artifacts.get(run, []) if method == "GetArtifactsByContext" else self._executions(run)
            kind = "Artifacts" if method == "GetArtifactsByContext" else "Executions"
            answer = message[kind](items=[_item(each) for each in items])
        trailer = b"grpc-status:0\r\n"
        return mlmd.framed(answer) + struct.pack(">BI", 0x80, len(trailer)) + trailer

    def _executions(self, run: str) -> list[dict[str, Any]]:
        cached = [node["displayName"] for node in self.workflows[run].nodes.values() if node["phase"] == "Skipped"]
        return [{"task_name": "fetch", "state": mlmd.CACHED if "executor" in cached else 3}]


_ROUTES = (
    (r"GET healthz", "_healthz"),
    (r"GET pipelines/names/(.+)", "_pipeline_by_name"),
    (r"POST pipelines", "_create_pipeline"),
    (r"POST pipelines/upload_version", "_upload_version"),
    (r"GET pipelines/([^/]+)/versions", "_versions"),
    (r"DELETE pipelines/([^/]+)/versions/(.+)", "_delete_version"),
    (r"DELETE pipelines/([^/]+)", "_delete_pipeline"),
    (r"GET experiments", "_experiments"),
    (r"POST experiments", "_create_experiment"),
    (r"DELETE experiments/(.+)", "_delete_experiment"),
    (r"POST runs", "_create_run"),
    (r"GET runs", "_runs"),
    (r"GET runs/([^/:]+)", "_run"),
    (r"DELETE runs/([^/:]+)", "_delete_run"),
    (r"POST runs/([^/:]+):terminate", "_terminate"),
    (r"POST recurringruns", "_create_recurring"),
    (r"GET recurringruns/([^/:]+)", "_recurring"),
    (r"POST recurringruns/([^/:]+):(enable|disable)", "_switch"),
    (r"DELETE recurringruns/([^/:]+)", "_delete_recurring"),
)


def _item(metadata: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[type, str] = {bool: "bool", float: "double", int: "double", str: "string"}
    custom = [
        {"key": name, "value": {kinds[type(value)]: value}}
        for name, value in metadata.items()
        if name not in ("state", "type", "uri") and type(value) in kinds
    ]
    return {"custom": custom, **{name: metadata[name] for name in ("state", "type", "uri") if name in metadata}}


class _Handler(BaseHTTPRequestHandler):
    server_state: FakeKfp

    def _serve(self) -> None:
        fake, parts = self.server_state, urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type") or ""
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body: Any = raw
        if kind.startswith("application/json"):
            body = json.loads(raw)
        elif kind.startswith("multipart/"):
            [form] = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw).get_payload()
            assert form.get_param("name", header="content-disposition") == "uploadfile"
            body = form.get_payload(decode=True)
        fake.asked.append((self.command, parts.path, query, body))
        if fake.token and self.headers.get("Authorization") != f"Bearer {fake.token}":
            status, content = 401, {"code": 16, "message": "Request header error: there is no user identity header."}
        else:
            status, content = fake.answer(self.command, parts.path, query, body)
        sent = (
            content
            if isinstance(content, bytes)
            else content.encode()
            if isinstance(content, str)
            else json.dumps(content).encode()
        )
        self.send_response(status)
        json_or_not = "text/plain" if isinstance(content, str) else "application/json"
        self.send_header("Content-Type", "text/html" if sent.startswith(b"<html") else json_or_not)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *_: object) -> None:
        pass


class Executing(FakeKfp):
    """Runs our steps where KFP would run pods.

    Args:
        tracking_uri: MLflow as "pods" reach it.
    """

    def __init__(self, tracking_uri: str) -> None:
        super().__init__()
        self.tracking_uri = tracking_uri
        self.fetched: dict[tuple[Any, ...], Any] = {}
        #: Called with the settings of each run before it starts: to make one go wrong.
        self.spoil: Callable[[dict[str, Any]], None] = lambda settings: None

    def start(self, run: dict[str, Any]) -> None:
        run["state"] = "RUNNING"
        threading.Thread(target=self._execute, args=(run,), daemon=True).start()

    def _execute(self, run: dict[str, Any]) -> None:
        from shared import steps

        asked = run["runtime_config"]["parameters"]
        settings = {**asked["settings"], "tracking_uri": self.tracking_uri}
        self.spoil(settings)
        config = {"month": asked["month"], "dataset": asked["dataset"], **settings}
        key = (asked["month"], asked["dataset"], asked.get("data_rev"))
        cached, folder = key in self.fetched, Path(tempfile.mkdtemp(prefix="fake-kfp-"))
        step, made = "fetch", []
        try:
            if not cached:
                self.fetched[key] = steps.fetch({"month": asked["month"], "dataset": asked["dataset"]}, folder / "data")
            got = self.fetched[key]
            made.append({"data_version": got.data_version, "type": "system.Dataset"})
            step = "ingest"
            window = steps.ingest(config, "kubeflow", run["run_id"], fetched=got)
            step = "validate"
            window = steps.validate(window, out=folder / "validated")
            step = "train"
            trained = [steps.train(window, each) for each in window.candidates]
            # Rounded, as a metadata store on MySQL may keep them.
            scores = [{"auc": round(one.auc, 6), "log_loss": round(one.log_loss, 6)} for one in trained]
            made += [{**each, "type": "system.Metrics"} for each in scores]
            step = "evaluate"
            verdict = steps.evaluate(window, steps.select(window, trained))
            key_of_text = f"v2/artifacts/retrain/{run['run_id']}/verdict"
            self.objects[key_of_text] = verdict.reason
            made.append(
                {"promote": verdict.promote, "uri": f"minio://mlpipeline/{key_of_text}", "type": "system.Artifact"}
            )
            if verdict.promote:
                step = "register"
                outcome = steps.register(window, verdict)
                made.append({"version": outcome.version, "model_digest": outcome.model_digest, "type": "system.Model"})
            flow, state = argo.whole(cached=cached, promoted=verdict.promote), "SUCCEEDED"
        except Exception:
            flow, state = argo.whole(cached=cached, fails=step), "FAILED"
            failed = [node for node in flow.nodes.values() if node["phase"] == "Failed" and node["type"] == "Pod"]
            for node in failed:
                pod = f"{flow.name}-system-container-impl-{node['id'].rpartition('-')[2]}"
                self.logs[pod] = f"starting\n{traceback.format_exc()}F1122 main.go:54] failed to execute component\n"
        with self.lock:
            self.artifacts[run["run_id"]] = made
            self.workflows[run["run_id"]] = flow
            run["state"] = state
            run["finished_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
