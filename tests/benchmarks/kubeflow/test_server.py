from __future__ import annotations

import pytest

from benchmarks.kubeflow import server
from benchmarks.kubeflow.cli import server_of
from benchmarks.places import ArmName
from shared.errors import ConfigError

FIELDS = {"host": "http://kfp.example/", "mlflow": "https://mlflow.example", "image": "bakeoff-kubeflow:abc"}


def test_what_up_writes_is_what_a_client_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "STATE", tmp_path)
    made = server.make(**FIELDS, context="kind-bakeoff-kubeflow")
    server.write(made, "bakeoff-kubeflow")
    assert server.read("bakeoff-kubeflow") == made
    assert made.host == "http://kfp.example"


def test_no_server_is_told_with_the_command_that_makes_one(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "STATE", tmp_path)
    with pytest.raises(ConfigError, match="no Kubeflow Pipelines server is known") as failed:
        server.read("bakeoff-kubeflow")
    assert "./bakeoff up kubeflow" in failed.value.fix


@pytest.mark.parametrize("text", ["", "[]", "{", '{"host": "x"}', '{"host": "http://x", "more": 1}'])
def test_a_damaged_description_is_told(tmp_path, monkeypatch, text):
    monkeypatch.setattr(server, "STATE", tmp_path)
    server.path("c").parent.mkdir(parents=True)
    server.path("c").write_text(text)
    with pytest.raises(ConfigError):
        server.read("c")


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("host", "kfp.example", "begins with http"),
        ("host", "http://user:secret@kfp.example", "credentials do not belong"),
        ("image", "bakeoff-kubeflow", "another image every day"),
        ("image", "registry:5000/bakeoff-kubeflow", "another image every day"),
        ("image", "bakeoff-kubeflow:latest", "another image every day"),
        ("data_remote", "gs://bucket", "S3 bucket"),
        ("data_remote", "s3://", "S3 bucket"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_option(field, value, what):
    with pytest.raises(ConfigError, match=what) as failed:
        server.make(**{**FIELDS, field: value})
    assert failed.value.where == f"--{field.replace('_', '-')}"
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("image", ["registry:5000/x:1", "x@sha256:00", "x:latest@sha256:00"])
def test_an_image_of_one_version_is_taken(image):
    assert server.make(**{**FIELDS, "image": image}).image == image


@pytest.mark.parametrize(
    ("mlflow", "in_pods", "sent"),
    [
        ("http://127.0.0.1:5000", None, None),
        ("http://localhost:5000", None, None),
        ("http://[::1]:5000", None, None),
        ("http://mlflow.example", None, "http://mlflow.example"),
        ("http://127.0.0.1:5000", "http://bakeoff-mlflow.kubeflow:5000", "http://bakeoff-mlflow.kubeflow:5000"),
    ],
)
def test_pods_are_never_sent_to_themselves(mlflow, in_pods, sent):
    assert server.make(**{**FIELDS, "mlflow": mlflow}, mlflow_in_pods=in_pods).tracking_uri_in_pods == sent


def test_a_cluster_is_called_as_up_calls_it(tmp_path):
    env = tmp_path / "env"
    env.write_text("STACK=mine\n")
    assert server.cluster_of(env) == "mine-kubeflow"
    assert server.cluster_of(env, "arn:aws:eks/x") == "arn-aws-eks-x"


def test_options_change_the_server_that_up_has_left(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "STATE", tmp_path)
    env = tmp_path / "env"
    env.write_text("STACK=mine\n")
    server.write(server.make(**FIELDS), "mine-kubeflow")
    found = server_of(ArmName.KUBEFLOW, None, None, image="other:1", env_file=env)
    assert (found.host, found.image) == ("http://kfp.example", "other:1")


@pytest.mark.parametrize(
    ("on", "options", "what"),
    [
        (ArmName.AIRFLOW, {}, "no cluster for airflow"),
        (ArmName.KUBEFLOW, {"host": "http://x", "image": "x:1"}, "needs --mlflow too"),
        (ArmName.KUBEFLOW, {"host": "http://x", "mlflow": "http://x"}, "needs --image too"),
        (
            ArmName.KUBEFLOW,
            {"host": "http://x", "mlflow": "http://x", "image": "x:1", "object_store": "http://x"},
            "without a bucket",
        ),
    ],
)
def test_options_that_do_not_go_together_are_told(on, options, what):
    host, mlflow = options.pop("host", None), options.pop("mlflow", None)
    with pytest.raises(ConfigError, match=what):
        server_of(on, host, mlflow, **options)
