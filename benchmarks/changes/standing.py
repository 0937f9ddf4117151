"""What stands in the container engine at a moment, so that what has changed is found out and not declared."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from benchmarks.stacks import engine
from benchmarks.stacks.engine import StackError

#: compose/Dockerfile writes the commit there.
_REVISION = "org.opencontainers.image.revision"
_SERVICE = "com.docker.compose.service"


@dataclass(frozen=True)
class Standing:
    """Images and services of one stack.

    Args:
        images: ids of those whose name has the stack's prefix.
        services: container and when it was started, by the service.
    """

    images: frozenset[str] = frozenset()
    services: dict[str, tuple[str, str]] = field(default_factory=dict)

    def built_until(self, later: Standing) -> bool:
        """Is there an image that was not there?"""
        return bool(later.images - self.images)

    def restarted_until(self, later: Standing) -> tuple[str, ...]:
        """Services whose container is another one, or has been started again."""
        return tuple(name for name, each in sorted(later.services.items()) if self.services.get(name) != each)


def look(prefix: str, project: str = "") -> Standing:
    """What stands now.

    Args:
        prefix: of the images' names.
        project: of the containers; none for a tool that has no stack here.

    Raises:
        StackError: the engine does not answer.
    """
    words = ("image", "ls", "--no-trunc", "--filter", f"reference={prefix}*", "--format", "{{.ID}}")
    images = frozenset(engine.docker(*words).split())
    told = _inspect(f"label={engine.PROJECT}={project}") if project else []
    services = {each["Config"]["Labels"][_SERVICE]: (each["Id"], each["State"]["StartedAt"]) for each in told}
    return Standing(images, services)


def others(prefix: str) -> int:
    """How many containers run that are not of this prefix.

    Raises:
        StackError: the engine does not answer.
    """
    names = engine.docker("container", "ls", "--format", "{{.Names}}").split()
    return sum(not name.startswith(prefix) for name in names)


def revision(project: str, service: str) -> tuple[str, str]:
    """The commit of the image that a service's running container is of, and when it was started; '' where none runs.

    Raises:
        StackError: the engine does not answer.
    """
    for each in _inspect(f"label={engine.PROJECT}={project}", f"label={_SERVICE}={service}"):
        state = each["State"]
        healthy = (state.get("Health") or {}).get("Status", "healthy") == "healthy"
        if state["Running"] and healthy:
            return each["Config"]["Labels"].get(_REVISION, ""), state["StartedAt"]
    return "", ""


def _inspect(*filters: str) -> list[dict[str, Any]]:
    words = [word for each in filters for word in ("--filter", each)]
    ids = engine.docker("container", "ls", "--all", "--quiet", *words).split()
    try:
        return list(json.loads(engine.docker("container", "inspect", *ids))) if ids else []
    except StackError:  # one went away in between
        return _inspect(*filters)
