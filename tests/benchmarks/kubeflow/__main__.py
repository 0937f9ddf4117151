"""Serve the fake of Kubeflow Pipelines until it is stopped, with the pipeline `retrain` on it, for other tools' tests.

python -m tests.benchmarks.kubeflow --port 8888                                        # a run succeeds at once
python -m tests.benchmarks.kubeflow --port 8888 --tracking-uri http://127.0.0.1:5000   # a run runs the real steps
"""

import argparse
import threading

from benchmarks.kubeflow.api import KfpApi
from benchmarks.places import ROOT
from tests.benchmarks.kubeflow.executing import Executing
from tests.benchmarks.kubeflow.fake_kfp import FakeKfp

IR = ROOT / "tests" / "kubeflow_impl" / "retrain.yaml"


def with_pipeline(fake: FakeKfp) -> None:
    """Put the compiled pipeline on a server."""
    api = KfpApi(fake.address)
    api.upload_version(api.create_pipeline("retrain", "Monthly retraining"), "first", "first", "", IR.read_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--tracking-uri", help="MLflow of the real steps")
    asked = parser.parse_args()
    where = (asked.host, asked.port)
    with Executing(asked.tracking_uri, *where) if asked.tracking_uri else FakeKfp(*where) as fake:
        with_pipeline(fake)
        print(f"a fake of Kubeflow Pipelines at {fake.address}", flush=True)
        threading.Event().wait()
