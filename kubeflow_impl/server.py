"""A Kubeflow Pipelines server by its own client: what the commands in this folder share."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import yaml
from kfp_server_api import V2beta1PipelineVersion as Version
from kfp_server_api import V2beta1Run as Run

from kubeflow_impl.pipeline import retrain

EXPERIMENT = "bakeoff"


class Server:
    """One server.

    Args:
        host: its address; by default what the client itself reads, KF_PIPELINES_ENDPOINT.
    """

    def __init__(self, host: str | None = None) -> None:
        self.client = kfp.Client(host, existing_token=os.environ.get("BAKEOFF_KFP_TOKEN"))
        #: For what `kfp.Client` leaves out: it is generated from the same API.
        self.rest = self.client._run_api.api_client
        self.experiment: str = self.client.create_experiment(EXPERIMENT).experiment_id

    def pipeline(self, name: str = retrain.name) -> str:
        """The id of a pipeline; `./bakeoff deploy kubeflow` uploads `retrain`."""
        if found := self.client.get_pipeline_id(name):
            return str(found)
        raise SystemExit(f"error: there is no pipeline {name}. What to do: run `./bakeoff deploy kubeflow`")

    def versions(self, pipeline: str) -> list[Version]:
        """The versions of a pipeline, the newest first."""
        found = self.client.list_pipeline_versions(pipeline, page_size=100, sort_by="created_at desc")
        return found.pipeline_versions or []

    def upload(self, pipeline: Any) -> Version:
        """Have a pipeline on the server, as the version of its content: what is there already is not uploaded again."""
        with tempfile.TemporaryDirectory() as folder:
            ir = Path(folder) / "ir.yaml"
            kfp.compiler.Compiler().compile(pipeline, str(ir))
            content = json.dumps(list(yaml.safe_load_all(ir.read_text())), sort_keys=True, default=str)
            name = hashlib.sha256(content.encode()).hexdigest()[:12]
            found = self.client.get_pipeline_id(pipeline.name)
            if found is None:
                api, empty = kfp_server_api.PipelineServiceApi(self.rest), kfp_server_api.V2beta1Pipeline
                found = api.pipeline_service_create_pipeline(empty(display_name=pipeline.name)).pipeline_id
            if same := [version for version in self.versions(found) if version.name == name]:
                return same[0]
            return self.client.upload_pipeline_version(str(ir), name, pipeline_id=found)

    def retry(self, run: str) -> None:
        """Start a failed run again where it failed: what has succeeded is kept."""
        kfp_server_api.RunServiceApi(self.rest).run_service_retry_run(run)

    def find(self, name: str) -> Run | None:
        """The newest run of a name."""
        named = {"operation": 1, "key": "display_name", "stringValue": name}  # 1: EQUALS
        wanted = json.dumps({"predicates": [named]})
        return next(iter(self.client.list_runs(experiment_id=self.experiment, filter=wanted).runs or []), None)

    def start(self, name: str, parameters: dict[str, Any], version: Version | None = None) -> tuple[Run, bool]:
        """Start a run, unless there is one of that name: Kubeflow has no other key that keeps two apart.

        Args:
            name: of the run.
            parameters: of the pipeline.
            version: which one to run; None: the newest.

        Returns:
            The run, and whether it is a new one.
        """
        if found := self.find(name):
            return found, False
        version = version or self.versions(self.pipeline())[0]
        ids = {"pipeline_id": version.pipeline_id, "version_id": version.pipeline_version_id}
        return self.client.run_pipeline(self.experiment, name, params=parameters, **ids), True
