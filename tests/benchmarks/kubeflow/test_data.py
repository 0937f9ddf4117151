"""The data in an object store. `moto` is a real S3 server as far as the protocol goes; SeaweedFS it is not."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from benchmarks import processes
from benchmarks.kubeflow import data
from benchmarks.places import child_env, python
from shared.errors import ConfigError, DataError

REMOTE = "s3://mlpipeline/bakeoff/dvc"
READ_BACK = """
import json, sys
from pathlib import Path
from shared import data
from shared.config import RetrainConfig
config = RetrainConfig(month="2013-03", data_repo=sys.argv[1], data_remote=sys.argv[2])
version, files, _ = data.fetch_window(config, Path(sys.argv[3]))
print(json.dumps([version, files]))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The address of an S3 server with a bucket."""
    command = python("kubeflow").with_name("moto_server")
    if not command.exists():
        pytest.skip("there is no S3 server here: run `./bakeoff setup kubeflow --test`")
    port = processes.free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    server = processes.start([command, "-H", "127.0.0.1", "-p", str(port)], log, child_env(), log.parent)
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(retries=8), trust_env=False
        ) as client:  # retries until it listens
            assert client.put(f"http://127.0.0.1:{port}/mlpipeline", timeout=30).is_success
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop(server)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


def test_what_is_pushed_is_what_a_pod_fetches(store, registry, tmp_path):
    commit = data.push(REMOTE, store, "a-key", "a-secret", registry)
    assert data.push(REMOTE, store, "a-key", "a-secret", registry) == commit, "a second time changes nothing"
    clone = tmp_path / "as-in-the-image"
    subprocess.run(["git", "clone", "--quiet", registry / "registry", clone], check=True)
    keys = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_ENDPOINT_URL": store}
    command = [python("kubeflow"), "-c", READ_BACK, clone, REMOTE, tmp_path / "out"]
    done = subprocess.run(command, env=child_env(**keys), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    version, files = json.loads(done.stdout.splitlines()[-1])
    assert version.endswith(".dir")
    assert sorted(files) == ["2013-01", "2013-02", "2013-03"]


def test_no_credential_is_written_and_the_published_configuration_stays(store, registry):
    data.push(REMOTE, store, "a-key", "a-secret", registry)
    for path in registry.rglob("*"):
        if path.is_file() and "files" not in path.parts:
            assert b"a-secret" not in path.read_bytes(), path
    assert "s3://" not in (registry / "registry" / ".dvc" / "config").read_text()


def test_a_bucket_that_is_not_there_is_told(store, registry):
    with pytest.raises(DataError, match="there is no such bucket") as failed:
        data.push("s3://no-such-bucket/dvc", store, "a-key", "a-secret", registry)
    assert "--data-remote" in failed.value.fix


class Refuses(BaseHTTPRequestHandler):
    """An object store that does not know the key."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b"<Error><Code>InvalidAccessKeyId</Code><Message>unknown</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_PUT = do_POST = do_GET

    def log_message(self, *_):
        pass


def test_a_wrong_key_is_told(registry):
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        with pytest.raises(DataError, match="the object store refuses the key") as failed:
            data.push(REMOTE, f"http://127.0.0.1:{http.server_port}", "a-key", "a-secret", registry)
        http.shutdown()
    assert "AWS_SECRET_ACCESS_KEY" in failed.value.fix
    assert "a-secret" not in str(failed.value)


def test_credentials_come_from_the_environment_or_their_lack_is_told(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    assert data.credentials() is None
    with pytest.raises(ConfigError, match="key and secret are not given"):
        data.required_credentials()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    assert data.required_credentials() == ("a-key", "a-secret")


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ("ERROR: unexpected error - Could not connect to the endpoint URL: x", "the object store does not answer"),
        ("ERROR: unexpected error - An error occurred (SignatureDoesNotMatch)", "the object store refuses the key"),
        ("ERROR: something new", "the data cannot be pushed: something new"),
    ],
)
def test_what_dvc_says_is_told_in_our_words(told, what):
    assert data._explained(f"{told}\nHaving any troubles?", REMOTE, "http://store").what.startswith(what)
