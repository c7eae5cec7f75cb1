"""Which of one's own answers are contradicted by all other labels."""

import numpy as np
import pytest

from napari_spaceediting.editing.second_look import SecondLook, second_looks

PER_CLASS, SIZE = 60, 4


@pytest.fixture(scope="module")
def crowds():
    """Return latents of three separate classes, their labels, and answers of four."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), PER_CLASS)
    latents = 8 * np.eye(3)[truth] + rng.normal(size=(len(truth), 3))
    named_by = np.full(len(truth), -1)
    for answer, start in enumerate(range(0, len(truth), 15)):
        named_by[start : start + SIZE] = answer
    return latents.astype(np.float32), truth, named_by


def looks_at(crowds, labels, among=None, seed=0) -> list[SecondLook]:
    latents, truth, named_by = crowds
    among = np.ones(len(truth), bool) if among is None else among
    return second_looks(latents, labels, named_by, among, 3, seed)


@pytest.mark.parametrize("seed", range(5))
def test_wrong_answers_are_found_and_right_ones_left_alone(crowds, seed):
    _, truth, named_by = crowds
    labels = truth.copy()
    wrong = {1: 2, 6: 0}  # answers about classes 0 and 1
    for answer, said in wrong.items():
        labels[named_by == answer] = said
    looks = looks_at(crowds, labels, seed=seed)
    found = {int(named_by[look.indices[0]]): look for look in looks}
    assert set(found) == set(wrong)
    for answer, look in found.items():
        assert look.indices.tolist() == np.flatnonzero(named_by == answer).tolist()
        assert look.other == truth[look.indices[0]]
        assert 0 < look.excess <= look.belief <= 1
    assert looks[0].excess >= looks[1].excess


def test_what_may_give_no_evidence_is_not_asked_either(crowds):
    _, truth, named_by = crowds
    labels = np.where(named_by == 1, 2, truth)
    assert looks_at(crowds, labels)
    assert not looks_at(crowds, labels, among=named_by != 1)


def test_an_image_that_was_relabelled_since_is_no_longer_meant(crowds):
    _, truth, named_by = crowds
    labels = np.where(named_by == 1, 2, truth)
    taken_back = np.flatnonzero(named_by == 1)[0]
    labels[taken_back] = truth[taken_back]
    (look,) = looks_at(crowds, labels)
    assert look.indices.tolist() == np.flatnonzero(named_by == 1)[1:].tolist()


@pytest.mark.parametrize("labels", ["none", "one class"])
def test_without_two_classes_nothing_is_contradicted(crowds, labels):
    truth = crowds[1]
    assert not looks_at(crowds, np.full_like(truth, -1 if labels == "none" else 0))


def test_answers_that_nothing_else_can_judge_are_left_alone(crowds):
    latents, truth, named_by = crowds
    only = np.where(named_by == 1, truth, -1)
    assert not looks_at((latents, truth, named_by), only)
