"""The verifier against a fake server (`fake_kfp.py`): that it notices, tells and cleans up. It verifies no KFP here.

In the whole verification the steps are real, MLflow is a real server and the plain run is real; the scheduler is not.
"""

from __future__ import annotations

import io
import json

import httpx
import pytest
from mlflow import MlflowClient
from rich.console import Console

from benchmarks import processes
from benchmarks.kubeflow import verify as verifying
from benchmarks.kubeflow import verify_end, verify_more
from benchmarks.kubeflow.verify import Check, Options, Report, unmet
from benchmarks.kubeflow.verify_checks import Checks
from benchmarks.places import ROOT, child_env, python
from benchmarks.stacks import arms
from tests.benchmarks.kubeflow.executing import Executing


def quiet():
    return Console(file=io.StringIO(), width=200)


def rows_of(*checks, hide=str):
    rows = []
    verifying.run(list(checks), rows, quiet(), hide)
    return rows


def fails(error):
    def run():
        raise error

    return run


# The rows


def test_a_check_that_needs_a_failed_one_is_skipped_and_says_why():
    rows = rows_of(
        Check("a", "first", "x", fails(unmet("y", "do z"))),
        Check("b", "second", "x", lambda: "never", ("a",)),
        Check("c", "third", "x", lambda: "never", ("b",)),
        Check("d", "fourth", "x", lambda: "found"),
        Check("e", "last", "x", lambda: "cleaned", always=True),
    )
    assert [row.status for row in rows] == ["failed", "skipped", "skipped", "ok", "ok"]
    assert (rows[0].found, rows[0].next_step) == ("y", "do z")
    assert rows[1].found == "not run, for lack of: a"


@pytest.mark.parametrize("error", [KeyError("state"), TypeError("None"), AssertionError(), ZeroDivisionError("x")])
def test_an_answer_that_nobody_has_thought_of_is_a_row_and_no_traceback(error):
    [row] = rows_of(Check("a", "first", "x", fails(error)))
    assert row.status == "failed"
    assert type(error).__name__ in row.found
    assert "issue" in row.next_step


def test_ctrl_c_still_cleans_up():
    rows, cleaned = [], []
    checks = [
        Check("a", "first", "x", fails(KeyboardInterrupt())),
        Check("b", "second", "x", lambda: "never"),
        Check("c", "last", "x", lambda: cleaned.append(1) or "cleaned", always=True),
    ]
    with pytest.raises(KeyboardInterrupt):
        verifying.run(checks, rows, quiet())
    assert [row.status for row in rows] == ["failed", "skipped", "ok"]
    assert cleaned


# What a report must not tell


def test_a_report_names_no_secret_no_address_and_no_folder(make_server, monkeypatch):
    monkeypatch.setenv("BAKEOFF_KFP_TOKEN", "t0ken-of-mine")
    server = make_server("https://kfp.corp.example/pipeline", mlflow="https://mlflow.corp.example:8443")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA1234")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-of-mine")
    hide = verifying.Hidden(server)
    text = hide(
        f"https://kfp.corp.example/pipeline/apis/v2beta1/healthz refuses t0ken-of-mine; {ROOT}/data/x; s3cr3t-of-mine, "
        "AKIA1234; mlflow.corp.example:8443; registry.example/team/bakeoff-kubeflow:abc; /home/someone/a/b.txt (data/a)"
    )
    for word in ("corp.example", "t0ken", "s3cr3t", "AKIA", str(ROOT), "registry.example", "someone"):
        assert word not in text
    assert "<KFP>/apis/v2beta1/healthz" in text
    assert "bakeoff-kubeflow:abc" in text
    assert "(data/a)" in text


# Servers that are not what they should be


def verify(server, tmp_path, **options):
    path = tmp_path / "report.json"
    report = verifying.verify(server, Options(**options), quiet(), write_to=path)
    written = path.read_text()
    assert Report.model_validate_json(written) == report
    assert str(ROOT) not in written
    assert server.host not in written
    return report, {row.name: row for row in report.rows}


def test_a_server_that_does_not_answer(make_server, tmp_path):
    report, rows = verify(make_server("http://127.0.0.1:1"), tmp_path)
    assert not report.ok
    assert rows["server"].found.startswith("kubeflow does not answer")
    assert rows["mlflow"].status == "failed"
    assert rows["ir"].status == "ok", "what needs no server is found out all the same"
    assert {rows[name].status for name in ("upload", "plain", "first", "parity", "recurring")} == {"skipped"}
    assert rows["cleanup"].status == "ok"


def test_a_server_of_another_version_is_refused_unless_told_to_go_on(fake, make_server, tmp_path):
    fake.version = "2.15.2"
    _, rows = verify(make_server(fake.address), tmp_path)
    assert rows["versions"].found == "server 2.15.2, SDK 2.17.0"
    assert "--any-version" in rows["versions"].next_step
    assert rows["upload"].status == "skipped"
    assert not fake.versions
    _, rows = verify(make_server(fake.address), tmp_path, any_version=True)
    assert rows["versions"].status == "ok"
    assert rows["upload"].status == "ok"
    assert rows["cleanup"].status == "ok"
    assert not fake.versions, "what verifying has uploaded is gone again"


def test_a_wrong_token_is_told(fake, make_server, tmp_path, monkeypatch):
    fake.token = "right"
    server = make_server(fake.address)
    monkeypatch.setenv("BAKEOFF_KFP_TOKEN", "a-wrong-one")
    report, rows = verify(server, tmp_path)
    assert "refuses the token (401)" in rows["server"].found
    assert "a-wrong-one" not in report.model_dump_json()


def test_uploads_that_make_two_versions_are_noticed(fake, make_server, tmp_path):
    """A server whose lists lag behind, and that takes a name twice."""
    fake.breaks = [("GET /apis/v2beta1/pipelines/[^/]+/versions", 200, {})]
    fake._upload_version = lambda query, body: (200, {"pipeline_version_id": fake.new_id("version")})
    _, rows = verify(make_server(fake.address), tmp_path)
    assert rows["upload"].status == "failed"
    assert rows["upload"].found.startswith("versions version-")


# The whole


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    """A real MLflow server."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = processes.free_port()
    command = [python("core").parent / "mlflow", "server", "--port", str(port), "--host", "127.0.0.1", "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    env = child_env(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    server = processes.start(command, folder / "log", env, folder)
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), trust_env=False) as client:  # until it listens
            assert client.get(f"{address}/health", timeout=30).is_success, processes.tail(folder / "log")
        yield address
    finally:
        processes.stop(server)


@pytest.fixture(scope="module")
def plain_results():
    return {}


@pytest.fixture
def fast(monkeypatch, plain_results):
    """Polling as fast as a test wants it, and the plain runs once: they are the same for every verification."""
    really = Checks.plain_runs

    def plain_runs(self):
        if not plain_results:
            plain_results["found"] = really(self)
            plain_results["facts"] = self.plain, self.plain_log
        self.plain, self.plain_log = plain_results["facts"]
        return plain_results["found"]

    monkeypatch.setattr(Checks, "plain_runs", plain_runs)
    monkeypatch.setattr(arms, "POLL_S", 0.05)
    monkeypatch.setattr(verify_end, "_POLL_S", 0.01)
    monkeypatch.setattr(verify_more, "_POLL_S", 0.1)
    return {"month": "2013-02", "every_s": 1, "appear_s": 5.0, "settle_s": 0.3, "timeout_s": 60}


def test_a_whole_verification(mlflow, make_server, tmp_path, fast):
    with Executing(mlflow) as fake:
        report, rows = verify(make_server(fake.address, mlflow=mlflow), tmp_path, **fast)
        assert {name: row.found for name, row in rows.items() if row.status != "ok"} == {}
        assert report.ok
        assert report.versions["kfp-server"] == "2.17.0"
        assert rows["cache"].found == "cached by workflow: fetch; metadata: fetch"
        assert rows["artifacts"].found.endswith("the verdict's text in the object store agrees too")
        assert rows["cause"].found.startswith("shared.errors.DataError: the data contract is broken")
        left = {**fake.runs, **fake.recurring, **fake.experiments, **fake.versions, **fake.pipelines}
        assert not left
    client = MlflowClient(mlflow)
    assert not client.search_registered_models()
    assert [each.name for each in client.search_experiments()] == ["Default"]
    assert json.loads((tmp_path / "report.json").read_text())["ir_digest"] == report.ir_digest


def test_a_verification_that_must_fail_does(mlflow, make_server, tmp_path, fast):
    """Pods that train other models than they were told, a cache that forgets, a schedule that stays on."""
    smaller = [{"name": "logistic_regression"}, {"name": "hist_gradient_boosting", "max_iter": 20}]
    with Executing(mlflow) as fake:
        fake.spoil = lambda settings: (settings.update(candidates=smaller), fake.fetched.clear())
        fake._switch = lambda query, body, recurring, how: (200, {})
        report, rows = verify(make_server(fake.address, mlflow=mlflow), tmp_path, **fast)
        assert not report.ok
        assert "model_digest" in rows["parity"].found
        assert rows["cache"].status == "failed"
        assert rows["recurring"].found == "switched off, but ENABLED"
        assert rows["cleanup"].status == "ok"
        assert not {**fake.runs, **fake.recurring}
