"""The client against a fake server (`fake_kfp.py`): how it asks, and what it makes of answers that are no answers."""

from __future__ import annotations

import struct

import pytest

from benchmarks.kubeflow import mlmd
from benchmarks.kubeflow.api import KfpApi
from benchmarks.stacks.rest import Refused, Silent


@pytest.fixture
def api(fake):
    return KfpApi(fake.address)


@pytest.mark.parametrize(
    "health",
    [
        {"tag_name": "2.17.0", "commit_sha": "c0ffee", "multi_user": False, "pipeline_store": "database"},
        {"apiServerTagName": "2.17.0", "apiServerCommitHash": "c0ffee", "apiServerReady": True, "multi_user": False},
    ],
    ids=["the API server", "the UI"],
)
def test_the_version_is_read_from_the_api_server_and_from_the_ui(api, fake, health):
    fake.health = health
    assert api.health().model_dump() == {"version": "2.17.0", "commit": "c0ffee", "multi_user": False}


def test_a_ui_without_its_api_server_may_come_back(api, fake):
    fake.health = {"apiServerReady": False, "frontendTagName": "2.17.0"}
    with pytest.raises(Silent, match="not the API server behind it"):
        api.health()


def test_something_else_at_that_address_is_told(api, fake):
    fake.health = {"status": "ok"}
    with pytest.raises(Refused, match="no Kubeflow Pipelines API"):
        api.health()


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Refused), (400, Refused), (500, Silent), (503, Silent), (429, Silent)]
)
def test_what_may_pass_is_told_apart_from_what_will_not(api, fake, status, kind):
    fake.breaks = [("healthz", status, {"code": 13, "message": "as the server puts it"})]
    with pytest.raises(kind) as failed:
        api.health()
    assert kind is Silent or "as the server puts it" in failed.value.what


def test_an_error_page_of_a_proxy_is_one_readable_line(api, fake):
    fake.breaks = [("healthz", 404, "<html><head>x</head><body>\n<h1>404 Not Found</h1>\n<hr>nginx</body></html>")]
    with pytest.raises(Refused, match=r"\(404\): x 404 Not Found nginx \(where"):
        api.health()


@pytest.mark.parametrize(("status", "body"), [(200, "<html>Sign in</html>"), (302, "")])
def test_a_page_to_sign_in_is_no_silence(api, fake, status, body):
    fake.breaks = [("healthz", status, body)]
    with pytest.raises(Refused, match="a page, not Kubeflow's API") as failed:
        api.health()
    assert "BAKEOFF_KFP_TOKEN" in failed.value.fix


@pytest.mark.parametrize(("given", "what"), [("", "asks for a token"), ("wrong", "refuses the token")])
def test_a_missing_and_a_wrong_token_are_told(fake, given, what):
    fake.token = "right"
    with pytest.raises(Refused, match=what) as failed:
        KfpApi(fake.address, given).health()
    assert "BAKEOFF_KFP_TOKEN" in failed.value.fix
    assert "wrong" not in str(failed.value)
    assert KfpApi(fake.address, "right").health().version == "2.17.0"


def test_a_namespace_is_sent_only_to_a_server_for_several_users(api, fake):
    api.experiment("bakeoff")
    assert "namespace" not in fake.asked[-1][3]
    fake.health = {"tag_name": "2.17.0", "multi_user": True}
    KfpApi(fake.address, namespace="team").experiment("other")
    assert fake.asked[-1][3] == {"display_name": "other", "namespace": "team"}


def test_an_experiment_is_made_once(api, fake):
    assert api.experiment("bakeoff") == api.experiment("bakeoff")
    assert len(fake.experiments) == 1


def test_what_is_missing_is_none_and_not_an_error(api):
    assert api.pipeline("retrain") is None
    assert api.recurring_run("gone") is None
    with pytest.raises(Refused, match="Run gone not found"):
        api.run("gone")


def test_logs_come_through_the_ui_or_are_said_to_be_missing(api, fake):
    fake.logs["a-pod"] = "first\nlast\n"
    assert api.pod_log("run", "a-pod") == "first\nlast\n"
    with pytest.raises(Refused, match="pod not found"):
        api.pod_log("run", "another-pod")
    fake.breaks = [("k8s", 200, "<html>the page of an application</html>")]
    with pytest.raises(Refused, match="no such text"):
        api.pod_log("run", "a-pod")


def test_the_workflow_is_asked_for_until_a_server_has_none(api, fake):
    run = api.create_run("r", api.experiment("e"), "p", _version(api, fake), {})
    assert all(node.id for node in api.nodes(api.run(run["run_id"])))
    fake.has_v1 = False
    found = api.nodes(api.run(run["run_id"]))
    assert len(found) > 20
    assert not any(node.id for node in found), "the details do not tell the pods"
    fake.asked.clear()
    api.nodes(api.run(run["run_id"]))
    assert not [asked for asked in fake.asked if "v1beta1" in asked[1]], "it is not asked again for what it has not"


def _version(api, fake):
    return api.upload_version(api.create_pipeline("retrain", ""), "digest", "title", "", b"a: 1")


def test_metadata_of_a_run(api, fake):
    run = api.create_run("r", api.experiment("e"), "p", _version(api, fake), {})["run_id"]
    fake.artifacts[run] = [
        {"auc": 0.0, "log_loss": 0.5, "kept": True, "data_version": "d.dir", "type": "system.Metrics"}
    ]
    store = mlmd.Metadata(api.rest.client)
    [found] = store.artifacts(run)
    assert found == {
        "auc": 0.0,
        "log_loss": 0.5,
        "kept": True,
        "data_version": "d.dir",
        "type": "system.Metrics",
        "uri": "",
    }
    assert store.executions(run)[0]["state"] == 3


def test_a_metadata_store_that_is_not_there_is_told(api, fake):
    fake.breaks = [("ml_metadata", 503, "no healthy upstream")]
    with pytest.raises(Refused, match="HTTP 503"):
        mlmd.Metadata(api.rest.client).artifacts("run")
    with pytest.raises(Silent, match="metadata store does not answer"):
        mlmd.Metadata(KfpApi("http://127.0.0.1:1").rest.client).artifacts("run")


@pytest.mark.parametrize(
    "content", [b"\x00\x00", b"\x00\x00\x00\x00\x09abc", b"<html>", struct.pack(">BI", 0, 3) + b"\xff\xff\xff"]
)
def test_a_torn_answer_of_the_metadata_store_is_told(api, fake, content):
    fake.breaks = [("ml_metadata", 200, content)]
    with pytest.raises(Refused, match="the metadata store gives no answer"):
        mlmd.Metadata(api.rest.client).artifacts("run")


def test_an_error_in_the_trailer_is_an_error():
    trailer = b"grpc-status:5\r\ngrpc-message:no such context\r\n"
    with pytest.raises(ValueError, match="no such context"):
        mlmd.unframed(struct.pack(">BI", 0x80, len(trailer)) + trailer)
