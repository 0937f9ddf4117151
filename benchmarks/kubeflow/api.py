"""The REST API of a Kubeflow Pipelines server (v2beta1), as the harness needs it, and its UI's helpers.

Read where (none of it confirmed against a running server from here):
paths, parameters and bodies: kfp_server_api 2.17.3 (api/*_service_api.py) and kfp 2.17.0 (client/client.py).
healthz: backend/src/apiserver/main.go has `tag_name`; the UI answers that path itself, with `apiServerTagName`
    (frontend/server/handlers/healthz.ts).
uploads: backend/src/apiserver/server/pipeline_upload_server.go: multipart `uploadfile`; 409 where the name is taken.
errors: {"code", "message", "details"} of grpc-gateway, {"error_message", "error_details"} of uploads.
pod logs, pods, pod events: frontend/server/app.ts, /k8s/pod/logs, /k8s/pod, /k8s/pod/events, of the UI only.
v1beta1 runs/{id} holds the Argo workflow (GetRunV1, toApiRunDetailV1); 2.17 still serves it (kubeflow/pipelines#12643).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from benchmarks.kubeflow import nodes
from benchmarks.kubeflow.nodes import Node
from benchmarks.kubeflow.server import TOKEN, UP
from benchmarks.stacks.rest import Refused, Rest, Silent

V2 = "/apis/v2beta1"
_PAGE = 100


class Health(BaseModel):
    """What a server says of itself."""

    model_config = ConfigDict(frozen=True)

    version: str
    commit: str = ""
    multi_user: bool = False


class KfpRest(Rest):
    """Says no in KFP's own words."""

    def _refusal(self, answer: httpx.Response) -> Refused:
        where = f"{self.address}{answer.request.url.path}"
        if answer.status_code in (401, 403):
            given = "refuses the token" if "Authorization" in self.client.headers else "asks for a token"
            return Refused(
                f"kubeflow {given} ({answer.status_code}): {told(answer)}",
                where=where,
                fix=f"put a bearer token that this server takes in the environment variable {TOKEN}",
                status=answer.status_code,
            )
        return Refused(
            f"kubeflow refuses the request ({answer.status_code}): {told(answer)}",
            where=where,
            fix="see that --host names a KFP 2.17 server, and that the run or pipeline is still there",
            status=answer.status_code,
        )


def told(answer: httpx.Response) -> str:
    """An error in one line, whichever part of KFP it comes from."""
    try:
        content = answer.json()
        text = content.get("message") or content.get("error_message") or content.get("error") or answer.text
    except (ValueError, AttributeError):
        text = re.sub(r"<[^>]*>", " ", answer.text)  # a page of a proxy
    return " ".join(str(text).split())[:300]


class KfpApi:
    """One server.

    Args:
        host: base URL of the UI's service or of the API server.
        token: bearer token, where the server asks for one.
        namespace: of the runs; sent only to a server for several users.
    """

    def __init__(self, host: str, token: str = "", namespace: str = "kubeflow") -> None:
        self.host, self.namespace = host.rstrip("/"), namespace
        self.rest: Rest = KfpRest("kubeflow", self.host, up=UP)
        if token:
            self.rest.client.headers["Authorization"] = f"Bearer {token}"
        self._health: Health | None = None
        self._has_workflows = True

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = self.rest.ask(method, f"{V2}{path}", **more)
        return answer if isinstance(answer, dict) else {}

    def health(self) -> Health:
        """What the server is.

        Raises:
            Silent: it does not answer, or its API server does not.
            Refused: something else answers there.
        """
        try:
            answer = self._ask("GET", "/healthz")
        except Silent as silent:
            cause = silent.__cause__
            moved = isinstance(cause, httpx.HTTPStatusError) and cause.response.is_redirect
            if not moved and not isinstance(cause, ValueError):
                raise
            raise Refused(
                "what answers there is a page, not Kubeflow's API: perhaps one to sign in",
                where=f"{self.host}{V2}/healthz",
                fix=f"give --host an address that the API is behind, and its bearer token in {TOKEN}",
            ) from silent
        if answer.get("apiServerReady") is False:
            raise Silent(
                "kubeflow's UI answers, but not the API server behind it",
                where=f"{self.host}{V2}/healthz",
                fix="see that the deployment ml-pipeline is ready, then run again",
            )
        version = answer.get("tag_name") or answer.get("apiServerTagName")
        if not version:
            raise Refused(
                "what answers there is no Kubeflow Pipelines API",
                where=f"{self.host}{V2}/healthz",
                fix="give --host the address of KFP's UI (ml-pipeline-ui) or API server (ml-pipeline)",
            )
        commit = answer.get("commit_sha") or answer.get("apiServerCommitHash") or ""
        self._health = Health(version=str(version), commit=commit, multi_user=bool(answer.get("multi_user")))
        return self._health

    def _in_namespace(self) -> dict[str, str]:
        """A server for one user takes no namespace (resource_manager.go, ReplaceNamespace)."""
        health = self._health or self.health()
        return {"namespace": self.namespace} if health.multi_user else {}

    def _all(self, path: str, key: str, **params: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            query: dict[str, Any] = {"page_size": _PAGE, "page_token": token, **params}
            answer = self._ask("GET", path, params=query)
            yield from answer.get(key) or []
            token = answer.get("next_page_token") or ""
            if not token:
                return

    # Pipelines

    def pipeline(self, name: str) -> str | None:
        """Its id, if there is one of that name."""
        with _none_if_missing():
            return str(self._ask("GET", f"/pipelines/names/{name}", params=self._in_namespace())["pipeline_id"])
        return None

    def create_pipeline(self, name: str, description: str) -> str:
        """A pipeline without versions; one of that name that somebody has just made is taken."""
        try:
            body = {"display_name": name, "description": description, **self._in_namespace()}
            return str(self._ask("POST", "/pipelines", json=body)["pipeline_id"])
        except (Refused, Silent) as error:
            found = self.pipeline(name) if is_taken(error) else None
            if found is None:
                raise
            return found

    def versions(self, pipeline: str) -> Iterator[dict[str, Any]]:
        """Versions of a pipeline, the newest first."""
        return self._all(f"/pipelines/{pipeline}/versions", "pipeline_versions", sort_by="created_at desc")

    def upload_version(self, pipeline: str, name: str, title: str, description: str, ir: bytes) -> str:
        """Upload a version. Its name is unique in the pipeline; the title is what people see."""
        params = {"pipelineid": pipeline, "name": name, "display_name": title, "description": description}
        files = {"uploadfile": (f"{title}.yaml", ir, "application/yaml")}
        return str(self._ask("POST", "/pipelines/upload_version", params=params, files=files)["pipeline_version_id"])

    def delete_version(self, pipeline: str, version: str) -> None:
        """Remove a version."""
        self._ask("DELETE", f"/pipelines/{pipeline}/versions/{version}")

    def delete_pipeline(self, pipeline: str) -> None:
        """Remove a pipeline that has no versions."""
        self._ask("DELETE", f"/pipelines/{pipeline}")

    # Experiments

    def experiment(self, name: str) -> str:
        """Its id; made where there is none."""
        if found := self.find_experiment(name):
            return found
        try:
            answer = self._ask("POST", "/experiments", json={"display_name": name, **self._in_namespace()})
            return str(answer["experiment_id"])
        except (Refused, Silent) as error:
            found = self.find_experiment(name) if is_taken(error) else None
            if found is None:
                raise
            return found

    def find_experiment(self, name: str) -> str | None:
        """Its id, if there is one of that name."""
        params = {"filter": equals("display_name", name), **self._in_namespace()}
        found = self._ask("GET", "/experiments", params=params).get("experiments") or []
        return str(found[0]["experiment_id"]) if found else None

    def delete_experiment(self, experiment: str) -> None:
        """Remove an experiment; its runs are removed by themselves."""
        self._ask("DELETE", f"/experiments/{experiment}")

    # Runs

    def create_run(
        self, name: str, experiment: str, pipeline: str, version: str, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        """Start a run of a version."""
        return self._ask("POST", "/runs", json=self._job(name, experiment, pipeline, version, parameters))

    def _job(
        self, name: str, experiment: str, pipeline: str, version: str, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "display_name": name,
            "experiment_id": experiment,
            "pipeline_version_reference": {"pipeline_id": pipeline, "pipeline_version_id": version},
            "runtime_config": {"parameters": parameters},
        }

    def run(self, run: str) -> dict[str, Any]:
        """A run with the details of its tasks."""
        return self._ask("GET", f"/runs/{run}")

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """The newest runs of an experiment, a hundred at most: nobody here asks for older ones."""
        where = {"experiment_id": experiment, **self._in_namespace()}
        return list(islice(self._all("/runs", "runs", sort_by="created_at desc", **where), _PAGE))

    def terminate(self, run: str) -> None:
        """End a run; its pods are ended."""
        self._ask("POST", f"/runs/{run}:terminate")

    def retry(self, run: str) -> None:
        """Start a failed run again where it failed."""
        self._ask("POST", f"/runs/{run}:retry")

    def delete_run(self, run: str) -> None:
        """Remove a run and its workflow."""
        self._ask("DELETE", f"/runs/{run}")

    def nodes(self, run: dict[str, Any]) -> list[Node]:
        """The tasks of a run: by its workflow, where the server still tells it, else by its details."""
        details = (run.get("run_details") or {}).get("task_details") or []
        if self._has_workflows:
            try:
                answer = self.rest.ask("GET", f"/apis/v1beta1/runs/{run['run_id']}")
                text = ((answer or {}).get("pipeline_runtime") or {}).get("workflow_manifest") or ""
                if text and (found := nodes.of_workflow(json.loads(text))):
                    return found
            except Refused as refused:
                if refused.status not in (400, 404, 405, 410, 501):
                    raise
                self._has_workflows = False
            except ValueError:
                self._has_workflows = False
        return nodes.of_details(details)

    # Recurring runs

    def create_recurring_run(
        self,
        name: str,
        experiment: str,
        pipeline: str,
        version: str,
        parameters: dict[str, Any],
        trigger: dict[str, Any],
        *,
        catch_up: bool = False,
    ) -> str:
        """Start runs again and again, one at a time.

        Args:
            trigger: `periodic_schedule` or `cron_schedule`, as the API has them.
            catch_up: also those that were due before now.
        """
        body = {
            **self._job(name, experiment, pipeline, version, parameters),
            "max_concurrency": "1",
            "mode": "ENABLE",
            "no_catchup": not catch_up,
            "trigger": trigger,
        }
        return str(self._ask("POST", "/recurringruns", json=body)["recurring_run_id"])

    def recurring_run(self, recurring: str) -> dict[str, Any] | None:
        """A recurring run; None when it has been removed."""
        with _none_if_missing():
            return self._ask("GET", f"/recurringruns/{recurring}")
        return None

    def switch(self, recurring: str, *, on: bool) -> None:
        """Enable or disable a recurring run."""
        self._ask("POST", f"/recurringruns/{recurring}:{'enable' if on else 'disable'}")

    def delete_recurring_run(self, recurring: str) -> None:
        """Remove a recurring run; runs that it has started stay."""
        self._ask("DELETE", f"/recurringruns/{recurring}")

    # The UI's own

    def pod_log(self, run: str, pod: str, created: str = "") -> str:
        """What a pod has written, from Kubernetes or from the archive.

        Raises:
            Silent, Refused: there is no UI at this host, the log is gone.
        """
        params = {"podname": pod, "runid": run, "podnamespace": self.namespace, "createdat": created}
        return self._text("/k8s/pod/logs", params)

    def artifact(self, uri: str) -> str:
        """The beginning of what is stored under an artifact's URI, such as minio://mlpipeline/v2/artifacts/..."""
        source, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        params = {"source": source, "bucket": bucket, "key": key, "namespace": self.namespace}
        return self._text("/artifacts/get", params)

    def _text(self, path: str, params: dict[str, str]) -> str:
        try:
            answer = self.rest.client.get(path, params=params)
        except httpx.HTTPError as error:
            fix = "see that it is up, then run again"
            raise Silent(f"kubeflow does not answer: {error}", where=f"{self.host}{path}", fix=fix) from error
        if answer.is_error or answer.headers.get("content-type", "").startswith("text/html"):
            raise Refused(
                f"KFP's UI has no such text ({answer.status_code}): {told(answer)}",
                where=f"{self.host}{path}",
                fix="give --host the address of KFP's UI (ml-pipeline-ui), which also serves logs",
                status=answer.status_code,
            )
        return answer.text

    def page(self, run: str) -> str:
        """Where a person sees a run."""
        return f"{self.host}/#/runs/details/{run}"


def equals(key: str, value: str) -> str:
    """A filter, as kfp.client writes it."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def is_taken(error: Refused | Silent) -> bool:
    """Does the server say that the name is in use? Not every part of it says so by 409."""
    return getattr(error, "status", 0) == 409 or "already exist" in error.what.lower()


@contextlib.contextmanager
def _none_if_missing() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        if refused.status != 404:
            raise
