"""A FAKE of Kubeflow Pipelines' API and UI, in memory: what it proves is the harness's own paths, nothing about KFP.

It answers as the sources named in `benchmarks/kubeflow/{api,nodes,mlmd}.py` say that a 2.17 server does, and breaks
when a test wants it to. `executing.py` runs our real steps in it; `python -m tests.benchmarks.kubeflow` serves either
for other tools' tests. Schedules are kept, not kept to: what a cron, a catch-up or a macro does is KFP's own affair.
"""

from __future__ import annotations

import json
import re
import struct
import threading
import time
from collections.abc import Iterable
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from benchmarks.kubeflow import mlmd
from tests.benchmarks.kubeflow import argo

TOKEN = "right"


class FakeKfp:
    """One server; `with` starts and ends it.

    Args:
        host: address that it binds to.
        port: 0 takes a free one.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.bound = (host, port)
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

        self._http = ThreadingHTTPServer(self.bound, Handler)
        self.address = f"http://{self.bound[0]}:{self._http.server_port}"
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
        run |= {"state": "SUCCEEDED", "finished_at": now()}

    def tick(self) -> None:
        """The schedule: each enabled recurring run has one run per look, at most two."""
        for each in list(self.recurring.values()):
            mine = [run for run in self.runs.values() if run.get("recurring_run_id") == each["recurring_run_id"]]
            if each["status"] == "ENABLED" and each["no_catchup"] and len(mine) < 1:
                job = {name: each[name] for name in ("display_name", "experiment_id", "runtime_config")}
                run = {**job, "recurring_run_id": each["recurring_run_id"], "state": "RUNNING", "created_at": now()}
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

    def _pipelines(self, query, body):
        return 200, {"pipelines": _asked(self.pipelines.values(), query)}

    def _pipeline(self, query, body, pipeline):
        return _or_404(self.pipelines.get(pipeline))

    def _create_pipeline(self, query, body):
        if any(each["display_name"] == body["display_name"] for each in self.pipelines.values()):
            return 409, {"code": 6, "message": f"The name {body['display_name']} already exist"}
        made = {**body, "pipeline_id": self.new_id("pipeline"), "created_at": now()}
        self.pipelines[made["pipeline_id"]] = made
        return 200, made

    def _upload(self, query, body):
        status, made = self._create_pipeline(query, {"display_name": query["name"]})
        if status == 200:
            self._upload_version({**query, "pipelineid": made["pipeline_id"]}, body)
        return status, made

    def _upload_version(self, query, body):
        pipeline, name = query["pipelineid"], query["name"]
        if any((each["pipeline_id"], each["name"]) == (pipeline, name) for each in self.versions.values()):
            return 409, {"error_message": "Failed to create a pipeline version"}
        made = {
            "pipeline_version_id": self.new_id("version"),
            "pipeline_id": pipeline,
            "name": name,
            "display_name": query.get("display_name", name),
            "description": query.get("description", ""),
            "created_at": now(),
            "uploaded": body,
        }
        self.versions[made["pipeline_version_id"]] = made
        return 200, {name: value for name, value in made.items() if name != "uploaded"}

    def _version(self, query, body, pipeline, version):
        found = self.versions.get(version)
        if found is None or found["pipeline_id"] != pipeline:
            return _or_404(None)
        documents = [each for each in yaml.safe_load_all(found["uploaded"]) if each]
        ir = dict(zip(("pipeline_spec", "platform_spec"), documents, strict=False))
        return 200, {**found, "uploaded": None, "pipeline_spec": ir if len(ir) > 1 else ir["pipeline_spec"]}

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
        return 200, {"experiments": _asked(self.experiments.values(), query)}

    def _experiment(self, query, body, experiment):
        return _or_404(self.experiments.get(experiment))

    def _create_experiment(self, query, body):
        made = {**body, "experiment_id": self.new_id("experiment")}
        self.experiments[made["experiment_id"]] = made
        return 200, made

    def _delete_experiment(self, query, body, experiment):
        return (200, {}) if self.experiments.pop(experiment, None) else (404, {"code": 5, "message": "not found"})

    def _create_run(self, query, body):
        refused, body = self._with_version(body)
        if refused:
            return refused
        run = {**body, "run_id": self.new_id("run"), "state": "PENDING", "created_at": now()}
        self.runs[run["run_id"]] = run
        self.start(run)
        return 200, run

    def _with_version(self, body):
        """What a run is of: a version, the newest of a pipeline, or a specification that it brings along."""
        if body.get("pipeline_spec"):
            return None, body
        named = body["pipeline_version_reference"]
        mine = [each for each in self.versions.values() if each["pipeline_id"] == named["pipeline_id"]]
        chosen = named.get("pipeline_version_id") or (mine[-1]["pipeline_version_id"] if mine else None)
        if chosen not in self.versions:
            return (400, {"code": 3, "message": "no such version"}), body
        return None, {**body, "pipeline_version_reference": {**named, "pipeline_version_id": chosen}}

    def _runs(self, query, body):
        self.tick()
        found = _asked(self.runs.values(), query)
        first, most = int(query.get("page_token") or 0), int(query.get("page_size") or 10)
        more = {"next_page_token": str(first + most)} if len(found) > first + most else {}
        return 200, {"runs": found[::-1][first : first + most], "total_size": len(found), **more}

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

    def _retry(self, query, body, run):
        if self.runs[run]["state"] not in ("FAILED", "CANCELED"):
            return 400, {"code": 9, "message": f"Run {run} cannot be retried: it is {self.runs[run]['state']}"}
        self.runs[run].pop("finished_at", None)
        self.runs[run]["retries"] = self.runs[run].get("retries", 0) + 1
        self.start(self.runs[run])
        return 200, {}

    def _create_recurring(self, query, body):
        refused, body = self._with_version(body)
        if refused:
            return refused
        status = "ENABLED" if body["mode"] == "ENABLE" else "DISABLED"
        made = {**body, "recurring_run_id": self.new_id("recurring"), "status": status, "created_at": now()}
        self.recurring[made["recurring_run_id"]] = made
        return 200, made

    def _recurring(self, query, body, recurring):
        found = self.recurring.get(recurring)
        return (200, found) if found else (404, {"code": 5, "message": "not found"})

    def _recurrings(self, query, body):
        return 200, {"recurringRuns": _asked(self.recurring.values(), query)}

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
    (r"GET pipelines", "_pipelines"),
    (r"GET pipelines/names/(.+)", "_pipeline_by_name"),
    (r"GET pipelines/([^/]+)", "_pipeline"),
    (r"POST pipelines", "_create_pipeline"),
    (r"POST pipelines/upload", "_upload"),
    (r"POST pipelines/upload_version", "_upload_version"),
    (r"GET pipelines/([^/]+)/versions", "_versions"),
    (r"GET pipelines/([^/]+)/versions/(.+)", "_version"),
    (r"DELETE pipelines/([^/]+)/versions/(.+)", "_delete_version"),
    (r"DELETE pipelines/([^/]+)", "_delete_pipeline"),
    (r"GET experiments", "_experiments"),
    (r"GET experiments/(.+)", "_experiment"),
    (r"POST experiments", "_create_experiment"),
    (r"DELETE experiments/(.+)", "_delete_experiment"),
    (r"POST runs", "_create_run"),
    (r"GET runs", "_runs"),
    (r"GET runs/([^/:]+)", "_run"),
    (r"DELETE runs/([^/:]+)", "_delete_run"),
    (r"POST runs/([^/:]+):terminate", "_terminate"),
    (r"POST runs/([^/:]+):retry", "_retry"),
    (r"POST recurringruns", "_create_recurring"),
    (r"GET recurringruns", "_recurrings"),
    (r"GET recurringruns/([^/:]+)", "_recurring"),
    (r"POST recurringruns/([^/:]+):(enable|disable)", "_switch"),
    (r"DELETE recurringruns/([^/:]+)", "_delete_recurring"),
)


def now() -> str:
    """The time, as KFP writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _asked(each: Iterable[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    """Those of an experiment, if one is named, for which every predicate of the filter holds, the oldest first."""
    predicates = json.loads(query.get("filter") or "{}").get("predicates", [])
    assert all(predicate["operation"] in ("EQUALS", 1) for predicate in predicates)  # by name, or as kfp.client has it
    wanted = {predicate["key"]: predicate["stringValue"] for predicate in predicates}
    wanted |= {"experiment_id": query["experiment_id"]} if query.get("experiment_id") else {}
    return [one for one in each if all(one.get(key) == value for key, value in wanted.items())]


def _or_404(found: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
    return (200, found) if found else (404, {"code": 5, "message": "not found"})


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
        if raw and kind.startswith("application/json"):
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
