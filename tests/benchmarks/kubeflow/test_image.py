"""The image's name says what is in it: any byte of it, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.kubeflow import image
from benchmarks.places import ROOT
from benchmarks.stacks.engine import StackError


def commit(registry, text):
    (registry / "flights.dvc").write_text(text)
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for command in (["add", "--all"], [*author, "commit", "--quiet", "--no-verify", "--message", "data"]):
        subprocess.run(["git", *command], cwd=registry, check=True)


@pytest.fixture
def tree(tmp_path):
    """A copy of all that this checkout's image is built of, with a data registry of the test's own."""
    for name in image.RECIPE:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "tree" / name)
    shutil.copytree(ROOT / "shared", tmp_path / "tree" / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    registry = tmp_path / "data" / "registry"
    registry.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", registry], check=True)
    commit(registry, "version 1")
    return image.Tree(tmp_path / "tree", tmp_path / "data")


def inputs(tree):
    return sorted(path for path in tree.root.rglob("*") if path.is_file())


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_changed_in_an_input_changes_the_name(tree, data):
    before = image.name(tree=tree)
    path = data.draw(st.sampled_from(inputs(tree)))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content)))
    other = data.draw(st.binary(min_size=1, max_size=3))
    path.write_bytes(content[:place] + other + content[place:])
    changed = image.name(tree=tree)
    path.write_bytes(content)
    assert changed != before
    assert image.name(tree=tree) == before


def test_what_the_dockerfile_copies_is_what_the_name_is_made_of():
    # Of the targets and stages that lead to the image: all that a COPY takes from the work tree.
    text = (ROOT / "compose" / "Dockerfile").read_text()
    stages = {part.split(" AS ", 1)[1].split()[0]: part for part in text.split("\nFROM ")[1:]}
    copied = {
        word
        for stage in ("build", "build-kubeflow", "runtime", "kubeflow")
        for line in stages[stage].splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    docker = {"compose/Dockerfile", "compose/Dockerfile.dockerignore"}
    assert copied | docker == set(image.RECIPE)
    assert "COPY --from=code /opt/bakeoff/shared shared" in stages["kubeflow"]
    assert "COPY --from=data-registry /opt/bakeoff/registry registry" in stages["kubeflow"]
    assert set(image.IGNORED) == {line.removeprefix("**/") for line in _ignored() if line.startswith("**/")}


def _ignored():
    return (ROOT / "compose" / "Dockerfile.dockerignore").read_text().splitlines()


def test_a_module_that_is_new_gone_or_renamed_changes_the_name(tree):
    names = {image.name(tree=tree)}
    new = tree.root / "shared" / "new.py"
    new.write_text("")
    names.add(image.name(tree=tree))
    new.rename(new.with_name("newer.py"))
    names.add(image.name(tree=tree))
    (tree.root / "shared" / "steps.py").unlink()
    names.add(image.name(tree=tree))
    assert len(names) == 4


def test_another_version_of_the_data_changes_the_name(tree):
    before = image.name(tree=tree)
    commit(tree.registry / "registry", "version 2")
    assert image.name(tree=tree) != before


def test_dates_bytecode_and_the_rest_of_the_checkout_do_not(tree):
    before = image.name(tree=tree)
    for number, path in enumerate(inputs(tree)):
        os.utime(path, (number, number))
    (tree.root / "shared" / "__pycache__").mkdir()
    (tree.root / "shared" / "__pycache__" / "steps.cpython-311.pyc").write_bytes(b"x")
    (tree.root / "shared" / "old.pyc").write_bytes(b"x")
    (tree.root / "airflow_impl").mkdir()
    (tree.root / "airflow_impl" / "dag.py").write_text("x")
    (tree.root / "locks" / "airflow.txt").write_text("x")
    assert image.name(tree=tree) == before


@given(content=st.dictionaries(st.text(min_size=1), st.binary()), seed=st.randoms())
def test_the_order_of_the_files_does_not_matter_but_their_borders_do(content, seed):
    shuffled = list(content.items())
    seed.shuffle(shuffled)
    assert image.digest(shuffled) == image.digest(content.items())
    assert image.digest([("a", b"bc")]) != image.digest([("ab", b"c")])


def test_code_alone_leaves_the_rest_as_it_was(tree):
    rest, whole = tree.but_code(), tree.whole()
    with (tree.root / "shared" / "steps.py").open("a") as module:
        module.write("# another line\n")
    assert (tree.but_code(), tree.whole() == whole) == (rest, False)
    with (tree.root / "locks" / "kubeflow.txt").open("a") as lock:
        lock.write("# another line\n")
    assert tree.but_code() != rest


def test_the_name_is_the_prefixes_and_never_latest(tree):
    repository, _, tag = image.name("lead", tree).partition(":")
    assert repository == "lead-kubeflow"
    assert len(tag) == 12
    assert set(tag) <= set("0123456789abcdef")


def test_no_data_registry_is_told_with_the_command_that_makes_it(tree, tmp_path):
    with pytest.raises(StackError, match=r"pointers to the data.*bakeoff build kubeflow"):
        image.name(tree=image.Tree(tree.root, tmp_path / "none"))


def test_no_engine_is_told_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(StackError, match="the Docker engine does not answer") as told:
        image.ensure(lambda line: None)
    assert "DOCKER_HOST is set" in told.value.fix


def test_no_client_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StackError, match="there is no docker client"):
        image.ensure(lambda line: None)


def test_a_build_that_fails_tells_the_end_of_its_log(docker, tree):
    dockerfile = tree.root / "compose" / "Dockerfile"
    broken = "FROM python:3.11-slim-bookworm AS kubeflow\nRUN echo the step says why && exit 3\n"
    dockerfile.write_text(broken)
    told: list[str] = []
    with pytest.raises(StackError, match="the image could not be built") as failed:
        image.build("bakeoff-test-kubeflow:broken", told.append, tree)
    assert "the step says why" in str(failed.value)
    assert not image.exists("bakeoff-test-kubeflow:broken")
    assert any("RUN echo the step says why" in line for line in told)
