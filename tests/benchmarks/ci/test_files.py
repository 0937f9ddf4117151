"""What holds of the real files: pinned, least privileges, one pipeline a tool, and no verb that a laptop has not."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess

import pytest
import typer

from benchmarks.ci import pipelines
from benchmarks.ci.pipelines import GITLAB_ROOT, Part, System
from benchmarks.cli import app
from benchmarks.places import ENVIRONMENT, ROOT
from tests.benchmarks.ci.conftest import ALL, FILES

TOOLS = (Part.PREFECT, Part.AIRFLOW, Part.KUBEFLOW)
#: Tracked files that no pipeline has to run for.
IDLE = {".dvcignore", ".gitignore", "LICENSE"}
MAIN = {
    System.GITHUB: "github.ref == 'refs/heads/main'",
    System.GITLAB: "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
}


def text(path):
    return (ROOT / path).read_text()


def test_every_action_is_pinned_by_a_commit_with_its_version_beside_it():
    pins = [
        re.fullmatch(r"\s*(?:- )?uses: (\S+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
        for part in Part
        for line in text(FILES[part, System.GITHUB]).splitlines()
        if re.match(r"\s*(- )?uses:", line)
    ]
    assert pins
    assert None not in pins
    assert len({pin.groups() for pin in pins}) == len({pin[1] for pin in pins}), "one version of each"


def test_images_of_gitlab_have_a_version(gitlab_jobs):
    assert {job["image"] for job in gitlab_jobs.values()} == {"python:3.11-bookworm"}


def test_each_job_asks_for_what_it_needs_and_no_more(workflows):
    writing = {}
    for part, workflow in workflows.items():
        assert workflow["permissions"] == {}
        for name, job in workflow["jobs"].items():
            assert set(job["permissions"].values()) <= {"read", "write"}, (part, name)
            if "write" in job["permissions"].values():
                writing[part, name] = {key for key, value in job["permissions"].items() if value == "write"}
            for step in job["steps"]:
                if "checkout" in step.get("uses", ""):
                    may_push = job["permissions"]["contents"] == "write"
                    assert step["with"]["persist-credentials"] is may_push, (part, name)
    assert writing == {
        (Part.AIRFLOW, "staging"): {"contents"},
        (Part.AIRFLOW, "production"): {"contents"},
        (Part.KUBEFLOW, "image"): {"packages"},
    }


def test_every_job_ends_and_a_newer_push_ends_what_is_no_deployment(workflows, gitlab_jobs):
    for part, workflow in workflows.items():
        # A run that waits for a reviewer may not hold up the main branch, and a deployment is never cut short.
        assert workflow["concurrency"]["group"].endswith("${{ github.event.pull_request.number || github.run_id }}")
        for name, job in workflow["jobs"].items():
            assert job["timeout-minutes"] <= 60
            assert job.get("concurrency") == job.get("environment"), (part, name)
    for name, job in gitlab_jobs.items():
        assert job["interruptible"] is ("environment" not in job), name


def test_no_secret_is_written_down():
    assigned = re.compile(r"\b(\w*(?:PASSWORD|SECRET|TOKEN|AUTH_STRING|KEY)): +(\S.*)")
    for path in ALL:
        for name, value in assigned.findall(text(path)):
            assert re.fullmatch(r"\$\{\{ secrets\.\w+ \}\}", value), (path, name)
        assert not re.search(r"\b(gh[pousr]_|github_pat_|glpat-|AKIA)\w+", text(path)), path
        assert not re.search(r"\b[0-9a-f]{40,}\b(?! # v)", text(path)), path
        assert not re.search(r"://[^/\s$]*:[^/\s$]*@", text(path)), path


def test_no_password_of_a_lasting_server_gets_into_a_log(real):
    """Without --quiet `up` ends with the addresses and passwords of what it has started."""
    lines = [line for each in real.values() for job in each.jobs if job.environment for line in job.commands]
    starts = [line for line in lines if "./bakeoff up" in line]
    assert len(starts) == 8
    assert all(line.endswith(" --quiet") for line in starts)


def test_no_expression_is_in_a_script(real):
    """A title or a branch's name could put commands there; the environment is safe."""
    for (_, system), pipeline in real.items():
        if system is System.GITHUB:
            assert not [line for job in pipeline.jobs for line in job.commands if "${{" in line]


def test_secrets_and_runners_of_our_own_are_for_the_main_branch_only(real, workflows, gitlab_jobs):
    for (part, system), pipeline in real.items():
        for job in pipeline.jobs:
            if not job.environment:
                assert not job.secrets, (part, system, job.name)
                continue
            assert job.own_runner, (part, job.name)
            if system is System.GITHUB:
                asked = workflows[part]["jobs"][job.name]["if"]
            else:
                rules = gitlab_jobs[job.name]["rules"]
                [asked] = [rule["if"] for rule in rules if rule.get("when") != "never"]
            assert MAIN[system] in asked, (part, job.name)


def test_what_a_job_of_gitlab_needs_is_there_whenever_it_is(gitlab_jobs):
    """Else GitLab refuses the whole pipeline."""

    def asked(job):
        [rule] = [rule for rule in gitlab_jobs[job]["rules"] if rule.get("when") != "never"]
        return {*rule.get("if", "").split(" && ")} - {""}, rule["changes"]

    for name, job in gitlab_jobs.items():
        for other in job.get("needs", []):
            (mine, paths), (theirs, their_paths) = asked(name), asked(other)
            assert theirs <= mine, (name, other)
            assert paths == their_paths, (name, other)


def test_each_environment_has_secrets_of_its_own(real):
    for (_, system), pipeline in real.items():
        named = [job.environment for job in pipeline.jobs if job.environment]
        assert len(named) == len(set(named)) == (0 if pipeline.part is Part.CORE else 2), system


def matches(pattern, path):
    """As both systems do: `*` ends at a slash, `**` does not."""
    pattern = pattern.removesuffix("/*") if pattern.endswith("**/*") else pattern
    parts = (".*" if part == "**" else "[^/]*" if part == "*" else re.escape(part) for part in SPLIT.split(pattern))
    return re.fullmatch("".join(parts), path) is not None


SPLIT = re.compile(r"(\*\*|\*)")


@pytest.fixture(scope="module")
def runs(real):
    """For each tracked file, the parts whose pipelines run when it changes, on each system."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        path: {
            system: {part for part in Part if any(matches(each, path) for each in real[part, system].paths)}
            for system in System
        }
        for path in done.stdout.split()
    }


def test_a_change_of_one_adapter_runs_its_pipeline_alone(runs):
    for path, found in runs.items():
        for tool in TOOLS:
            if path.startswith((f"{tool}_impl/", f"tests/{tool}_impl/", f"tests/stacks/{tool}/")):
                assert found == {system: {tool} for system in System}, path


def test_a_change_of_the_core_runs_all(runs):
    for path, found in runs.items():
        if path.startswith("shared/") or path in ("Makefile", "bakeoff", "pyproject.toml", "locks/core.txt"):
            assert found == {system: set(Part) for system in System}, path


def test_every_other_file_runs_the_core_at_least(runs):
    own = tuple(f"{folder}{tool}" for tool in TOOLS for folder in ("", "tests/", "tests/stacks/"))
    for path, found in runs.items():
        if not path.startswith(own) and path not in IDLE:
            assert all(Part.CORE in parts for parts in found.values()), path


def test_a_pipelines_own_file_runs_it(runs):
    for (part, system), path in FILES.items():
        assert part in runs[path][system], path
    assert runs[GITLAB_ROOT][System.GITLAB] == set(Part)


def test_a_filter_names_what_there_is(real, runs):
    for pipeline in real.values():
        for pattern in pipeline.paths:
            assert any(matches(pattern, path) for path in runs), (pipeline.part, pattern)


def test_both_events_and_both_systems_have_the_same_filter(workflows, real):
    for part, workflow in workflows.items():
        events = workflow[True]
        assert events["push"]["paths"] == events["pull_request"]["paths"]
        github, gitlab = (
            {each.removesuffix("/*") if "**" in each else each for each in real[part, system].paths}
            for system in System
        )
        different = {FILES[part, System.GITHUB], FILES[part, System.GITLAB], GITLAB_ROOT}
        assert github - different == gitlab - different, part


@pytest.fixture(scope="module")
def commands(real):
    return [(part, line) for (part, _), each in real.items() for job in each.jobs for line in job.commands]


def test_every_make_verb_exists(commands):
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    used = {verb for _, line in commands for verb in re.findall(r"\bmake ([a-z-]+)", line)}
    assert {"check", "ir", "dags", "deployments"} <= used <= targets


def parse(line):
    """The words of `./bakeoff` in a line, with something in the place of the shell's variables."""
    found = re.search(r"\./bakeoff ([^;)|>]+)", line)
    return shlex.split(re.sub(r"\$\w+", "value", found[1])) if found else []


def test_every_command_of_ours_takes_these_words(commands):
    used = {tuple(words) for _, line in commands if (words := parse(line))}
    assert {"up", "retrain", "demo", "build", "deploy"} <= {words[0] for words in used}
    group = typer.main.get_command(app)
    for name, *words in used:
        command = group.commands[name]
        assert command.make_context(name, list(words)), (name, words)


def test_every_script_and_module_exists(commands):
    places = re.compile(r"\.venvs/(\w+)/bin/python -m ([\w.]+)|\.venvs/(\w+)/bin:|\bsh (\S+\.sh)")
    found = [match.groups() for _, line in commands for match in places.finditer(line)]
    assert found
    for environment, module, other, script in found:
        assert {environment, other} & {*ENVIRONMENT.values()} or script
        if module:
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module
        if script:
            assert (ROOT / script).is_file(), script


def test_both_systems_run_the_same_verbs(real):
    """A line is told by its first words: names of variables differ between the systems."""

    def verbs(pipeline):
        lines = (re.sub(r"^\w+=\$\(|\)$", "", line) for job in pipeline.jobs for line in job.commands)
        ours = re.compile(r"make [a-z-]+|\./bakeoff \w+ \w+|git (?:diff|push)|\S+ -m [\w.]+|.*\bsh \S+\.sh|docker \w+")
        found = {match[0].split("=")[-1] for line in lines if (match := ours.match(line))}
        return found - {"./bakeoff logs", *(f"./bakeoff {verb} {pipeline.part}" for verb in ("logs", "down"))}

    for part in Part:
        github, gitlab = (verbs(real[part, system]) for system in System)
        assert {each for each in github if "docker login" not in each} == gitlab, part


@pytest.mark.parametrize("part", TOOLS)
def test_a_tools_pipeline_goes_from_lint_to_production(real, part):
    integrity = {Part.PREFECT: "make deployments", Part.AIRFLOW: "make dags", Part.KUBEFLOW: "git diff"}[part]
    deploy = {Part.PREFECT: "prefect_impl/ci.sh", Part.AIRFLOW: "git push", Part.KUBEFLOW: "./bakeoff deploy"}[part]
    for system in System:
        jobs = real[part, system].jobs
        assert [job.name.split(":")[-1] for job in jobs[2:]] == ["staging", "production"]
        assert all(earlier.name in later.needs for earlier, later in itertools.pairwise(jobs))
        tests = "\n".join(jobs[0].commands)
        order = [tests.index(each) for each in ("make check", integrity, f"make test-{part}", "./bakeoff demo")]
        assert order == sorted(order)
        assert any("./bakeoff retrain" in line for line in jobs[1].commands)
        for job in jobs[2:]:
            assert any(deploy in line for line in job.commands), job.name
            assert any(f"{part}_impl" in line and "SMOKE" in line for line in job.commands), job.name


def test_counts_are_of_all_files():
    counted = {path for part in Part for system in System for path in pipelines.files(part, system)}
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / ".github" / "workflows").iterdir()}
    there |= {path.relative_to(ROOT).as_posix() for path in (ROOT / ".gitlab" / "ci").iterdir()}
    assert counted == {*there, GITLAB_ROOT}
