from __future__ import annotations

import sqlite3
import subprocess
import sys

from benchmarks.places import ROOT, child_env

CREATE = """
import sys
from pathlib import Path
from benchmarks import stores
from shared.config import RetrainConfig

stores.STATE = Path(sys.argv[1])
store = {"state": sys.argv[2], "tracking_uri": f"sqlite:///{sys.argv[2]}/mlflow.db"}
stores.create(RetrainConfig.model_validate({"month": "2013-03", **store}))
"""


def test_two_that_create_their_first_store_at_once_do_not_disturb_each_other(tmp_path):
    both = [
        subprocess.Popen([sys.executable, "-c", CREATE, tmp_path, tmp_path / name], cwd=ROOT, env=child_env())
        for name in ("one", "other")
    ]
    assert [each.wait(timeout=120) for each in both] == [0, 0]
    for name in ("one", "other"):
        with sqlite3.connect(tmp_path / name / "mlflow.db") as store:
            assert store.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
