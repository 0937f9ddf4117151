from __future__ import annotations

import re

import pytest

from benchmarks import locks
from benchmarks.places import LOCKS

ARMS = ["core", "airflow", "prefect", "kubeflow"]
ALL = sorted(path.stem for path in LOCKS.glob("*.txt"))


def pins(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in locks._pins(LOCKS / f"{lock}.txt"):
        name, rest = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[.*?\])?==(.*)\n", line).groups()
        found.setdefault(name, set()).add(rest.strip())
    return found


@pytest.mark.parametrize("lock", ALL)
def test_every_requirement_is_pinned_by_hash_and_names_no_host(lock):
    text = (LOCKS / f"{lock}.txt").read_text()
    assert "://" not in text
    assert "index" not in text.replace("--hash", "")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("arm", ["airflow", "prefect", "kubeflow"])
def test_what_decides_the_model_is_the_same_on_every_arm(arm):
    core, own = pins("core"), pins(arm)
    for name in locks.SAME_EVERYWHERE:
        assert own[name] == core[name], name


@pytest.mark.parametrize("arm", ARMS)
def test_test_tools_fit_every_environment(arm):
    own, tools = pins(arm), pins("test")
    for name in tools.keys() & own.keys():
        # The marker may differ (colorama is for Windows here, for everybody there), the version may not.
        assert {pin.split(" ")[0] for pin in own[name]} == {pin.split(" ")[0] for pin in tools[name]}, name


def test_airflow_and_prefect_cannot_share_an_environment():
    """The finding behind one environment an arm: their FastAPI ranges do not meet."""

    def minor(arm):
        [version] = pins(arm)["fastapi"]
        return tuple(map(int, version.split(".")[:2]))

    assert minor("airflow") < (0, 137)
    assert minor("prefect") >= (0, 139)
