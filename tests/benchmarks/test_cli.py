from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time

import pytest
from filelock import FileLock

from benchmarks.places import ROOT, STATE
from shared import datasets


def bakeoff(*arguments, **env):
    start = time.perf_counter()
    done = subprocess.run(
        [ROOT / "bakeoff", *arguments], capture_output=True, text=True, env={**os.environ, **env}, timeout=120
    )
    return done, time.perf_counter() - start


@pytest.mark.parametrize("arm", ["plain", "prefect", "airflow", "kubeflow"])
@pytest.mark.parametrize(
    ("month", "message"),
    [("2014-01", "there is no month 2014-01"), ("2013-01", "no earlier one to train on"), ("May", "month")],
)
def test_a_bad_month_is_told_before_work_starts(arm, month, message, tmp_path):
    done, seconds = bakeoff("retrain", "--on", arm, "--month", month, "--state", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("error:")
    assert message in done.stderr
    assert "What to do:" in done.stderr
    assert not list(tmp_path.iterdir())
    assert seconds < 10


@pytest.mark.parametrize(
    ("dataset", "window", "message"),
    [
        ("rain", "2014-05", "there is no quarter 2014-05 (where: month). What to do: choose from 2012-Q2 to 2015-Q4"),
        ("rain", "2012-Q1", "2012-Q1 is the first quarter: no earlier one to train on"),
        ("flights", "2014-Q1", "there is no month 2014-Q1"),
        ("snow", "2014-Q1", "there is no data set snow (where: dataset). What to do: choose from flights"),
    ],
)
def test_a_bad_data_set_or_window_is_told_before_work_starts(dataset, window, message, tmp_path):
    done, _ = bakeoff("retrain", "--on", "plain", "--dataset", dataset, "--month", window, "--state", str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


def test_another_data_set_is_retrained_on_request(tmp_path):
    """And the walk-through shows what that prints."""
    shown = (ROOT / "docs" / "your-own-pipeline.md").read_text()
    for quarter in ("2013-Q1", "2013-Q2"):
        request = ("--on", "plain", "--dataset", "rain", "--month", quarter)
        done, _ = bakeoff("retrain", *request, "--state", str(tmp_path))
        assert done.returncode == 0, done.stderr
        verdict, evidence, _ = done.stdout.splitlines()
        assert f"$ ./bakeoff retrain {' '.join(request)}\n{verdict}\n{evidence}\n" in shown


def test_the_help_names_the_data_sets():
    done, _ = bakeoff("retrain", "--help", COLUMNS="200", TERM="dumb")
    assert " or ".join(datasets.names()) in done.stdout


def test_an_unknown_arm_is_told():
    done, _ = bakeoff("retrain", "--on", "luigi", "--month", "2013-05")
    assert done.returncode == 2
    assert "luigi" in done.stderr


@pytest.mark.parametrize("command", [["demo"], ["retrain", "--on", "plain", "--month", "2013-05"]])
def test_a_folder_that_cannot_be_written_is_told(command, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done, seconds = bakeoff(*command, "--state", str(tmp_path / "file" / "below"))
    assert done.returncode == 1
    assert "error: the folder cannot be written" in done.stderr
    assert seconds < 10


def test_a_port_in_use_is_told(tmp_path):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done, _ = bakeoff(
            "retrain", "--on", "airflow", "--month", "2013-03", "--port", str(port), "--state", str(tmp_path)
        )
    assert done.returncode == 1
    assert f"port {port} is in use" in done.stderr
    assert "--port" in done.stderr


def test_a_second_run_on_the_same_airflow_database_is_told(tmp_path):
    home = STATE / "homes" / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "in-use.lock"):
        done, _ = bakeoff("retrain", "--on", "airflow", "--month", "2013-03", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "another run of this checkout is using Airflow's database" in done.stderr


def test_the_data_can_be_checked():
    done, _ = bakeoff("data", "check")
    assert done.returncode == 0
    assert "flights: 12 files, 4.26 MB, unchanged: data version " in done.stdout
    assert "rain: 16 files, 0.07 MB, unchanged: data version " in done.stdout
    assert len(done.stdout.splitlines()) == len(datasets.names())


def test_without_a_fitting_python_the_launcher_says_what_to_install(tmp_path):
    shutil.copy(ROOT / "bakeoff", tmp_path)
    (tmp_path / "locks").mkdir()
    shutil.copy(ROOT / "locks" / "core.txt", tmp_path / "locks")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("dirname", "cat", "cmp"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tools / "python3").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", tmp_path / "bakeoff", "--help"], capture_output=True, text=True, env={"PATH": str(tools)}
    )
    assert done.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13 on PATH" in done.stderr


def test_a_nonsense_number_of_rows_is_told():
    done, seconds = bakeoff("data", "scale", "--rows", "3_000")
    assert done.returncode == 1
    assert "3,000 rows cannot be made" in done.stderr
    assert "choose from 200,000 to 100,000,000" in done.stderr
    assert not (STATE / "scale" / "3000").exists()
    assert seconds < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--on", "plain", "--stack", "compose"], "there is no compose stack of plain"),
        (["--on", "kubeflow", "--stack", "compose"], "there is no compose stack of kubeflow"),
        (["--on", "airflow", "--stack", "compose", "--env-file", "none"], "run `./bakeoff up airflow --env-file none`"),
        (["--on", "airflow", "--stack", "compose", "--port", "8080"], "a stack has an MLflow and ports of its own"),
    ],
)
def test_a_stack_that_cannot_be_is_told(arguments, message, tmp_path):
    done, seconds = bakeoff("retrain", "--month", "2013-03", "--state", str(tmp_path), *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert not list(tmp_path.iterdir())
    assert seconds < 10
