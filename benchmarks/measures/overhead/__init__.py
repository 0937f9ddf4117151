"""The measure `overhead`: what each tool adds to the work, where it goes, and what the harness adds to the tool."""

from __future__ import annotations

from benchmarks.measures import graphs
from benchmarks.measures.catalog import Asked, Measure, Name, Where
from benchmarks.measures.graphs import figures
from benchmarks.measures.overhead import harness, imports, retraining, setting, usage
from benchmarks.measures.record import Figure
from benchmarks.measures.rounds import Group

FIGURES = (
    *figures.FIGURES,
    Figure(
        name="import_s",
        title="import",
        unit="s",
        definition="In a fresh process, the interpreter running already: the import of the tool, or of the module that "
        "holds the pipeline, which imports the tool and of the core what it needs to be read.",
    ),
    Figure(
        name="parse_s",
        title="parse",
        unit="s",
        definition="In a fresh process that has imported the tool: Airflow's DagBag of the DAG's file, Prefect's "
        "loading of the deployment's flow, KFP's import and compilation of the pipeline to its IR.",
    ),
    *usage.FIGURES,
)


def groups(asked: Asked) -> list[Group]:
    """All that is asked for, embedded first."""
    wanted = [each for each in graphs.NOTHING if asked.profile == "full" or each.tasks <= graphs.QUICK_TASKS]
    found = []
    if Where.EMBEDDED in asked.where:
        found += [imports.group(asked), retraining.embedded(asked)]
        found.append(graphs.embedded(asked, wanted, more=harness.of_airflow(asked)))
        found.append(harness.group(asked))
    for tool in graphs.stacks(asked):
        found.append(graphs.on_servers(asked, tool, wanted, more=retraining.on_servers(asked, tool)))
    found += setting.groups(asked)
    if rest := retraining.on_kubeflow(asked):
        found.append(Group("retraining on a cluster", rest))
    return [each for each in found if each.cases]


MEASURE = Measure(
    name=Name.OVERHEAD,
    title="Overhead",
    question="What does the tool add to the work, and where does that time go?",
    figures=FIGURES,
    groups=groups,
    limits=(
        "One machine. Embedded Airflow's services are up before its graphs are run, and what starting them takes is in "
        "the retraining's start; Prefect embedded and KFP's local runner are a fresh process for each run.",
        "A task is a process with Airflow and KFP, and a thread of the flow's process with Prefect: it costs less, and "
        "isolates less.",
        "KFP's local runner is no Kubeflow: on a cluster every task is a pod. Of independent tasks it runs those of a "
        "ParallelFor at once, two at a time, and tells of each only when it starts it.",
        "The tools tell times by different events: see the definitions. Prefect's task is ready when the flow has "
        "called it, Airflow's when the scheduler has found out that it may run.",
        "On servers each tool's stack is alone on the machine. Its retraining's execution is by the tool's timestamps, "
        "with what a task's process imports; embedded it is by the step's own.",
        "Airflow's LocalExecutor has 4 slots embedded and 8 in compose; Prefect's flow has as many threads as tasks.",
        "All cases have the tools' defaults for how often they look for work, but those of `setting`.",
        "Of the graphs only the smallest has a warm-up, which is one of the tool; Airflow's runs with the harness on "
        "and off have none, for the services have run the graphs before.",
    ),
)
