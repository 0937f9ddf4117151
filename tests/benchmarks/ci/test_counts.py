"""Counts of small files made by hand."""

from __future__ import annotations

import json
import textwrap

import pytest
from typer.testing import CliRunner

from benchmarks.ci import counts, gitlab, pipelines
from benchmarks.ci.pipelines import Part, System
from benchmarks.cli import app
from shared.errors import ConfigError

SHA = "0123456789012345678901234567890123456789"
WORKFLOW = f"""
# a comment
on:
  push: {{paths: [a/**, b/**]}}
  pull_request: {{paths: [a/**, b/**]}}
  schedule: [{{cron: "1 2 * * *"}}]

jobs:
  test:
    runs-on: ubuntu-24.04
    services: {{db: {{image: postgres}}}}
    steps:
      - uses: actions/checkout@{SHA}
      - uses: somebody/action@{SHA}
      - run: |
          # not counted
          make \\
            check
          make test
  deploy:
    needs: [test]
    runs-on: ${{{{ vars.RUNNER }}}}
    environment: {{name: staging, url: "https://example.org"}}
    env:
      TOOL_URL: ${{{{ vars.TOOL_URL }}}}
    steps:
      - name: Build
        run: docker build .
      - env:
          PASSWORD: ${{{{ secrets.PASSWORD }}}}
          TOKEN: ${{{{ secrets.GITHUB_TOKEN }}}}
        run: ./bakeoff up prefect
"""


@pytest.fixture
def write(tmp_path):
    """Write the files of a repository; gives its root."""

    def write(**named):
        for name, text in named.items():
            path = tmp_path / {"github": ".github/workflows/prefect.yml", "root": ".gitlab-ci.yml"}.get(
                name, ".gitlab/ci/prefect.yml"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return tmp_path

    return write


def counted(root, system):
    return counts.count(counts.read(Part.PREFECT, system, root))


def test_a_workflow_of_github(write):
    found = counted(write(github=WORKFLOW), System.GITHUB)
    assert (found.jobs, found.steps, found.commands) == (2, 5, 4)
    assert found.lines == len([line for line in WORKFLOW.splitlines() if line.strip() and line.strip()[0] != "#"])
    assert found.path_lines == 4
    assert found.actions == ("actions/checkout", "somebody/action")
    assert found.third_party == ("somebody/action",)
    assert found.image_builds == ("deploy: docker build .", "deploy: ./bakeoff up prefect")
    assert found.docker == ("test", "deploy"), "a service is a container, too"
    assert found.servers == ("deploy: TOOL_URL",)
    assert found.own_runners == ("deploy",)
    assert (found.secrets, found.settings) == (("PASSWORD",), ("RUNNER", "TOOL_URL"))


def test_what_starts_a_workflow_may_be_a_word_or_a_list(write):
    for on in ("push", "[push, pull_request]", "{push: , workflow_dispatch: }"):
        text = f"on: {on}\njobs: {{a: {{runs-on: x, steps: [{{run: make}}]}}}}\n"
        assert counted(write(github=text), System.GITHUB).path_lines == 0


ROOT = """
include:
  - local: .gitlab/ci/prefect.yml
stages: [test]
variables: {SHARED: value}
default:
  image: python
  before_script: [echo hello]
.base:
  tags: [$RUNNER]
  variables: {ONE: "1", TWO: "1"}
  script: [make check]
"""
OWN = """
include:
  - component: example.org/somebody/part@1.0
.more:
  variables: {TWO: "2"}
  before_script: []
tool:a:
  script:
    - ': "${TOOL_URL:?}" "$SHARED" "$CI_JOB_ID" "$PWD" "$local"'
    - |
      # a comment
      docker build .
      NAME=x && echo "$NAME"
  rules:
    - changes: &paths [a/**/*, b]
tool:b:
  extends: [.base, .more]
  environment: {name: staging}
  needs: [{job: "tool:a", artifacts: true}]
  rules:
    - if: $CI
      changes: {paths: *paths}
  after_script: [echo "$ONE $TWO $TOOL_PASSWORD"]
"""


def test_a_pipeline_of_gitlab(write):
    root = write(root=ROOT, own=OWN)
    found = counted(root, System.GITLAB)
    assert (found.jobs, found.steps, found.commands) == (2, 5, 6)
    assert found.lines == len([line for line in OWN.splitlines() if line.strip() and line.strip()[0] != "#"])
    assert found.path_lines == 2
    assert found.actions == found.third_party == ("example.org/somebody/part@1.0",)
    assert found.image_builds == ("tool:a: docker build .",)
    assert found.servers == ("tool:a: TOOL_URL",)
    assert found.own_runners == ("tool:b",)
    assert (found.secrets, found.settings) == (("TOOL_PASSWORD",), ("RUNNER", "TOOL_URL"))
    first, second = counts.read(Part.PREFECT, System.GITLAB, root).jobs
    assert first.commands[0] == "echo hello", "by default"
    assert second.commands == ("make check", 'echo "$ONE $TWO $TOOL_PASSWORD"'), "what it extends is nearer"
    assert (second.needs, second.environment) == (("tool:a",), "staging")


def test_what_a_job_extends_is_merged_and_the_nearest_wins():
    content = {
        ".a": {"variables": {"X": 1, "Y": 1}, "script": ["one"]},
        ".b": {"variables": {"Y": 2}, "script": ["two"]},
        "job": {"extends": [".a", ".b"], "variables": {"Z": 3}},
    }
    assert gitlab.resolve(content, "job") == {"variables": {"X": 1, "Y": 2, "Z": 3}, "script": ["two"]}


@pytest.mark.parametrize("base", [".none", "job"])
def test_a_job_that_extends_what_there_is_not_is_refused(base):
    with pytest.raises(ConfigError, match="to extend"):
        gitlab.resolve({"job": {"extends": base}}, "job")


@pytest.mark.parametrize("text", ["- a list", "a: [", ""])
def test_a_file_that_is_no_mapping_is_refused(write, text):
    with pytest.raises(ConfigError, match=r"it holds no mapping|cannot be read"):
        counted(write(github=text), System.GITHUB)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        counts.read(Part.AIRFLOW, System.GITLAB, tmp_path)


@pytest.mark.parametrize(
    ("command", "builds", "docker"),
    [
        ("docker build --tag x .", True, True),
        ("docker buildx build .", True, True),
        ("docker compose -f x.yaml up --build", True, True),
        ("name=$(./bakeoff build kubeflow)", True, True),
        ("./bakeoff up airflow", True, True),
        ("make up-prefect", True, True),
        ("docker push x", False, True),
        ("./bakeoff retrain --on kubeflow --runner docker --month 2013-03", False, True),
        ("./bakeoff retrain --on airflow --stack compose --month 2013-03", False, True),
        ("./bakeoff retrain --on airflow --month 2013-03", False, False),
        ("make test-prefect", False, False),
        ("uv build", False, False),
    ],
)
def test_what_builds_an_image_and_what_needs_an_engine(command, builds, docker):
    assert (bool(counts.BUILDS.search(command)), bool(counts.DOCKER.search(command))) == (builds, docker)


def test_commands_go_on_over_a_backslash_and_comments_are_none():
    assert pipelines.commands("a \\\n  b\n\n# c\n  d # e\n") == ("a b", "d # e")


def test_the_command_prints_one_object_or_a_table():
    run = CliRunner().invoke(app, ["bench", "ci", "--tool", "airflow", "--json"])
    told = json.loads(run.stdout)
    assert [(each["part"], each["system"]) for each in told["counts"]] == [("airflow", "github"), ("airflow", "gitlab")]
    assert told["measure"] == "ci"
    shown = CliRunner().invoke(app, ["bench", "ci"]).stdout
    assert shown.count("GitHub") == shown.count("GitLab") == len(Part)
    assert "…" not in shown, "nothing is cut short"
