"""What the sections show, for every state that a window can be in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_spaceediting.editing.edits import NO_EDITS, ONLY_ARRANGED
from napari_spaceediting.plugin.status import (
    BUSY,
    KEEP_MAP,
    NO_IMAGES,
    NO_NETWORK,
    TO_DECIDE,
    Facts,
    SectionState,
    Step,
    Turn,
    Work,
    locked,
    sections,
    why_no_adding,
    why_no_new_map,
)

OPENED = Facts(n_images=2000)
MAPPED = replace(OPENED, backbone="resnet18", method="umap")
EDITED = replace(MAPPED, n_edits=3, no_lesson="", keeps_map=True)
AWAITS = replace(MAPPED, awaits=True)
PAST = "The map before round 3 is only to look at."
AFTER_DATA = tuple(Step)[1:]
ON_A_MAP = tuple(Step)[2:-1]


def test_without_images_only_they_can_be_opened():
    shown = sections(Facts())
    assert shown[Step.DATA] == SectionState(mark="active")
    assert all(shown[step].closed == NO_IMAGES for step in AFTER_DATA)


def test_without_a_network_it_is_what_comes_next():
    shown = sections(OPENED)
    assert shown[Step.DATA] == SectionState("2,000 images", "done")
    assert shown[Step.NETWORK] == SectionState(mark="active")
    assert all(shown[step].closed == NO_NETWORK for step in ON_A_MAP)
    assert shown[Step.RESULTS] == SectionState(), "labels can be taken out"


def test_with_a_map_all_is_open_and_edits_come_next():
    shown = sections(MAPPED)
    assert not any(state.closed for state in shown.values())
    assert shown[Step.NETWORK] == SectionState("resnet18", "done")
    assert shown[Step.MAP] == SectionState("UMAP", "done")
    assert shown[Step.GUIDANCE] == SectionState()
    assert shown[Step.EDITS] == SectionState()
    assert shown[Step.RETRAIN] == SectionState(blocked=NO_EDITS)


def test_with_edits_one_can_retrain_but_draw_no_other_map():
    shown = sections(EDITED)
    assert shown[Step.EDITS] == SectionState("3 edits", "active")
    assert shown[Step.RETRAIN] == SectionState(mark="active")
    assert shown[Step.NETWORK].blocked == why_no_new_map(EDITED) == KEEP_MAP
    assert not locked(EDITED)
    of_classes = replace(EDITED, keeps_map=False)
    assert why_no_new_map(of_classes) == sections(of_classes)[Step.NETWORK].blocked
    assert not why_no_new_map(of_classes), "edits of classes stay on any map"


@pytest.mark.parametrize("why", [NO_EDITS, ONLY_ARRANGED])
def test_edits_that_teach_nothing_say_why(why):
    shown = sections(replace(EDITED, no_lesson=why))
    assert shown[Step.EDITS] == SectionState("3 edits")
    assert shown[Step.RETRAIN] == SectionState(blocked=why)


def test_a_round_waits_for_its_decision():
    shown = sections(AWAITS)
    assert shown[Step.RETRAIN] == SectionState("to decide", "active", blocked=TO_DECIDE)
    assert shown[Step.NETWORK].blocked == TO_DECIDE
    assert locked(AWAITS) == TO_DECIDE


@pytest.mark.parametrize("work", [Work.RETRAINING, Work.OTHER])
def test_work_on_the_network_keeps_hands_off(work):
    facts = replace(EDITED, work=work)
    shown = sections(facts)
    said = "running" if work is Work.RETRAINING else ""
    assert shown[Step.RETRAIN] == SectionState(said, "active", blocked=BUSY)
    assert shown[Step.NETWORK].blocked == BUSY
    assert locked(facts) == why_no_adding(facts) == why_no_new_map(facts) == BUSY
    assert not shown[Step.DATA].blocked, "others can be opened instead"


def test_one_may_edit_while_a_traversal_runs_but_not_train():
    facts = replace(EDITED, work=Work.TRAVERSAL)
    assert not locked(facts)
    assert sections(facts)[Step.RETRAIN].blocked == BUSY
    assert why_no_adding(facts) == why_no_new_map(facts) == BUSY
    assert locked(replace(AWAITS, work=Work.TRAVERSAL)) == TO_DECIDE


def test_an_earlier_map_is_only_looked_at():
    facts = replace(EDITED, past=PAST)
    shown = sections(facts)
    assert locked(facts) == PAST
    assert shown[Step.RETRAIN].blocked == shown[Step.NETWORK].blocked == PAST
    looked_back = replace(AWAITS, past=PAST)
    assert locked(looked_back) == PAST
    assert not sections(looked_back)[Step.RETRAIN].text


def test_nothing_else_is_opened_while_images_are_read():
    for facts in (Facts(), MAPPED):
        reading = replace(facts, is_reading=True)
        assert sections(reading)[Step.DATA].blocked == BUSY
        assert not locked(reading)


def test_work_at_risk_is_said_first():
    text = sections(replace(EDITED, at_risk=True))[Step.DATA].text
    assert text == "● not saved · 2,000 images"


def test_guidance_counts_its_proposals():
    shown = sections(replace(MAPPED, review=(2, 30)))
    assert shown[Step.GUIDANCE] == SectionState("2 of 30", "active")


def test_every_turn_of_the_work_unfolds_what_it_turns_to():
    for folding in (turn.value for turn in Turn):
        assert folding.opened
        assert not set(folding.opened) & set(folding.folded)
    # Whoever makes the first edit looks at the map.
    assert not Turn.FIRST_EDIT.value.scrolls
