"""Other projects as their documentation starts them on one machine: what is installed, typed, and set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Project:
    """A project whose quickstart can be run here.

    Args:
        name: also of its lock.
        quickstart: what of its documentation the first run is.
        first: commands of the first run, one after the other; their first word is in the environment's `bin`.
        graph: the command that runs the graph; behind it comes the number of tasks.
        makes: what has to be typed before any file can be put into the project; part of the first run.
        folder: where all other commands are typed, below the room.
        hello: our file of the first run, and where it goes in `folder`.
        graphs: the same of the graph.
        env: settings; `{room}` is the sample's own folder, so that nothing of one sample is there for the next.
    """

    name: str
    quickstart: str
    first: tuple[str, ...]
    graph: tuple[str, ...]
    makes: tuple[str, ...] = ()
    folder: str = "."
    hello: Mapping[str, str] = field(default_factory=dict)
    graphs: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


KEDRO = Project(
    name="kedro",
    quickstart="`kedro new` without tools or example (a starter would be fetched from GitHub), the two nodes of the "
    "documentation's hello world, `kedro run`",
    makes=("kedro", "new", "--name", "hello", "--tools", "none", "--example", "n", "--telemetry", "no"),
    folder="hello",
    first=("kedro", "run"),
    graph=("python", "kedro_run.py"),
    hello={"kedro_hello.py": "src/hello/pipelines/greeting/__init__.py"},
    graphs={"kedro_graph.py": "src/hello/pipelines/linear/__init__.py", "kedro_run.py": "kedro_run.py"},
    env={"KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"},
)
ZENML = Project(
    name="zenml",
    quickstart="the documentation's hello world of one step, `python run.py`, on the default stack without a dashboard",
    first=("python", "run.py"),
    graph=("python", "graph.py"),
    hello={"zenml_hello.py": "run.py"},
    graphs={"zenml_graph.py": "graph.py"},
    env={"ZENML_ANALYTICS_OPT_IN": "false", "ZENML_CONFIG_PATH": "{room}/config"},
)
PROJECTS = (KEDRO, ZENML)
