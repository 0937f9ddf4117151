"""Run a Kedro project's pipeline `linear` from Python, as Kedro documents it: `python kedro_run.py 10` in the project.

Prints when the session was asked to run and when it had ended, in seconds since 1970.
"""

import json
import os
import sys
import time
from pathlib import Path

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

if __name__ == "__main__":
    os.environ["PEER_TASKS"] = sys.argv[1]
    bootstrap_project(Path.cwd())
    with KedroSession.create(project_path=Path.cwd()) as session:
        called = time.time()
        session.run(pipeline_names=["linear"])
        ended = time.time()
    print(json.dumps({"called": called, "ended": ended, "tasks": len(pipelines["linear"].nodes)}))
