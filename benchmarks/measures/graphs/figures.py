"""What the figures of a run mean."""

from __future__ import annotations

from benchmarks.measures.record import Figure

FIGURES = (
    Figure(
        name="makespan_s",
        title="makespan",
        unit="s",
        definition="From asking the tool for the run until the run has ended. Asked is Airflow by its API, with "
        "services that are up; Prefect on its servers by its API too, embedded by calling the flow once its ephemeral "
        "API is up; KFP's local runner by calling the compiled pipeline; plain by calling the tasks. The end is the "
        "tool's own timestamp, or the return of the call. Of an embedded retraining: from starting the arm, its "
        "services and imports included, until its last event, as `./bakeoff demo` tells it.",
    ),
    Figure(
        name="over_plain_s",
        title="over plain",
        unit="s",
        definition="Makespan less that of plain Python doing the same in one process, round by round.",
    ),
    Figure(
        name="up_s",
        title="until it can be called",
        unit="s",
        definition="Of tools that are a fresh process for each run: from the start of the process until the run is "
        "called: imports, compiling, Prefect's ephemeral API. Not part of the makespan.",
    ),
    Figure(
        name="start_s",
        title="start",
        unit="s",
        definition="Of a run: from the call until the first task is ready. Of a retraining: from starting the arm, its "
        "services included, until its first step begins.",
    ),
    Figure(
        name="schedule_s",
        title="schedule",
        unit="s",
        definition="Time in which no task runs and at least one is ready, waiting for its start. Ready: Airflow's "
        "scheduled_when, Prefect's expected_start_time, of KFP's local runner its log record 'Executing task'. "
        "Started: Airflow's start_date, Prefect's start_time, of KFP the first line that the component's own process "
        "logs. Ended: end_date, end_time, 'finished with status'.",
    ),
    Figure(
        name="execution_s",
        title="execution",
        unit="s",
        definition="Time in which at least one task (of a retraining, step) runs, by the same timestamps. Of an "
        "embedded retraining, as the step itself tells: what a task's process imports before it is then transition.",
    ),
    Figure(
        name="transition_s",
        title="transition",
        unit="s",
        definition="Time between the first task's being ready and the last one's end in which no task runs and none is "
        "ready: the tool finds out what is next. Of a retraining: all of its makespan but start and execution.",
    ),
    Figure(
        name="end_s",
        title="end",
        unit="s",
        definition="From the last task's end to the run's. Start, schedule, execution, transition and end add up to "
        "the makespan.",
    ),
    Figure(
        name="trigger_s",
        title="trigger",
        unit="s",
        definition="From the call (makespan) until the first task has started.",
    ),
    Figure(
        name="tasks_s",
        title="first ready to last end",
        unit="s",
        definition="From the first task's being ready to the last one's end: what Windmill's benchmark calls duration.",
    ),
    Figure(
        name="latency_s",
        title="latency of a task",
        unit="s",
        definition="Median over the tasks of a run: from ready to started.",
    ),
)
