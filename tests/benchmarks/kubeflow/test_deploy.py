"""Compiling for real; uploading to a fake server (`fake_kfp.py`), which shows our own paths only."""

from __future__ import annotations

import copy
import json
import subprocess

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.kubeflow import deploy
from benchmarks.kubeflow.api import KfpApi
from benchmarks.places import ROOT
from benchmarks.stacks.rest import Refused, Silent
from shared.errors import ConfigError

IMAGE = "bakeoff-kubeflow:0123456789ab"
_names = st.text("abcdef-", min_size=1, max_size=6)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("xyz # :", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=12,
)
_documents = st.lists(st.dictionaries(_names, _values, min_size=1, max_size=4), min_size=1, max_size=2)


@pytest.fixture(scope="module")
def ir():
    return deploy.compile_ir(IMAGE)


@pytest.fixture
def api(fake):
    return KfpApi(fake.address)


def text_of(documents, *, reverse=False):
    def turned(value):
        if isinstance(value, dict):
            items = list(value.items())
            return {name: turned(each) for name, each in (items[::-1] if reverse else items)}
        return [turned(each) for each in value] if isinstance(value, list) else value

    return yaml.safe_dump_all([turned(each) for each in documents], sort_keys=False).encode()


@given(_documents)
def test_neither_order_of_keys_nor_comments_change_the_digest(documents):
    plain = deploy.digest(text_of(documents))
    assert deploy.digest(text_of(documents, reverse=True)) == plain
    assert deploy.digest(b"# PIPELINE DEFINITION\n" + text_of(documents)) == plain
    assert len(plain) == 12


@given(_documents, _documents)
def test_different_pipelines_have_different_digests(one, other):
    def same(a, b):  # True == 1 in Python, not in YAML
        return type(a) is type(b) and (
            (a.keys() == b.keys() and all(same(a[name], b[name]) for name in a))
            if isinstance(a, dict)
            else (len(a) == len(b) and all(map(same, a, b)))
            if isinstance(a, list)
            else a == b
        )

    assert (deploy.digest(text_of(one)) == deploy.digest(text_of(other))) == same(one, other)


def test_any_leaf_of_the_real_pipeline_changes_its_digest(ir):
    documents = list(yaml.safe_load_all(ir.content))
    paths = list(_leaves(documents))
    assert len(paths) > 300
    for path in paths[::25]:
        changed = copy.deepcopy(documents)
        holder = changed
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = f"{holder[path[-1]]} changed"
        assert deploy.digest(yaml.safe_dump_all(changed).encode()) != ir.digest, path


def _leaves(value, path=()):
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(each, (*path, key))
    else:
        yield path


def test_the_image_is_in_the_compiled_pipeline_and_so_in_its_digest(ir):
    assert ir.images == [IMAGE]
    assert len(list(yaml.safe_load_all(ir.content))) == 2, "the pipeline, and what pods are told"
    assert deploy.compile_ir(IMAGE).digest == ir.digest
    assert deploy.compile_ir("bakeoff-kubeflow:ba9876543210").digest != ir.digest


@pytest.mark.parametrize("image", ["bakeoff-kubeflow:latest", "registry.example/bakeoff-kubeflow"])
def test_an_image_without_a_version_is_not_deployed(image):
    with pytest.raises(ConfigError, match="another image every day"):
        deploy.compile_ir(image)


def test_the_same_pipeline_is_the_same_version(api, fake, ir):
    first = deploy.upload(api, ir, "c0ffeec0ffee")
    again = deploy.upload(api, ir, "decafdecaf00-dirty")
    assert first.made
    assert first.made_pipeline
    assert not again.made
    assert again.id == first.id
    assert first.title == f"c0ffeec0ffee-{ir.digest}"
    [version] = fake.versions.values()
    assert version["uploaded"] == ir.content


def test_a_version_is_found_on_a_later_page(api, fake, ir):
    first = deploy.upload(api, ir, "c0ffeec0ffee")
    for number in range(5):
        deploy.upload(api, deploy.Ir(b"a: 1", f"digest{number}"), "later")
    assert deploy.upload(api, ir, "much-later").id == first.id


def test_who_loses_the_race_takes_the_others_version(api, fake, ir, monkeypatch):
    """Both look, and see none; the other one uploads first."""
    other = KfpApi(fake.address)
    find, looked = deploy._find, []

    def and_then_the_other_uploads(api, pipeline, digest):
        found = find(api, pipeline, digest)
        if not looked:
            looked.append(other.upload_version(pipeline, digest, f"theirs-{digest}", "", ir.content))
        return found

    monkeypatch.setattr(deploy, "_find", and_then_the_other_uploads)
    mine = deploy.upload(api, ir, "mine")
    assert (mine.made, mine.id, mine.title) == (False, looked[0], f"theirs-{ir.digest}")
    assert len(fake.versions) == 1


def test_a_pipeline_that_somebody_makes_meanwhile_is_taken(api, fake, ir):
    theirs = KfpApi(fake.address).create_pipeline("retrain", "")
    assert api.create_pipeline("retrain", "") == theirs


def test_an_upload_whose_answer_was_lost_is_found(api, fake, ir, monkeypatch):
    upload = api.upload_version

    def lost(*arguments):
        upload(*arguments)
        raise Silent("kubeflow does not answer: HTTP 502", where="", fix="")

    monkeypatch.setattr(api, "upload_version", lost)
    found = deploy.upload(api, ir, "c0ffee")
    assert not found.made
    assert len(fake.versions) == 1


def test_a_refused_upload_is_told_in_the_servers_words(api, fake, ir):
    fake.breaks = [("upload_version", 400, {"error_message": "Failed to create a pipeline version: bad IR"})]
    with pytest.raises(Refused, match="bad IR"):
        deploy.upload(api, ir, "c0ffee")


def test_a_compiler_that_fails_is_told(monkeypatch, tmp_path):
    (tmp_path / "kubeflow_impl").mkdir()
    (tmp_path / "kubeflow_impl" / "__init__.py").touch()
    (tmp_path / "kubeflow_impl" / "pipeline.py").write_text("raise TypeError('no such thing')")
    monkeypatch.setattr(deploy, "ROOT", tmp_path)
    monkeypatch.setattr(deploy, "child_env", lambda **more: {"PYTHONPATH": str(tmp_path), **more})
    with pytest.raises(deploy.CompileFailed, match="TypeError: no such thing"):
        deploy.compile_ir(IMAGE)


def test_the_command_uploads_once_and_finds_it_again(fake):
    def deployed():
        command = [ROOT / "bakeoff", "deploy", "kubeflow", "--host", fake.address, "--image", IMAGE, "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first, second = deployed(), deployed()
    assert (first["made"], second["made"]) == (True, False)
    assert (first["id"], first["digest"]) == (second["id"], second["digest"])
    assert len(fake.versions) == 1
