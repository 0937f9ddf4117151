"""What the documents show, made from result files and from the commands themselves; `make docs` writes it (cog)."""

from __future__ import annotations

import ast
import io
import os
import subprocess

import yaml
from rich.console import Console

from benchmarks import core_cost, demo, results, scale_docs, stats
from benchmarks.places import ADAPTER, ARMS, RESULTS, ROOT


def demo_output() -> str:
    """What `make demo` has printed: the table and the lines under it, from its result file."""
    result = _demo()
    text = io.StringIO()
    console = Console(file=text, width=100)
    console.print(demo.table(result))
    for line in demo.summary(result):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    return _fenced("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def demo_environment() -> str:
    """On what the demo's figures were measured."""
    result = _demo()
    tools = {name: version for arm in result.arms for name, version in arm.versions.items()}
    named = ", ".join(
        f"{name} {tools[name]}" for name in ("apache-airflow", "prefect", "kfp", "mlflow", "scikit-learn")
    )
    return f"Measured on {machine(result.environment)} with {named}; one run (n = 1)."


def adapters() -> str:
    """Each arm's files and their lines of code."""
    rows = ["| arm | lines of code | files |", "|---|---:|---|"]
    for arm in ARMS:
        files = [path for path in ADAPTER[arm] if results.lines_of_code([path]) > 1]
        links = ", ".join(f"[{path.relative_to(ROOT)}]({path.relative_to(ROOT)})" for path in files)
        rows.append(f"| {arm} | {results.lines_of_code(ADAPTER[arm])} | {links} |")
    return "\n".join(rows)


def core_figures() -> str:
    """The core's cost, from its result file."""
    cost = core_cost.CoreCost.model_validate_json((RESULTS / "core.json").read_text())
    rows = [
        f"| what | median s | min - max s | n = {len(cost.core_s.samples)} |",
        "|---|---:|---:|---|",
        _row("bare `fit` + `predict_proba` of both candidates", cost.bare_s, "rows already in memory"),
        _row("the core, ingest to register", cost.core_s, f"{cost.ratio:.2f} x bare (median of the pairs)"),
        *(_row(f"start: {name}", spent, "a new process") for name, spent in cost.import_s.items()),
        f"| creating the SQLite tracking store | {cost.create_store_s:.2f} | | once for each store |",
    ]
    about = f"{cost.month}, {cost.training_rows:,} training rows, on {machine(cost.environment)}"
    return "\n".join([*rows, "", f"{about}."])


def scale_figures() -> str:
    """The core's cost against rows, from its result file."""
    result = scale_docs.read("scale")
    tools = ", ".join(f"{name} {result.versions[name]}" for name in ("scikit-learn", "pandas", "pyarrow", "pandera"))
    return "\n".join(
        [scale_docs.table(result), "", scale_docs.unmet(result), "", f"On {machine(result.environment)}; {tools}."]
    )


def scale_steps() -> str:
    """Each step of the largest size that was measured before and after the core was optimised."""
    before, after = scale_docs.read("scale-before"), scale_docs.read("scale")
    rows = max({*before.sizes} & {*after.sizes})
    return scale_docs.steps(before, after, rows)


def command_help(*command: str) -> str:
    """A command's own help."""
    done = subprocess.run(
        [str(ROOT / "bakeoff"), *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=_plain_terminal(),
    )
    return _fenced("\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines()))


def console(*command: str) -> str:
    """A command as it is typed, and all that it prints."""
    done = subprocess.run([str(ROOT / "bakeoff"), *command], capture_output=True, text=True, env=_plain_terminal())
    told = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).strip("\n").splitlines())
    return _fenced(f"$ ./bakeoff {' '.join(command)}\n{told}")


def _plain_terminal() -> dict[str, str]:
    """A hundred columns and no colours, wherever it runs: Typer takes GitHub Actions for a terminal that has them."""
    coloured = ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS")
    kept = {name: value for name, value in os.environ.items() if name not in coloured}
    return {**kept, "COLUMNS": "100", "TERM": "dumb"}


def source(path: str, *names: str) -> str:
    """Some of a file's functions and constants, each with the comment above it; none named: the whole file."""
    text = (ROOT / path).read_text()
    lines = text.splitlines()
    parts = []
    for node in ast.parse(text).body if names else []:
        if _defines(node) in names:
            start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))]) - 1
            while lines[start - 1].startswith("#"):
                start -= 1
            parts.append("\n".join(lines[start : node.end_lineno]))
    assert len(parts) == len(names), f"{path} does not define all of {names}"
    return _fenced("\n\n\n".join(parts) or text.strip(), "python")


def _defines(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return node.name if isinstance(node, ast.FunctionDef) else ""


def stage(name: str) -> str:
    """One stage of dvc.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return _fenced(yaml.safe_dump({name: stages[name]}, sort_keys=False).strip(), "yaml")


def _demo() -> results.DemoResult:
    return results.DemoResult.model_validate_json((RESULTS / "demo.json").read_text())


def machine(environment: results.Environment) -> str:
    where = f"{environment.cpus} x {environment.cpu}, {environment.memory_gib:.0f} GiB, {environment.os}"
    return f"{environment.date[:10]} ({where}, Python {environment.python}, commit {environment.commit[:12]})"


def _row(what: str, spent: stats.Timing, remark: str) -> str:
    return f"| {what} | {spent.median:.2f} | {spent.min:.2f} - {spent.max:.2f} | {remark} |"


def _fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"
