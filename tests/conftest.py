"""Fixtures for every environment: the real months, and small repositories of real rows that a test may spoil."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from dvc.repo import Repo

from shared.config import RetrainConfig
from shared.datasets.flights import DATASET as FLIGHTS
from shared.files import write_window

# Typer takes GitHub Actions for a terminal with colours, and so would not print what tests look for.
os.environ.pop("GITHUB_ACTIONS", None)

ROOT = Path(__file__).resolve().parent.parent
SMALL_MONTHS = ["2013-01", "2013-02", "2013-03", "2013-04"]
ROWS_A_DAY = 60
SMALL_CONTRACT = {"min_rows": 1000}


@pytest.fixture(scope="session")
def months() -> Callable[[str], pd.DataFrame]:
    """Read one real month, whole."""

    def read(month: str) -> pd.DataFrame:
        return pd.read_parquet(ROOT / FLIGHTS.path(month))

    return read


@pytest.fixture(scope="session")
def _small_repo(tmp_path_factory: pytest.TempPathFactory, months: Callable[[str], pd.DataFrame]) -> Path:
    root = tmp_path_factory.mktemp("small") / "repo"
    folder = root / FLIGHTS.folder
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", root], check=True)
    for month in SMALL_MONTHS:
        frame = months(month)
        some = frame.groupby("flight_date").sample(ROWS_A_DAY, random_state=1).sort_index().reset_index(drop=True)
        write_window(some, folder / f"{month}.parquet")
    track(root, new=True)
    return root


def track(root: Path, *, new: bool = False) -> None:
    """Give the months in a repository a version."""
    repo = Repo.init(str(root)) if new else Repo(str(root))
    repo.add(str(root / FLIGHTS.folder))
    repo.close()


@pytest.fixture
def small_repo(_small_repo: Path, tmp_path: Path) -> Path:
    """A DVC repository with 60 real flights a day from January to April 2013; the test may change it."""
    root = tmp_path / "repo"
    shutil.copytree(_small_repo, root)
    return root


@pytest.fixture(scope="session")
def _blank_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from shared import tracking

    folder = tmp_path_factory.mktemp("store")
    tracking.connect(RetrainConfig(month="2013-03", state=folder)).search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def make_config(small_repo: Path, _blank_store: Path, tmp_path: Path) -> Callable[..., RetrainConfig]:
    """Make configs on the small repository, with one tracking store of their own."""
    state = tmp_path / "state"
    state.mkdir()
    shutil.copyfile(_blank_store, state / "mlflow.db")

    def make(month: str = "2013-03", **settings: object) -> RetrainConfig:
        base = {
            "state": state,
            "data_repo": str(small_repo),
            "contract": SMALL_CONTRACT,
            "events": state / "events.jsonl",
            "candidates": [{"name": "logistic_regression"}, {"name": "hist_gradient_boosting", "max_iter": 20}],
            # A fortieth of the flights makes intervals wide; the first challenger still beats the base rate.
            "request_id": f"test-{month}",
        }
        return RetrainConfig.model_validate({**base, "month": month, **settings})

    return make


@pytest.fixture
def spoil(small_repo: Path) -> Callable[..., None]:
    """Change one month of the small repository, and record the change as a new version (or not)."""

    def change(month: str, edit: Callable[[pd.DataFrame], pd.DataFrame], *, commit: bool = True) -> None:
        path = small_repo / FLIGHTS.path(month)
        frame = edit(pd.read_parquet(path))
        path.unlink()  # DVC's cache may share the file
        frame.to_parquet(path, index=False)
        if commit:
            track(small_repo)

    return change


@pytest.fixture
def python() -> str:
    """The interpreter that runs the tests."""
    return sys.executable
