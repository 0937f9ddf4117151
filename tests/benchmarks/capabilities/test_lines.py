from __future__ import annotations

import pytest

from benchmarks.capabilities import lines

PYTHON = '''"""Of the module."""

LIMIT: int = 4  # counted

# not counted


def outer():
    """Not counted."""

    @decorated
    def inner(x):
        return x

    return inner
'''
YAML = """name: x
deployments:
  - name: first
    triggers:
      # not counted
      - expect: [a]
        within: 3
    version: 1
  - name: second
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "module.py").write_text(PYTHON)
    (tmp_path / "file.yaml").write_text(YAML)
    return tmp_path


@pytest.mark.parametrize(
    ("said", "first", "last", "counted"),
    [
        ("module.py", 1, 14, 6),
        ("module.py::LIMIT", 3, 3, 1),
        ("module.py::outer", 8, 15, 5),
        ("module.py::outer.inner", 11, 13, 3),
        ("file.yaml::deployments.0.triggers", 4, 7, 3),
        ("file.yaml::deployments.0.triggers.0.within", 7, 7, 1),
        ("file.yaml::deployments.1", 9, 9, 1),
        ("file.yaml", 1, 9, 8),
    ],
)
def test_a_place_is_found_and_its_code_counted(root, said, first, last, counted):
    place = lines.find(said, root)
    assert place.first == first
    assert len(place.code) == counted
    if "::" in said:
        assert place.last == last


def test_what_two_places_share_is_counted_once(root):
    inner, outer = lines.find("module.py::outer.inner", root), lines.find("module.py::outer", root)
    assert lines.count([inner, outer]) == lines.count([outer]) == 5


@pytest.mark.parametrize(
    "said", ["none.py", "module.py::absent", "module.py::outer.absent", "file.yaml::deployments.2", "file.yaml::name.x"]
)
def test_a_place_that_is_gone_is_told(root, said):
    with pytest.raises(LookupError):
        lines.find(said, root)
