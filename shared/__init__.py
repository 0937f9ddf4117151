"""The retraining core: one pipeline, written once, that knows nothing of who orchestrates it.

Start with `shared.steps` (the six steps every adapter calls) and `shared.pipeline` (the same steps as one process).
"""

import os

# Defaults for the libraries below us, set before any of them is imported; who has set them already keeps them.
# A tracking server that is down must be told in seconds; MLflow's own defaults retry for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
