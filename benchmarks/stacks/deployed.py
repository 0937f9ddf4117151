"""What runs in a stack's containers: the code's revision and the versions of the packages."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field

from benchmarks import results
from benchmarks.places import ArmName
from benchmarks.stacks.settings import StackSettings

_ASK_S = 20
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


def ask(settings: StackSettings, service: str, packages: list[str]) -> Deployed:
    """Ask a container of a stack. That it cannot be asked is no reason to lose a retraining: the answer then says why.

    Args:
        settings: of the stack.
        service: of the compose file, such as `prefect-worker`.
        packages: whose versions are wanted.
    """
    command = ["docker", "compose", "--project-name", settings.project, "exec", "-T", service, "python", "-c", _SCRIPT]
    try:
        done = subprocess.run([*command, *packages], capture_output=True, text=True, timeout=_ASK_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Deployed(error=str(error))
    if done.returncode:
        return Deployed(error=(done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    answer = json.loads(done.stdout)
    return Deployed(answer["revision"], answer["versions"])


def difference(deployed: Deployed, name: ArmName) -> str:
    """How the deployed code differs from this checkout's; '' when it does not."""
    here = results.environment().commit
    if deployed.error:
        return f"whether this checkout's code is deployed is not known: {deployed.error}"
    if deployed.revision == here and not here.endswith("-dirty"):
        return ""
    up = f"`./bakeoff up {name}` deploys what is here"
    if deployed.revision.removesuffix("-dirty") == here.removesuffix("-dirty"):
        return f"files have changed since commit {here[:12]}, and the stack may run them as they were: {up}"
    return f"the stack runs commit {deployed.revision[:12] or 'unknown'}, this checkout is {here[:12]}: {up}"
