"""What holds for every measure."""

from __future__ import annotations

import pytest

from benchmarks.measures import catalog
from benchmarks.measures.catalog import Asked, Name
from benchmarks.measures.cli import HELP

MEASURES = [catalog.load(name) for name in Name]
NAMES = [each.name.value for each in MEASURES]


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
@pytest.mark.parametrize("profile", ["quick", "full"])
def test_no_case_is_another_or_a_part_of_it(measure, profile):
    """Samples are found by labels: those of one case must not be found by those of another."""
    labels = [case.labels for group in measure.groups(Asked(profile)) for case in group.cases]
    assert labels
    overlapping = [
        (one, other) for at, one in enumerate(labels) for other in labels[at + 1 :] if one.items() <= other.items()
    ]
    assert overlapping == []


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_every_figure_is_defined_once_and_in_a_sentence(measure):
    names = [each.name for each in measure.figures]
    assert len(names) == len(set(names))
    assert all(each.definition.endswith(".") and len(each.definition) > 20 for each in measure.figures)


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_what_cannot_be_measured_says_by_which_command_it_is(measure):
    cannot = [case.cannot for group in measure.groups(Asked()) for case in group.cases if case.cannot]
    assert all("`" in each for each in cannot)


def test_every_measure_has_a_command_with_a_help():
    assert set(HELP) == set(Name)
