"""What the result files of the demo, the servers, scaling out and the capabilities say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks import docs_capabilities, docs_stacks, results, stack_cost
from benchmarks.places import ArmName
from benchmarks.report import tables
from benchmarks.report.figures import TOOLS, Mark, Panel, Shown, ordered
from benchmarks.report.section import Section, once_or_failed
from benchmarks.scaleout import records, show
from benchmarks.stats import Timing, timing


def demo(file: Path) -> Section:
    """The same model on every arm, and the seconds."""
    result = results.DemoResult.model_validate_json(file.read_text()) if file.exists() else None
    figures, rows = [], []
    if result:
        marks = tuple(
            once_or_failed(arm.name, arm.seconds if arm.error is None else None, arm.error) for arm in result.arms
        )
        definition = "Seconds from starting the arm until its last retraining has ended, its services included. n = 1."
        months = ", ".join(result.months)
        figures.append(Shown("run_s", "Three retrainings", "s", definition, (Panel(months, marks),), True))
        rows = ["| arm | month | AUC | log loss | verdict | model digest |", "|---|---|---:|---:|---|---|"]
        for arm in result.arms:
            for each in arm.retrainings:
                verdict = each.error or ("promoted" if each.promoted else "rejected")
                scores = f"{each.auc or 0:.4f} | {each.log_loss or 0:.4f}" if each.auc is not None else "|"
                digest = (each.model_digest or "")[:8]
                rows.append(f"| {TOOLS[arm.name]} | {each.month} | {scores} | {verdict} | {digest} |")
        agree = "All arms agree, bit for bit." if result.parity else "**The arms do not agree.**"
        rows += ["", agree]
    return Section(
        "demo",
        "The same model on every arm",
        "Do all tools reach the same model, and in what time?",
        "./bakeoff demo --save",
        file,
        (("agree", "metrics, verdicts, versions and model digests are equal to the last bit"),),
        tuple(figures),
        (tables.html("\n".join(rows), "Each retraining"),) if result else (),
    )


def stacks(file: Path) -> Section:
    """Starts, idle memory and images of the servers."""
    result = stack_cost.read(file)
    figures: list[Shown] = []
    if result:

        def titled(each: stack_cost.StackCost, found: Timing | None) -> Mark:
            label = TOOLS[each.tool] + (" with Celery" if each.celery else "")
            return Mark(each.tool, found, "" if found else "failed", each.error or "", label)

        def start(some: list[stack_cost.Start]) -> Timing | None:
            return stack_cost.spread(some, lambda each: each.seconds)

        panels = (
            Panel("first, no volumes", ordered(titled(s, start([s.first] if s.first else [])) for s in result.stacks)),
            Panel("warm, images built", ordered(titled(s, start(s.warm)) for s in result.stacks)),
        )
        definition = "Seconds of the whole `./bakeoff up`, until the tool's own health API says healthy."
        figures.append(Shown("up_s", "Until the servers are healthy", "s", definition, panels, True))
        idle = []
        for role in ("control plane", "workers", "base"):
            marks = [titled(s, timing([s.idle.memory_mib(role)])) for s in result.stacks if s.idle]
            idle.append(Panel(role, ordered(marks)))
        definition = "Sum of the medians of the containers' memory without file cache, over 60 quiet seconds."
        figures.append(Shown("idle_mib", "Memory of idle servers", "MiB", definition, tuple(idle), True))
    return Section(
        "stacks",
        "On real servers: start and idle",
        "What does it take to have the tool's servers up?",
        "./bakeoff bench stacks --save",
        file,
        (("base", "Postgres and MLflow, which every stack has"),),
        tuple(figures),
        tuple(
            tables.html(made(file), caption)
            for made, caption in (
                (docs_stacks.starts, "Seconds until healthy"),
                (docs_stacks.idle, "Memory and CPU of each service"),
                (docs_stacks.images, "Size of each image"),
            )
        )
        if result
        else (),
    )


def scale_out(file: Path) -> Section:
    """Makespans against workers."""
    result = records.read(file)
    figures = []
    for what in ("candidates", "small tasks") if result else ():
        spreads = [each for each in result.spreads if each.what == what] if result else []
        panels = [
            Panel(
                f"{count} worker{'s' * (count != 1)}",
                ordered(_spread(each) for each in spreads if each.workers == count),
            )
            for count in sorted({each.workers for each in spreads})
        ]
        asked = " or ".join(f"{each:,}" for each in sorted({each.asked for each in spreads}))
        definition = (
            "Seconds from the first task's chance to begin until the last one's end, by the tool's clock. n = 1."
        )
        title = f"Makespan of {asked} {what}"
        figures.append(Shown(what.replace(" ", "-"), title, "s", definition, tuple(panels), True))
    return Section(
        "scale-out",
        "Scaling out",
        "What do more workers give?",
        "./bakeoff bench scale-out --save",
        file,
        (("worker", f"one process or container that runs up to {records.SLOTS} tasks at once"),),
        tuple(figures),
        (tables.html(show.table(file), "Every run"),) if result else (),
    )


def _spread(run: records.Spread) -> Mark:
    """Plain Python has no workers: it is one process, drawn beside one worker."""
    mark = once_or_failed(run.tool, run.makespan_s, run.error)
    return replace(mark, label="Plain Python: one process") if run.tool is ArmName.PLAIN else mark


def capabilities(file: Path) -> Section:
    """The verdict on each capability."""
    there = file.exists()
    return Section(
        "capabilities",
        "What each tool can do",
        "Does the tool do by itself what a team asks for?",
        "make test-stacks",
        file,
        (
            ("native", "the tool does it by itself"),
            ("extra parts", "something has to be added to the tool"),
            ("not possible", "not without giving the tool up"),
        ),
        (),
        (tables.html(docs_capabilities.table(file), "Capability by tool"),) if there else (),
    )
