"""One cell of the matrix: make the fault, run into it, walk to its cause, mend it, go on; the champion must stay."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measures.debug import inject, servers
from benchmarks.measures.debug.catalogue import CONTROL, Cell
from benchmarks.measures.debug.ledger import Broken
from benchmarks.measures.debug.place import Breaking, begin
from benchmarks.measures.debug.subject import Subject, Told
from benchmarks.measures.debug.walk import Walked
from benchmarks.measures.debug.walks import walks
from benchmarks.measures.rounds import Failed, Taken, Tell
from benchmarks.places import ArmName
from shared.errors import BakeoffError

#: A run without a fault, and one that goes on, end within this.
PATIENCE_S = 240.0
#: The fault whose failing step is also run alone, on the user's machine.
TRIED_ALONE = "schema-change"
#: Alerts of a run that ended well.
WELL = ("succeeded", "recovered")
#: An import error of these is seen before anything runs.
_PARSED_APART = (ArmName.AIRFLOW,)


@dataclass
class Story:
    """What has happened so far: a cell that breaks off keeps it."""

    #: The version that must stay.
    champion: int | None
    figures: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def taken(self) -> Taken:
        """As a sample has it."""
        return Taken(self.figures, self.texts)


def take(cell: Cell, subject: Subject, tell: Tell, *, brief: bool = False) -> Taken:
    """Take one cell.

    Args:
        cell: which.
        subject: its tool, open.
        tell: is called with what is being done.
        brief: only to the cause; the failing step is not run alone, and nothing is gone on with.

    Raises:
        Failed: the fault moved the champion, the control did not end well, or the harness itself failed.
    """
    story = Story(subject.champion())
    breaking = begin(subject.place, subject.ledger, cell.fault.id)
    told: Told | None = None
    try:
        told = _broken(cell, subject, breaking, story, tell, brief)
    except BakeoffError as error:
        raise Failed(error.what, where=error.where, fix=error.fix, taken=story.taken) from error
    finally:
        tell("mending")
        subject.ledger.mend(breaking.broken)
        subject.settle()
    after = subject.champion()
    story.texts["champion_kept"] = kept = _kept(story.champion, after, subject, told)
    if cell.fault.id == CONTROL and told.alert not in WELL:
        what = f"the control, which has no fault, ended as {told.state}"
        raise Failed(what, where=story.texts.get("cause_line", "its log"), fix="find out why", taken=story.taken)
    if kept.startswith("no"):
        what = f"the fault moved the champion from {story.champion} to {after}"
        raise Failed(what, where="the registry", fix="this must never happen", taken=story.taken)
    if brief or cell.fault.mended == "not asked":
        story.texts["resume"] = "not asked"
        return story.taken
    tell("going on without the fault")
    subject.code_changed(cell.fault.edits_of(cell.tool, cell.where))
    with servers.as_they_should_be(subject.place, subject.ledger, told.config):
        _go_on(cell, subject, told, story)
    return story.taken


def _kept(before: int | None, after: int | None, subject: Subject, told: Told) -> str:
    """Is the champion as it was, or has it been replaced by a run that ended well, as its verdict says?"""
    if after == before:
        return "yes"
    moved = f"{before} -> {after}"
    promoted = subject.promoted(told.config) if told.alert in WELL else None
    return f"yes, and promoted by the run itself: {moved}" if promoted and promoted == after else f"no: {moved}"


def _broken(cell: Cell, subject: Subject, breaking: Breaking, story: Story, tell: Tell, brief: bool) -> Told:
    """From making the fault to the end of the walk."""
    fault = cell.fault
    tell("making the fault")
    inject.inject(breaking, fault)
    subject.code_changed(fault.edits_of(cell.tool, cell.where))
    if fault.kind == "stale_cache":
        tell("filling the cache")
        _fill_the_cache(subject, breaking)
        story.champion = subject.champion()  # that run was a good one
    config = subject.config(breaking.broken.settings)
    tell("running into it")
    if breaking.notes and fault.kind == "image":  # the deployment itself was refused
        took = float(breaking.notes[0])
        told = Told("refused", "not deployed", time.time() - took, time.time(), config)
    else:
        parses = fault.id == "import-error" and cell.tool in _PARSED_APART
        with servers.calmed(breaking, fault.kind == "flaky"):
            told = subject.run(config, breaking.broken, fault.patience_s, parses=parses)
    story.texts |= {"state": told.state, "alert": told.alert, "debug_locally": _locally(cell, "")}
    if fault.kind == "rejection":
        story.texts["paged"] = "no: the run ended well" if told.alert in WELL else "yes: the run failed"
    if told.alert not in WELL:
        story.figures["detect_s"] = told.told - told.began
    if told.first_sign is not None:
        story.figures["first_sign_s"] = told.first_sign - told.began
    if fault.id == CONTROL:
        story.figures["run_s"] = told.told - told.began
        if told.alert in WELL:
            return told
    tell("walking to the cause")
    _walk(cell, subject, told, story)
    if not brief and fault.id == TRIED_ALONE and (said := subject.alone(config)) is not None:
        tell("running the failing step alone")
        same = fault.cause_of(cell.tool, cell.where).search(said)
        story.texts["debug_locally"] = _locally(
            cell, " (tried: the same cause)" if same else " (tried: it did not show)"
        )
    return told


def _fill_the_cache(subject: Subject, breaking: Breaking) -> None:
    """A first run, on the data that the cache will go on to give; then the branch moves."""
    first = subject.run(subject.config(breaking.broken.settings), breaking.broken, PATIENCE_S)
    if first.alert not in WELL:
        what = f"the run that fills the cache ended as {first.state}"
        raise Failed(what, where="its log", fix="find out why")
    inject.move_branch("two")
    if breaking.place.env is not None:
        inject.publish(breaking.place)


def _walk(cell: Cell, subject: Subject, told: Told, story: Story) -> None:
    looks = walks(cell.tool).of(cell.where, told.alert)
    walked: Walked = subject.walker(told).walk(looks, cell.fault.cause_of(cell.tool, cell.where))
    story.texts |= {
        "cause_in": walked.cause_in,
        "cause_line": walked.cause_line,
        "walk": " > ".join(f"{each.look.at}: {each.look.look}" for each in walked.seen),
    }
    if walked.seen:
        story.figures |= {
            "diagnose_s": walked.seconds,
            "walk_steps": len(walked.seen),
            "tools_switched": walked.switches,
        }
    if walked.found is not None and walked.found.at is not None:
        story.figures["log_lines"] = walked.found.at


def _locally(cell: Cell, tried: str) -> str:
    known = walks(cell.tool).locally
    return f"{'yes' if known.can else 'no'}{tried}: {known.how}"


def _go_on(cell: Cell, subject: Subject, told: Told, story: Story) -> None:
    """The tool's own way to go on, or a new run; and which steps are then run again that had ended well before."""
    if told.alert == "succeeded":
        return
    before = [each for each in subject.events() if each["time"] >= told.began]
    if told.alert == "recovered":
        story.texts["resume"] = "by itself: the tool's retry"
        failed = [each["time"] for each in before if each["state"] == "failed"]
        story.figures["repeated_steps"] = _begun_again(before)
        if failed or told.first_sign:
            story.figures["resume_s"] = told.told - min([*failed, *([told.first_sign] if told.first_sign else [])])
        return
    if cell.fault.kind == "image":
        story.texts["resume"] = "no run was lost: deploy the right image"
        return
    way, again = _own_way(cell, subject, told, story)
    if again is None:
        way = f"a new run; what the tool has: {way}" if way else "a new run"
        again = subject.run(subject.config({}), _nothing(subject), PATIENCE_S)
    story.texts |= {"resume": way, "resumed": again.state}
    if again.alert in WELL:
        after = [each for each in subject.events() if each["time"] >= again.began]
        story.figures |= {"resume_s": again.told - again.began, "repeated_steps": len(_done(before) & _done(after))}


def _own_way(cell: Cell, subject: Subject, told: Told, story: Story) -> tuple[str, Told | None]:
    """How the tool goes on, and what came of it; None where it has no way, or it did not lead to a good end."""
    if told.alert == "not_parsed":
        way = "a new run, once the file is parsed: there was none"
    elif cell.fault.mended == "resume" and told.run:
        way = walks(cell.tool).resume.get(cell.where, "")
    else:
        return "", None
    try:
        again = subject.resume(told, PATIENCE_S)
    except BakeoffError as error:
        story.texts["resume_failed"] = error.what
        return way, None
    if again is not None and again.alert not in WELL:
        story.texts["resume_failed"] = f"it ended as {again.state}"
    return way, again if again is not None and again.alert in WELL else None


def _nothing(subject: Subject) -> Broken:
    return Broken(fault="", tool=subject.tool, where=subject.where, at="")


def _done(events: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Steps that have ended well."""
    return {
        (each["step"], each["label"]) for each in events if each["state"] == "finished" and each["step"] != "retrain"
    }


def _begun_again(events: list[dict[str, Any]]) -> int:
    """How often a step was begun that had been begun before."""
    begun = [
        (each["step"], each["label"]) for each in events if each["state"] == "started" and each["step"] != "retrain"
    ]
    return len(begun) - len(set(begun))
