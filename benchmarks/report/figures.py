"""Figures as they are shown: each in panels of cases that differ in the tool alone, with what failed among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from benchmarks import stats
from benchmarks.measures import graphs
from benchmarks.measures.catalog import Where
from benchmarks.measures.record import Figure, Result, Sample
from benchmarks.measures.show import number
from benchmarks.report.collect import Measured
from benchmarks.stats import Timing

Labels = tuple[tuple[str, str], ...]
#: Labels that set marks of one panel apart, and how each is said after the tool.
_OWN = {"part": ": {}", "role": " ({})", "beside": ", beside {}", "to": " to {}"}
#: Labels whose values say by themselves what they are; of others the name is said too.
_PLAIN = ("where", "cache", "graph", "fault", "phase", "setting", "what")
#: As part or role: the sum of them.
ALL = "all"
#: Reckoned out of the makespan, round by round.
OVER = "over_plain_s"
#: A figure that is only the least that it can be, where a text of the sample says so: the harness has waited no longer.
_LEAST = {"detect_s": ("alert", "running")}
TOOLS = {"plain": "Plain Python", "prefect": "Prefect", "airflow": "Airflow", "kubeflow": "Kubeflow"}


@dataclass(frozen=True)
class Mark:
    """One case of one figure: samples, or else what became of it."""

    tool: str
    timing: Timing | None
    #: Where there are no samples: "failed", or "not run".
    told: str = ""
    #: Why.
    cause: str = ""
    #: In a row of several marks: what the row is.
    label: str = ""

    @property
    def title(self) -> str:
        """The tool as it is written."""
        return title(self.tool)


@dataclass(frozen=True)
class Panel:
    """Cases that are set beside each other."""

    title: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Shown:
    """One figure with all of its cases."""

    name: str
    title: str
    unit: str
    definition: str
    panels: tuple[Panel, ...]
    less_is_better: bool | None = None
    #: As the result file has it.
    figure: str = ""

    @property
    def marks(self) -> list[Mark]:
        """Of all panels."""
        return [mark for panel in self.panels for mark in panel.marks]

    @property
    def spread(self) -> bool:
        """Has any case more than one sample?"""
        return any(mark.timing and len(mark.timing.samples) > 1 for mark in self.marks)

    @property
    def better(self) -> str:
        """Which direction is the better one, by definition and not by judgement."""
        return {True: "less is better", False: "more is better", None: ""}[self.less_is_better]


def _is_least(sample: Sample, figure: str) -> bool:
    text, value = _LEAST.get(figure, ("", ""))
    return sample.texts.get(text) == value if text else False


def title(tool: str) -> str:
    """A tool as it is written; what is none of the arms keeps its own name."""
    return TOOLS.get(tool, tool)


def key(case: dict[str, str]) -> Labels:
    """A case, to look it up by."""
    return tuple(sorted(case.items()))


class Cases:
    """The samples of a result by their exact case."""

    def __init__(self, result: Result) -> None:
        self._result, self.cases = result, result.cases()
        self._of: dict[Labels, list[Sample]] = {}
        for each in result.samples:
            self._of.setdefault(key(each.case), []).append(each)

    def samples(self, case: dict[str, str], *, warmups: bool = False) -> list[Sample]:
        """Of exactly this case, in the order of their rounds."""
        found = [each for each in self._of.get(key(case), []) if warmups or not each.warmup]
        return sorted(found, key=lambda each: each.round)

    def timing(self, case: dict[str, str], figure: str) -> Timing | None:
        """A figure of the samples that succeeded; None where there is none."""
        if figure == OVER:
            return self._over_plain(case)
        kept = [each.figures[figure] for each in self._having(case, figure) if not _is_least(each, figure)]
        return stats.timing(kept) if kept else None

    def least(self, case: dict[str, str], figure: str) -> Timing | None:
        """How long was waited in vain, where samples tell no more of a figure than that it is greater."""
        kept = [each.figures[figure] for each in self._having(case, figure) if _is_least(each, figure)]
        return stats.timing(kept) if kept else None

    def _having(self, case: dict[str, str], figure: str) -> list[Sample]:
        return [each for each in self.samples(case) if each.status == "succeeded" and figure in each.figures]

    def _over_plain(self, case: dict[str, str]) -> Timing | None:
        if case.get("work") not in ("graph", "retraining") or case.get("tool") == "plain":
            return None
        return self._result.over("makespan_s", graphs.baseline(case), **case)

    def outcome(self, case: dict[str, str]) -> tuple[str, str]:
        """What became of a case without samples that succeeded, and why."""
        samples = self.samples(case)
        failed = [each for each in samples if each.status == "failed"] or samples
        return (failed[0].status, failed[0].error) if failed else ("not run", "")

    def texts(self, case: dict[str, str], name: str) -> list[str]:
        """The texts of that name, the most frequent first."""
        found = Counter(each.texts[name] for each in self.samples(case) if each.texts.get(name))
        return [text for text, _ in found.most_common()]


def show(measured: Measured) -> list[Shown]:
    """Every figure that has samples, in the order of the measure; of each kind of work apart."""
    cases = Cases(measured.result)
    works = list(dict.fromkeys(case.get("work", "") for case in cases.cases))
    shown = []
    for figure in measured.measure.figures:
        found = [each for work in works if (each := _shown(figure, cases, work))]
        shown += [replace(each, title=each.title.partition(",")[0]) for each in found] if len(found) == 1 else found
    return shown


def _shown(figure: Figure, cases: Cases, work: str) -> Shown | None:
    groups: dict[Labels, list[Mark]] = {}
    titles: dict[Labels, str] = {}
    for case in cases.cases:
        if case.get("work", "") != work:
            continue
        timing = cases.timing(case, figure.name)
        told, cause = ("", "") if timing else cases.outcome(case)
        if least := cases.least(case, figure.name):
            timing, told = None, f"not within {number(least.median)} {figure.unit}"
        if timing or told != "succeeded":
            panel = panel_of(case)
            titles[key(panel)] = ", ".join(v if k in _PLAIN else f"{k} {v}" for k, v in panel.items())
            mark = Mark(case.get("tool", ""), timing, told, cause, _label(case))
            groups.setdefault(key(panel), []).append(mark)
    kept = {labels: marks for labels, marks in groups.items() if any(mark.timing for mark in marks)}
    if not kept:
        return None
    panels = tuple(Panel(titles[labels], ordered(marks)) for labels, marks in kept.items())
    name, title = (
        each + f"{mark}{work}" * bool(work) for each, mark in ((figure.name, "-"), (_upper(figure.title), ", "))
    )
    definition, less = figure.definition, figure.less_is_better
    return Shown(name.replace(" ", "-"), title, figure.unit, definition, panels, less, figure.name)


def panel_of(case: dict[str, str]) -> dict[str, str]:
    """The labels that cases beside each other share. A cluster is Kubeflow's kind of servers."""
    place = {"kind": Where.COMPOSE.value}
    return {label: place.get(value, value) for label, value in case.items() if label not in ("tool", "work", *_OWN)}


def _label(case: dict[str, str]) -> str:
    """A mark's own name: the tool, and what else sets it apart from the others in its panel."""
    name = title(case.get("tool", ""))
    if case.get("part") == ALL and "role" in case:
        return f"{name}: {ALL}" if case["role"] == ALL else f"{name}: {ALL} {case['role']}"
    return name + "".join(words.format(title(case[label])) for label, words in _OWN.items() if label in case)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def ordered(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """In the order of the tools; what is none of them comes last."""
    order = list(TOOLS)
    return tuple(sorted(marks, key=lambda mark: order.index(mark.tool) if mark.tool in order else len(order)))


def spread(timing: Timing) -> str:
    """Median and, of several samples, least and most."""
    if timing.min == timing.max:
        return number(timing.median)
    return f"{number(timing.median)} ({number(timing.min)} - {number(timing.max)})"


def unit(shown: str) -> str:
    """A unit as it stands after a figure: a count has none."""
    return "" if shown == "count" else f" {shown}"
