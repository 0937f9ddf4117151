"""The data as pods fetch them: the data registry's files in an S3 bucket, as a DVC remote."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from benchmarks.places import child_env, python
from benchmarks.stacks import registry
from shared.errors import ConfigError, DataError

_PUSH_S = 600
_REMOTE = "object-store"


def push(remote: str, endpoint: str, key: str, secret: str, folder: Path = registry.FOLDER) -> str:
    """Build the registry and push its files to the object store; what is there already is not sent again.

    Args:
        remote: such as s3://mlpipeline/bakeoff/dvc; the bucket must be there.
        endpoint: of the object store, as this machine reaches it.
        key, secret: of S3. They are passed on by environment variables, and written nowhere.
        folder: of the registry.

    Returns:
        The registry's commit.

    Raises:
        DataError: the data are damaged, the store does not answer, or it says no.
    """
    commit = registry.build(folder)
    home = folder / "registry"
    # In the file that is never copied along: the registry's own remote stays what the pointers are published with.
    _dvc(home, "remote", "add", "--local", "--force", _REMOTE, remote)
    _dvc(home, "remote", "modify", "--local", _REMOTE, "endpointurl", endpoint)
    env = child_env(
        AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_EC2_METADATA_DISABLED="true", DVC_NO_ANALYTICS="1"
    )
    env.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # any: the client wants one
    env = {name: value for name, value in env.items() if name not in ("AWS_PROFILE", "AWS_SESSION_TOKEN")}
    done = _run(home, env, "push", "--remote", _REMOTE)  # --quiet would keep the cause to itself
    if done.returncode:
        raise _explained(done.stderr or done.stdout, remote, endpoint)
    return commit


def credentials() -> tuple[str, str] | None:
    """Key and secret of S3 out of the environment; None where they are not given."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    return (key, secret) if key and secret else None


def required_credentials() -> tuple[str, str]:
    """The same.

    Raises:
        ConfigError: one of them is missing.
    """
    found = credentials()
    if found is None:
        raise ConfigError(
            "the object store's key and secret are not given",
            where="environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
            fix="set both; in a Kind cluster of ours, `./bakeoff up kubeflow` brings the data by itself",
        )
    return found


def _explained(text: str, remote: str, endpoint: str) -> DataError:
    errors = [line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR: ")]
    told = " ".join("; ".join(errors or [text]).split())[-500:]
    if re.search(r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|403", text):
        what, fix = "the object store refuses the key", "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    elif re.search(r"NoSuchBucket|does not exist|404", text):
        what, fix = "there is no such bucket", "create it, or name another one by --data-remote"
    elif re.search(r"connect|Connection|endpoint URL|resolve|timed out", text, re.IGNORECASE):
        what, fix = "the object store does not answer", "see that --object-store is its S3 address as seen from here"
    else:
        what, fix = "the data cannot be pushed", "see what DVC says of it"
    return DataError(f"{what}: {told}", where=f"{remote} at {endpoint}", fix=fix)


def _dvc(home: Path, *words: str) -> None:
    done = _run(home, child_env(DVC_NO_ANALYTICS="1"), *words)
    if done.returncode:
        fix = f"remove {home.parent} and run again"
        raise DataError(f"`dvc {words[0]}` failed: {done.stderr.strip()[-300:]}", where=str(home), fix=fix)


def _run(home: Path, env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    dvc = python("kubeflow").parent / "dvc"
    try:
        return subprocess.run([dvc, *words], cwd=home, env=env, capture_output=True, text=True, timeout=_PUSH_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        fix = "run `./bakeoff setup kubeflow`, then again"
        raise DataError(f"`dvc {words[0]}` cannot be run: {error}", where=str(dvc), fix=fix) from error
