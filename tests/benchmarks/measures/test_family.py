from __future__ import annotations

import os
import sys
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import processes
from benchmarks.measures import family
from benchmarks.measures.family import Family, Look, Watch

#: A tool: it holds 60 MiB; one child works for a moment, another has a child of its own.
TREE = """
import subprocess, sys, time
held = bytearray(60 * 2**20)
for place in range(0, len(held), 4096):
    held[place] = 1
code = "import time; end = time.process_time() + 0.6\\nwhile time.process_time() < end: pass\\ntime.sleep(60) # works"
subprocess.Popen([sys.executable, "-c", code])
lost = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60) # lost']);"
subprocess.Popen([sys.executable, "-c", lost + " time.sleep(60) # parent"])
print("up", flush=True)
time.sleep(60)
"""


def part_of(member):
    return "root" if member.is_root else "works" if "# works" in member.command else "others"


@pytest.fixture
def tree(tmp_path):
    process = processes.start([sys.executable, "-c", TREE], tmp_path / "log", dict(os.environ), tmp_path)
    yield process
    processes.stop(process, patience_s=1)


def until(look, done, seconds=20):
    deadline = time.monotonic() + seconds
    while not done(found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert done(found), found
    return found


def test_a_real_family_is_seen_by_part_with_memory_and_cpu(tree):
    watched = Family(lambda: {"tool": tree.pid}, part_of)
    found = until(watched.look, lambda look: look.cpu(["works"]) >= 0.5 and look.processes(["others"]) == 2)
    assert found.count == {"root": 1, "works": 1, "others": 2}
    assert 60 <= found.memory(["root"]) < 100
    assert found.memory(["root", "works", "others"]) == pytest.approx(sum(found.memory_mib.values()))
    # A parent ends, and its child, which was seen once, is still one of them.
    [parent] = [each for each in psutil.Process(tree.pid).children() if "# parent" in each.cmdline()[-1]]
    [lost] = parent.children()
    parent.kill()
    until(watched.look, lambda look: look.processes(["others"]) == 1)
    assert lost not in psutil.Process(tree.pid).children(recursive=True)
    lost.kill()
    until(watched.look, lambda look: look.processes(["others"]) == 0)


def test_cpu_of_those_that_have_ended_stays_in_the_sum(tree):
    watched = Family(lambda: {"tool": tree.pid}, part_of, memory_every=0)
    before = until(watched.look, lambda look: look.cpu(["works"]) >= 0.5)
    processes.stop(tree, patience_s=1)
    after = watched.look()
    assert after.count == {}
    assert after.memory_mib is None
    assert after.cpu(["works"]) >= before.cpu(["works"])


def test_nobody_is_seen_where_nothing_was_started():
    assert Family(dict, part_of).look().count == {}


def test_a_watch_looks_until_it_is_closed_and_tells_what_that_took(tree):
    with Watch(Family(lambda: {"tool": tree.pid}, part_of), every_s=0.05) as watch:
        time.sleep(0.5)
    count = len(watch.looks)
    assert count >= 3
    assert 0 < watch.own_cpu_s < 0.5
    time.sleep(0.15)
    assert len(watch.looks) == count
    middle = watch.looks[1].at
    assert [each.at for each in watch.between(middle, middle)] == [watch.looks[0].at, middle]


cumulative = st.lists(st.floats(0, 100), min_size=0, max_size=8).map(
    lambda steps: [sum(steps[: n + 1]) for n in range(len(steps))]
)


@given(cumulative, st.floats(0.01, 10))
def test_per_cent_is_never_negative_and_of_the_whole_time(cpu, every_s):
    looks = [Look(number * every_s, cpu_s={"a": seconds}) for number, seconds in enumerate(cpu)]
    told = family.percent(looks, ["a", "b"])
    assert told >= 0
    if len(looks) > 1:
        assert told == pytest.approx(100 * (cpu[-1] - cpu[0]) / ((len(looks) - 1) * every_s))
    else:
        assert told == 0
