"""The first checks of a Kubeflow Pipelines server: what has to be there before anything is run."""

from __future__ import annotations

import httpx
from rich.console import Console

from benchmarks import dataset, environments, results, retraining
from benchmarks.kubeflow import deploy
from benchmarks.kubeflow.api import KfpApi
from benchmarks.kubeflow.mlmd import Metadata
from benchmarks.kubeflow.server import Server, token
from benchmarks.kubeflow.stack_arm import VERSIONS, bring_data, is_known
from benchmarks.kubeflow.verify import Facts, Options, unmet
from benchmarks.places import ENVIRONMENT, STATE, ArmName
from benchmarks.stacks.rest import is_this_machine
from shared.config import RetrainConfig

_SDK = ("kfp", "kfp-kubernetes", "kfp-server-api", "kfp-pipeline-spec")


class Ready:
    """What the checks of one verification share, and the first of them.

    Args:
        server: what is verified.
        options: how.
        facts: receives what the report tells.
        console: for the progress of runs.
    """

    def __init__(self, server: Server, options: Options, facts: Facts, console: Console) -> None:
        self.server, self.options, self.facts, self.console = server, options, facts, console
        self.api = KfpApi(server.host, token(), server.namespace)
        self.metadata = Metadata(self.api.rest.client)
        self.folder = STATE / "verify" / facts.id
        self.ir: deploy.Ir | None = None
        self.version: deploy.Version | None = None
        self.made: deploy.Version | None = None
        self.monthly: deploy.Version | None = None
        self.plain: list[results.Retraining] = []
        self.plain_log: list[tuple[str, int | None]] = []
        self.done: list[results.Retraining] = []
        self.runs: list[str] = []
        self.failed = ""
        self.recurring: list[str] = []

    def close(self) -> None:
        """Close the connection."""
        self.api.rest.close()

    def answers(self) -> str:
        health = self.api.health()
        self.facts.versions["kfp-server"] = health.version
        users = "several users" if health.multi_user else "one user"
        return f"KFP {health.version}, for {users}"

    def is_known(self) -> str:
        environments.ensure(ENVIRONMENT[ArmName.KUBEFLOW])
        packages = environments.packages(ENVIRONMENT[ArmName.KUBEFLOW])
        self.facts.versions |= {name: packages[name] for name in _SDK if name in packages}
        self.facts.versions |= results.versions(ArmName.KUBEFLOW)
        version = self.facts.versions["kfp-server"]
        told = f"server {version}, SDK {packages.get('kfp')}"
        if is_known(version):
            return told
        if self.options.any_version:
            return f"{told}: another line than {VERSIONS[0]}, and --any-version says to go on"
        raise unmet(told, f"verify a server of KFP {VERSIONS[0]}, or add --any-version to try this one all the same")

    def mlflow_answers(self) -> str:
        try:
            away = not is_this_machine(self.server.mlflow)
            httpx.get(f"{self.server.mlflow}/health", timeout=10, trust_env=away).raise_for_status()
            version = httpx.get(f"{self.server.mlflow}/version", timeout=10, trust_env=away)
        except httpx.HTTPError as error:
            raise unmet(f"it does not: {error}", "correct --mlflow: its address as this machine reaches it") from error
        self.facts.versions["mlflow-server"] = version.text.strip() if version.is_success else "unknown"
        # What needs a password says so here, and not at /health.
        from shared import registry

        registry.champion(self._config())
        return f"MLflow {self.facts.versions['mlflow-server']}"

    def compiles(self) -> str:
        environments.ensure(ENVIRONMENT[ArmName.KUBEFLOW])
        self.ir = deploy.compile_ir(self.server.image)
        self.facts.ir_digest = self.ir.digest
        if self.ir.images != [self.server.image]:
            raise unmet(f"images: {', '.join(self.ir.images)}", "see kubeflow_impl/components.py: all take one image")
        return f"digest {self.ir.digest}, image {self.server.image}"

    def data_are_there(self) -> str:
        dataset.ensure()
        commit = bring_data(self.server)
        if commit:
            return f"pushed: registry {commit[:12]}"
        return (
            "not pushed (no --object-store and --data-remote with keys): taken to be there, and the first run shows it"
        )

    def one_version(self) -> str:
        assert self.ir is not None
        first = deploy.upload(self.api, self.ir, deploy.commit())
        self.made = first if first.made else None
        second = deploy.upload(self.api, self.ir, deploy.commit())
        same = [each for each in self.api.versions(first.pipeline) if each.get("name") == self.ir.digest]
        if second.made or second.id != first.id or len(same) > 1:
            ids = f"{first.id}, then {second.id}; {len(same)} of that digest"
            raise unmet(f"versions {ids}", "see whether somebody removes versions, then run it again")
        self.version = first
        return f"{first.title} ({'made' if first.made else 'was there already'}), and the same again"

    def _config(self, **more: object) -> RetrainConfig:
        store = {"tracking_uri": self.server.mlflow, "artifact_location": None, "model_name": self.facts.name}
        [config] = retraining.make_configs([self.options.month], self.folder / "kubeflow", {**store, **more})
        return config
