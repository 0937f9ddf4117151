"""The changes themselves: each fits what is committed, touches what it says, and holds what is looked for later."""

from __future__ import annotations

import ast
import json
import re
import tomllib

import pytest
import yaml

from benchmarks import locks
from benchmarks.changes import scenarios
from benchmarks.changes.scenarios import FEEDS, PATCHES, RUN, Scenario, Way
from benchmarks.changes.scratch import Scratch
from benchmarks.ci.local import Asked
from benchmarks.ci.pipelines import Part

DAG, FLOW, COMPONENTS = "airflow_impl/dags/retrain.py", "prefect_impl/flow.py", "kubeflow_impl/components.py"
TOOLS = (Part.AIRFLOW, Part.PREFECT, Part.KUBEFLOW)
CORE = {Scenario.CORE_LINE: {"shared/steps.py"}}
TOUCHED = {
    Part.AIRFLOW: {
        **CORE,
        Scenario.LINE: {DAG},
        Scenario.DEPENDENCY: {DAG, "pyproject.toml", "locks/airflow.txt"},
        Scenario.STEP: {DAG},
        Scenario.SCHEDULE: {DAG},
    },
    Part.PREFECT: {
        **CORE,
        Scenario.LINE: {FLOW},
        Scenario.DEPENDENCY: {FLOW, "pyproject.toml", "locks/prefect.txt"},
        Scenario.STEP: {FLOW},
        Scenario.SCHEDULE: {"prefect_impl/prefect.yaml"},
    },
    Part.KUBEFLOW: {
        **CORE,
        Scenario.LINE: {COMPONENTS},
        Scenario.DEPENDENCY: {COMPONENTS, "pyproject.toml", "locks/kubeflow.txt"},
        Scenario.STEP: {COMPONENTS, "kubeflow_impl/pipeline.py"},
        Scenario.SCHEDULE: {"kubeflow_impl/schedule.py"},
    },
}


@pytest.fixture(scope="module", params=list(FEEDS), ids=lambda each: f"{each[0]}-{each[1]}")
def scratch(request, tmp_path_factory):
    """A clone of what is committed here, ready for one way of one tool."""
    tool, way = request.param
    made = Scratch(Asked(tool), way, print, below=tmp_path_factory.mktemp("below"))
    made.base = made.prepare()
    made.home = made.commit
    yield made
    made._stacks = {}  # none was started, and the engine need not be asked
    made._remove_images = lambda: None
    made.close()


@pytest.mark.parametrize("scenario", [each for each in Scenario if each is not Scenario.ROLLBACK])
def test_a_patch_fits_and_touches_what_it_says(scratch, scenario):
    scratch.go_to(scratch.home)
    scratch.change(scenarios.patch_of(scratch.tool, scenario))
    touched = scratch.touched(scratch.home)
    assert RUN not in scratch._git(scratch.folder, "show")
    assert {*touched.files} == TOUCHED[scratch.tool][scenario]
    if scenario in (Scenario.LINE, Scenario.CORE_LINE):
        assert (touched.added, touched.removed) == (1, 0)
    for path in touched.files:
        text = (scratch.folder / path).read_text()
        match path.rpartition(".")[2]:
            case "py":
                ast.parse(text)
            case "yaml":
                yaml.safe_load(text)
            case "toml":
                tomllib.loads(text)


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_looked_for_is_in_the_patch_and_nowhere_else(tool):
    for scenario in Scenario:
        wanted = scenarios.evidence(tool, scenario, RUN)
        patch = scenarios.patch_of(tool, Scenario.LINE if scenario is Scenario.ROLLBACK else scenario).read_text()
        added = "\n".join(line for line in patch.splitlines() if line.startswith("+"))
        for text in (wanted.cron, f"def {wanted.step}" if wanted.step else "", wanted.line.partition(" 0.")[0]):
            assert text in added
    old = scenarios.patch_of(tool, Scenario.SCHEDULE).read_text()
    assert scenarios.evidence(tool, Scenario.SCHEDULE, RUN).cron not in re.sub(r"^\+.*$", "", old, flags=re.M)


@pytest.mark.parametrize("tool", TOOLS)
def test_the_dependency_is_new_and_pinned_with_its_hashes(tool):
    patch = (PATCHES / tool / "dependency.patch").read_text()
    pinned = re.findall(r"^\+([\w-]+)==(\S+) \\$", patch, re.M)
    assert pinned == [("inflection", "0.5.1")]
    assert scenarios.evidence(tool, Scenario.DEPENDENCY, RUN).line == f"inflection {pinned[0][1]}, {RUN}"
    assert f"+# {RUN}" in patch.splitlines(), "no layer with these libraries is in the engine's cache"
    assert len(re.findall(r"^\+    --hash=sha256:[0-9a-f]{64}", patch, re.M)) == 2
    assert "inflection" not in (locks.LOCKS / f"{tool}.txt").read_text()
    assert '"inflection>=0.5"' in patch
    assert not re.search(r"https?://", patch), "no package host"


def test_by_git_prefects_code_is_cloned_and_not_taken_from_the_image(tmp_path):
    scratch = Scratch(Asked(Part.PREFECT), Way.GIT, print, below=tmp_path)
    base = scratch.prepare()
    assert {*base.files} == {
        *("compose/Dockerfile", "compose/prefect.yaml", "prefect_impl/pool.json", "prefect_impl/prefect.yaml"),
    }
    read = lambda path: (scratch.folder / path).read_text()  # noqa: E731
    [step] = yaml.safe_load(read("prefect_impl/prefect.yaml"))["pull"]
    assert step["prefect.deployments.steps.git_clone"] == {"repository": "file:///code/flows.git", "branch": "main"}
    variables = json.loads(read("prefect_impl/pool.json"))["variables"]["properties"]
    assert "default" not in variables["working_dir"], "each run gets a folder of its own, and not the image's code"
    services = yaml.safe_load(read("compose/prefect.yaml"))["services"]
    assert "code:/code" in services["prefect-worker"]["volumes"]
    pushed = scratch._git(scratch.folder, "config", "remote.origin.pushurl")
    assert pushed.endswith("-prefect-prefect-worker-1 %S /code/flows.git")
