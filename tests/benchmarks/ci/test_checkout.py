from __future__ import annotations

import subprocess

from benchmarks.ci.checkout import Checkout
from benchmarks.ci.workflow import Job, Values


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_a_repository_that_has_its_last_commit_alone_can_be_checked_out(tmp_path):
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    git(tmp_path, "init", "--quiet", str(whole))
    for text in ("one", "two"):
        (whole / "file").write_text(text)
        git(whole, "add", "--all")
        git(whole, "commit", "--quiet", "--message", text)
    git(tmp_path, "clone", "--quiet", "--depth", "1", whole.as_uri(), str(shallow))
    checkout = Checkout(Values({}), shallow, tmp_path / "below")
    checkout.restore(Job("any", ()))
    assert (checkout.folder / "file").read_text() == "two"
    checkout.close()
    assert list((tmp_path / "below").iterdir()) == []
