"""Compile the pipeline and give it to a server: the same IR is the same version, whoever uploads it, and when.

A version is called `{commit}-{digest}` where people see it. Its name is the digest, and the server lets a name be taken
only once in a pipeline (model.PipelineVersion, idx_pipelineid_name): of two people who upload at the same moment, one
is refused and takes the other's.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.kubeflow.api import KfpApi, is_taken
from benchmarks.kubeflow.server import make
from benchmarks.places import ROOT, child_env, python
from benchmarks.stacks.rest import Refused, Silent
from shared.errors import BakeoffError

PIPELINE = "retrain"
_DESCRIPTION = "Bake-off: train on all months before the chosen one; promote if the gate passes."
_COMPILE_S = 120


class CompileFailed(BakeoffError):
    """The pipeline does not compile."""


@dataclass(frozen=True)
class Ir:
    """A compiled pipeline."""

    content: bytes
    digest: str

    @property
    def images(self) -> list[str]:
        """The images that its tasks run."""
        executors = next(yaml.safe_load_all(self.content))["deploymentSpec"]["executors"].values()
        return sorted({executor["container"]["image"] for executor in executors})


@dataclass(frozen=True)
class Version:
    """A version of the pipeline on a server."""

    pipeline: str
    id: str
    title: str
    digest: str
    #: Has this call made them? Else they were there.
    made: bool
    made_pipeline: bool = False


def compile_ir(image: str, *command: str) -> Ir:
    """Compile the pipeline for one image, in KFP's own environment.

    Args:
        image: what its tasks run.
        command: another module that compiles to the file named behind it, and its words.

    Raises:
        ConfigError: the image is called latest.
        CompileFailed: the compiler says no.
    """
    make(host="http://127.0.0.1", mlflow="http://127.0.0.1", image=image)  # refuses a name that says no version
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "retrain.yaml"
        words: list[str | Path] = [python("kubeflow"), "-m", *(command or ("kubeflow_impl.pipeline",)), out]
        env = child_env(BAKEOFF_KFP_IMAGE=image)
        try:
            done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=_COMPILE_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            fix = "run `./bakeoff setup kubeflow`, then again"
            raise CompileFailed(f"the compiler cannot be run: {error}", where="kubeflow_impl", fix=fix) from error
        if done.returncode:
            told = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise CompileFailed(
                f"the pipeline does not compile: {told[-1]}",
                where="kubeflow_impl/pipeline.py",
                fix="correct it; `.venvs/kubeflow/bin/python -m kubeflow_impl.pipeline out.yaml` shows the whole error",
            )
        content = out.read_bytes()
    return Ir(content, digest(content))


def digest(ir: bytes) -> str:
    """Twelve hex digits that change when the pipeline does: not with the order of keys, or comments."""
    documents = list(yaml.safe_load_all(ir))
    return hashlib.sha256(json.dumps(documents, sort_keys=True, default=str).encode()).hexdigest()[:12]


def upload(api: KfpApi, ir: Ir, commit: str, name: str = PIPELINE) -> Version:
    """Have the IR on the server: as the version of its digest that is there, else as a new one.

    Raises:
        Silent, Refused: the server does not answer, or says no.
    """
    pipeline = api.pipeline(name)
    made_pipeline = pipeline is None
    pipeline = pipeline or api.create_pipeline(name, _DESCRIPTION)
    if found := _find(api, pipeline, ir.digest):
        return found
    title = f"{commit}-{ir.digest}"
    try:
        version = api.upload_version(pipeline, ir.digest, title, f"IR {ir.digest} of commit {commit}", ir.content)
    except (Refused, Silent) as error:
        # Somebody else was faster, or the answer to our own upload was lost.
        found = _find(api, pipeline, ir.digest) if is_taken(error) or isinstance(error, Silent) else None
        if found is None:
            raise
        return found
    return Version(pipeline, version, title, ir.digest, True, made_pipeline)


def _find(api: KfpApi, pipeline: str, digest: str) -> Version | None:
    for each in api.versions(pipeline):
        title = each.get("display_name") or ""
        if each.get("name") == digest or title.endswith(f"-{digest}"):
            return Version(pipeline, each["pipeline_version_id"], title, digest, False)
    return None


def commit() -> str:
    """Twelve digits of this checkout's commit, `-dirty` when it has changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "--short=12", "HEAD")
    return f"{head}-dirty" if head and git("status", "--porcelain", "-uno") else head or "unknown"
