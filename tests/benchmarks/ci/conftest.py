"""The real files of both systems."""

from __future__ import annotations

import pytest
import yaml

from benchmarks.ci import counts, gitlab, pipelines
from benchmarks.ci.pipelines import GITLAB_ROOT, Part, System
from benchmarks.places import ROOT

FILES = {
    (part, system): pipelines.files(part, system)[-1] for part in Part for system in System
}  # with the root of GitLab's beside them
ALL = (GITLAB_ROOT, *FILES.values())


@pytest.fixture(scope="session")
def real():
    """Each part's pipeline on each system."""
    return {(part, system): counts.read(part, system) for part in Part for system in System}


@pytest.fixture(scope="session")
def workflows():
    """GitHub's files, parsed."""
    return {part: yaml.safe_load((ROOT / FILES[part, System.GITHUB]).read_text()) for part in Part}


@pytest.fixture(scope="session")
def gitlab_jobs():
    """GitLab's jobs, with all that they extend."""
    content = {}
    for path in (GITLAB_ROOT, *(FILES[part, System.GITLAB] for part in Part)):
        content |= yaml.safe_load((ROOT / path).read_text())
    names = [name for name in content if ":" in name]
    return {name: gitlab.resolve(content, name) for name in names}
