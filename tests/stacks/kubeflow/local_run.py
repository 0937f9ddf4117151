"""Run one of the adapter's pipelines as `kfp.local` does, in Kubeflow's environment: `local_run.py REQUEST.json`.

A script and no test: KFP cannot be imported where these tests run.
"""

import importlib
import json
import sys
from pathlib import Path

from kfp import local

from kubeflow_impl.pipeline import arguments

asked = json.loads(Path(sys.argv[1]).read_text())
module, _, name = asked["pipeline"].partition(":")
pipeline = getattr(importlib.import_module(module), name)
local.init(
    local.SubprocessRunner(use_venv=False), pipeline_root=asked["root"], raise_on_error=True, enable_caching=True
)
known = {key: value for key, value in arguments(asked["config"]).items() if key in pipeline.component_spec.inputs}
pipeline(**known, **asked["more"])
