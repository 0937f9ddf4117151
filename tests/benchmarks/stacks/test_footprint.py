from __future__ import annotations

import pytest

from benchmarks.stacks import footprint
from benchmarks.stacks.engine import StackError
from benchmarks.stacks.footprint import Idle, ServiceIdle
from benchmarks.stacks.stack import STACKS
from benchmarks.stats import timing

#: `cat /sys/fs/cgroup/cpuacct/cpuacct.usage` in a container of this project, on an engine with cgroups of version 1.
VERSION_1 = "6294470526\n"
#: The beginning of a `cpu.stat`, in the form that the kernel documents for version 2.
VERSION_2 = "usage_usec 6294470\nuser_usec 5000000\nsystem_usec 1294470\nnr_periods 0\n"


def test_cpu_time_is_read_from_both_versions_of_cgroups():
    assert footprint.cpu_ns(VERSION_1) == 6294470526
    assert footprint.cpu_ns(VERSION_2) == 6294470000


@pytest.mark.parametrize("text", ["", "user_usec 1\n", "cat: no such file"])
def test_no_cpu_time_is_an_error_and_not_zero(text):
    with pytest.raises(StackError, match="no CPU time"):
        footprint.cpu_ns(text)


def test_cpu_is_a_share_of_one_core():
    assert footprint.percent("mlflow", (100.0, 10**9), (160.0, 4 * 10**9)) == 5.0
    assert footprint.percent("mlflow", (100.0, 0), (160.0, 120 * 10**9)) == 200.0


def test_a_container_that_was_started_anew_is_not_measured():
    with pytest.raises(StackError, match="started anew"):
        footprint.percent("mlflow", (100.0, 10**9), (160.0, 10**8))


def test_every_service_has_its_part():
    roles = {name: footprint.role(name) for stack in STACKS.values() for name in stack.expected(celery=True)}
    assert {name for name, role in roles.items() if role == "base"} == {"postgres", "mlflow"}
    assert {name for name, role in roles.items() if role == "workers"} == {*("airflow-worker", "prefect-worker")}


def test_sums_are_told_with_and_without_the_base():
    def service(name, mib, cpu):
        return ServiceIdle(
            service=name, role=footprint.role(name), memory_mib=timing([mib, mib + 1, mib + 9]), cpu_percent=cpu
        )

    idle = Idle(
        settle_s=30,
        seconds=60,
        services=[service("postgres", 80, 3), service("prefect-server", 200, 2), service("prefect-worker", 110, 0.25)],
    )
    assert idle.memory_mib("control plane", "workers") == 312
    assert idle.memory_mib("base", "control plane", "workers") == 393
    assert idle.cpu_percent("control plane", "workers") == 2.25


def test_no_container_is_an_error_and_not_zero():
    with pytest.raises(StackError, match="nothing runs"):
        footprint.measure([], print)
