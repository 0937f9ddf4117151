"""The image that Kubeflow's steps run in: named by what is in it, built when the engine has none of that name."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from benchmarks import dataset
from benchmarks.places import ROOT, STATE
from benchmarks.stacks import engine, registry
from benchmarks.stacks.build import Progress, failure
from benchmarks.stacks.engine import StackError

PREFIX = "bakeoff"
TARGET = "kubeflow"
#: As the image has them.
CODE, REGISTRY, REMOTE = "/opt/bakeoff/shared", "/opt/bakeoff/registry", "/opt/bakeoff/remote"
#: What the packages come of. The locks of the other targets are not in it.
RECIPE = (
    *("compose/Dockerfile", "compose/Dockerfile.dockerignore", "compose/install.sh", "compose/trim_step.sh"),
    *("compose/compile_imported.py", "locks/uv.txt", "locks/kubeflow.txt"),
)
#: As compose/Dockerfile.dockerignore leaves them out.
IGNORED = ("__pycache__", "*.pyc")
#: Label of an image: the digest of all that is in it but the code, which may be mounted over it.
BUT_CODE = "bakeoff.but-code"


@dataclass(frozen=True)
class Tree:
    """A work tree that an image is built of, and the data's pointers that go into it."""

    root: Path = ROOT
    registry: Path = registry.FOLDER

    def but_code(self) -> str:
        """Digest of all that is in the image but the code.

        Raises:
            StackError: no data registry has been built here yet.
        """
        if not (self.registry / "registry" / ".git").exists():
            raise StackError(
                "the pointers to the data, which are in the image, have not been built here yet",
                where=str(self.registry / "registry"),
                fix="run `./bakeoff build kubeflow`",
            )
        recipe = [self.root / name for name in RECIPE]
        return digest([*self._files(recipe), ("data", registry.commit(self.registry).encode())])

    def whole(self) -> str:
        """Digest of all that is in the image.

        Raises:
            StackError: no data registry has been built here yet.
        """
        found = (path for path in (self.root / "shared").rglob("*") if path.is_file())
        code = [path for path in found if not _is_ignored(path.relative_to(self.root))]
        return digest([*self._files(code), ("but code", self.but_code().encode())])

    def revision(self) -> str:
        """The git commit, `-dirty` where what goes into the image differs from it."""
        changed = self._git("status", "--porcelain", "--", "shared", *RECIPE)
        return (self._git("rev-parse", "HEAD") or "unknown") + ("-dirty" if changed else "")

    def _git(self, *command: str) -> str:
        return subprocess.run(["git", *command], cwd=self.root, capture_output=True, text=True).stdout.strip()

    def _files(self, paths: Iterable[Path]) -> list[tuple[str, bytes]]:
        return [(path.relative_to(self.root).as_posix(), path.read_bytes()) for path in paths]


def digest(content: Iterable[tuple[str, bytes]]) -> str:
    """Of names and bytes, whatever their order."""
    whole = hashlib.sha256()
    for name, data in sorted(content):
        whole.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return whole.hexdigest()


def name(prefix: str = PREFIX, tree: Tree | None = None) -> str:
    """The image's name by the content of the work tree: another byte in it, another name; never `:latest`.

    Raises:
        StackError: no data registry has been built here yet.
    """
    return f"{prefix}-{TARGET}:{(tree or Tree()).whole()[:12]}"


def ensure(tell: Callable[[str], None], prefix: str = PREFIX) -> str:
    """Build the image when the engine has none of that name.

    Args:
        tell: is called with each step that does work.
        prefix: of the name.

    Returns:
        The name.

    Raises:
        StackError: no engine answers, or the build failed, with its cause.
        DataError: the checkout's data differ from their version.
    """
    engine.info()
    publish()
    wanted = name(prefix)
    if not exists(wanted):
        build(wanted, tell)
    return wanted


def ensure_packages(tell: Callable[[str], None], prefix: str = PREFIX) -> str:
    """The newest image that is right but for its code, over which the work tree's is mounted; built where none is.

    Raises:
        StackError, DataError: as `ensure`.
    """
    engine.info()
    publish()
    label = f"label={BUT_CODE}={Tree().but_code()}"
    format_ = "{{.Repository}}:{{.Tag}}"
    told = engine.docker("image", "ls", f"{prefix}-{TARGET}", "--filter", label, "--format", format_).split()
    found = [each for each in told if "<none>" not in each]
    return found[0] if found else ensure(tell, prefix)


@functools.cache
def publish() -> str:
    """Bring the data's pointers up to date, once a process: that they are takes a second to see.

    Returns:
        Their commit.

    Raises:
        DataError: the checkout's data differ from their version.
    """
    dataset.ensure()
    (STATE / "stacks").mkdir(parents=True, exist_ok=True)
    with FileLock(STATE / "stacks" / "registry.lock"):  # the stacks publish out of the same folder
        return registry.build()


def exists(image: str) -> bool:
    """Has the engine an image of that name?"""
    return bool(engine.docker("image", "ls", "--quiet", image).strip())


def build(image: str, tell: Callable[[str], None], tree: Tree | None = None, *options: str) -> None:
    """Build the image of a tree, whatever the engine has; what is unchanged comes from its cache.

    Args:
        image: its name.
        tell: is called with each step that does work.
        tree: what to build of; by default this checkout.
        options: of `docker build`, such as `--no-cache`.

    Raises:
        StackError: with the cause.
    """
    tree = tree or Tree()
    log = STATE / "stacks" / f"build-{TARGET}.log"
    tell("what has changed since the last one")
    command = [
        *(engine.find_docker(), "build", "--load", "--file", "compose/Dockerfile", "--target", TARGET, "--tag", image),
        *("--build-context", f"registry={tree.registry / 'registry'}"),
        *("--build-arg", f"BAKEOFF_REVISION={tree.revision()}", "--label", f"{BUT_CODE}={tree.but_code()}"),
        *(*options, "."),
    ]
    if engine.follow(command, engine.child_env(), log, Progress(tell).line, cwd=tree.root):
        raise failure(log)


def _is_ignored(path: Path) -> bool:
    return any(fnmatch.fnmatch(part, pattern) for part in path.parts for pattern in IGNORED)
