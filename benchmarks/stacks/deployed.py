"""What runs in a stack's containers: the code's revision and the versions of the packages."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field

from benchmarks.places import ROOT, ArmName
from benchmarks.stacks.engine import Compose, StackError

_ASK_S = 20
#: All that goes into an image, as git names paths.
_PARTS = ("shared", "airflow_impl", "prefect_impl", "compose", "locks", "pyproject.toml", ":!*.md")
#: Run by the container's own Python. A package that is not there is left out.
_SCRIPT = """
import json, os, sys
from importlib.metadata import distributions
have = {each.name.lower(): each.version for each in distributions()}
found = {name: have[name] for name in sys.argv[1:] if name in have}
print(json.dumps({"revision": os.environ.get("BAKEOFF_REVISION", ""), "versions": found}))
"""


@dataclass(frozen=True)
class Deployed:
    """The code and packages of a container."""

    revision: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    #: Why nothing is known of it.
    error: str = ""


def ask(compose: Compose, service: str, packages: list[str]) -> Deployed:
    """Ask a container of a stack. That it cannot be asked is no reason to lose a retraining: the answer then says why.

    Args:
        compose: bound to the stack.
        service: of the compose file, such as `prefect-worker`.
        packages: whose versions are wanted.
    """
    try:
        answer = json.loads(compose.exec(service, "python", "-c", _SCRIPT, *packages, timeout_s=_ASK_S))
    except (StackError, ValueError) as error:
        return Deployed(error=error.what if isinstance(error, StackError) else str(error))
    return Deployed(answer["revision"], answer["versions"])


def difference(deployed: Deployed, name: ArmName) -> str:
    """How the deployed code may differ from this checkout's; '' when it does not."""
    if deployed.error:
        return f"whether this checkout's code is deployed is not known: {deployed.error}"
    up = f"`./bakeoff up {name}` deploys what is here"
    command = ["git", "diff", "--name-only", deployed.revision or "unknown", "--", *_PARTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return f"the stack runs code of another checkout, commit {deployed.revision[:12] or 'unknown'}: {up}"
    if changed := done.stdout.split():
        names = ", ".join([*changed[:3], "..."] if len(changed) > 3 else changed)
        return f"what has changed since commit {deployed.revision[:12]} may not be deployed ({names}): {up}"
    return ""
