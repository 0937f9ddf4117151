from __future__ import annotations

import keyword
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures.migration import PACKAGE, api_names, names
from benchmarks.places import ArmName

SOURCE = """
    import {package}.sdk as {module}
    from {package}.sdk import Asset as {asset}, Unused as {unused}, task as {task}

    {constant} = {asset}("champion")

    @{task}.branch
    def {function}({argument}: {module}.Context):
        {local} = {argument}.found()
        return {local}.name_of_it

    {result} = {function}.partial().expand(x={constant})
"""
FIXED = {"package": "tool"}
USED = [
    *(".expand", ".found", ".name_of_it", ".partial"),
    *("tool.sdk.Asset", "tool.sdk.Context", "tool.sdk.task.branch"),
]
ALIASES = ("module", "asset", "unused", "task", "constant", "function", "argument", "local", "result")
#: Some that mean something elsewhere: a builtin, another alias's attribute, the tool's own root.
IDENTIFIERS = st.from_regex(r"[a-z_][a-zA-Z0-9_]{0,6}", fullmatch=True) | st.sampled_from(
    ["str", "branch", "tool", "x"]
)


def used(source, package="tool", **more):
    return names.used({"own": dedent(source)}, package, **more)


@given(st.lists(IDENTIFIERS.filter(lambda n: not keyword.iskeyword(n)), min_size=9, max_size=9, unique=True))
def test_local_names_change_nothing(aliases):
    assert used(SOURCE.format(**FIXED, **dict(zip(ALIASES, aliases, strict=True)))) == USED


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from tool import unused, more", []),
        ("import tool", []),
        ("import tool\ntool.flow()", ["tool.flow"]),
        ("import tool.sdk\nx = tool.sdk.A, tool.sdk.A", ["tool.sdk.A"]),
        ("from tool import dsl\ndsl.If(dsl.A)", ["tool.dsl.A", "tool.dsl.If"]),
        ("import toolbox\nfrom other import tool\ntoolbox.a, tool.b", []),
        ("from tool import flow\n@flow\ndef f(): ...\nf.map(1)", [".map", "tool.flow"]),
        ("from tool import Base\nclass Own(Base): ...\nOwn.made()", [".made", "tool.Base"]),
        ("from tool import get\nif found := get():\n    found.login", [".login", "tool.get"]),
        ("from tool import each\n[one.id for one in each()]", [".id", "tool.each"]),
        ("from tool import loop\nwith loop() as item:\n    item.set_it()", [".set_it", "tool.loop"]),
        ("from tool import get\nfound = get()\nfound.update(a=found.items())", ["tool.get"]),  # as any dict has
        ("from tool import get\nx = get()\ndef f(x):\n    return x.other", ["tool.get"]),  # a parameter of that name
        ("from tool import get\ndef f(x):\n    x = get()\ndef g(x):\n    x.other", ["tool.get"]),
        ("from tool import get\ndef find():\n    return get()\nfind().host", [".host", "tool.get"]),
        ("from tool import task\ntask(retries=3, name='tool.other')", ["tool.task"]),
    ],
)
def test_what_counts(source, expected):
    assert used(source) == expected


def test_what_the_core_or_the_adapter_declares_is_not_the_tools():
    known = names.declared(["class Verdict:\n    promote: bool\n    def told(self):\n        self.kept = 1"])
    source = """
        from tool import task
        class Own:
            mine: int
        @task
        def judge(): ...
        verdict = judge()
        verdict.promote, verdict.told(), verdict.kept, verdict.mine, verdict.theirs
    """
    assert used(source, known=known) == [".theirs", "tool.task"]


def test_what_one_module_makes_is_known_in_another():
    sources = {
        "own.parts": "from tool import component\n@component\ndef train(): ...",
        "own.whole": "from own import parts\nfrom own.parts import train as t\nparts.train().set_retry()\nt().after()",
    }
    assert names.used(sources, "tool") == [".after", ".set_retry", "tool.component"]


@pytest.mark.parametrize(
    ("arm", "some"),
    [
        (ArmName.PREFECT, {"prefect.flow", "prefect.unmapped", "prefect.runtime.flow_run.id", ".map"}),
        (ArmName.AIRFLOW, {"airflow.sdk.task.branch", "airflow.sdk.Asset", ".partial", ".expand"}),
        (ArmName.KUBEFLOW, {"kfp.dsl.ParallelFor", "kfp.kubernetes.use_secret_as_env", ".set_retry", ".outputs"}),
    ],
)
def test_the_adapters(arm, some):
    found = set(api_names(arm))
    assert some <= found
    assert all(each.startswith((".", f"{PACKAGE[arm]}.")) for each in found)
    assert not found & {".promote", ".transient", ".candidates"}
