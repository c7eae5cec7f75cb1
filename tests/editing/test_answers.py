from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.answers import (
    ENOUGH,
    LEAST_AGREEMENT,
    Answer,
    ProposalKind,
    agreement,
    standing,
    summarise,
    suspicion,
)

GROUP, AMBIGUOUS = ProposalKind.GROUP, ProposalKind.AMBIGUOUS
MISLABELLED = ProposalKind.MISLABELLED


def said(kind: ProposalKind, *images: int, yes: bool = True, signs=()) -> Answer:
    return Answer(kind, np.array(images), yes, tuple(signs))


def taught(n: int, deciding: int, seed: int = 0) -> list[Answer]:
    """Return answers to suspicious labels that follow one of three signs."""
    signs = np.random.default_rng(seed).uniform(0.5, 1, (n, 3))
    wrong = signs[:, deciding] > 0.75
    return [
        said(MISLABELLED, at, yes=bool(wrong[at]), signs=signs[at]) for at in range(n)
    ]


def test_an_answer_goes_with_its_edit():
    decided = np.array([True, True, False, False])
    yes, half, gone = said(GROUP, 0, 1), said(GROUP, 1, 2), said(GROUP, 2, 3)
    kept, forgotten = (said(MISLABELLED, at, yes=False) for at in (0, 3))
    put_aside = said(GROUP, 2, 3, yes=False), said(AMBIGUOUS, 2, yes=False)
    answers = [yes, half, gone, kept, forgotten, *put_aside]
    assert standing(answers, decided) == (yes, kept, *put_aside)


def test_agreement_is_one_half_at_first_and_follows_the_answers():
    assert agreement([], GROUP) == 0.5
    answers = [said(GROUP, at) for at in range(8)] + [said(AMBIGUOUS, 9, yes=False)]
    assert agreement(answers, GROUP) == pytest.approx(0.9)
    assert agreement(answers, AMBIGUOUS) == pytest.approx(1 / 3)
    assert agreement(answers, MISLABELLED) == 0.5
    refused = [said(GROUP, at, yes=False) for at in range(1000)]
    assert agreement(refused, GROUP) == LEAST_AGREEMENT


@pytest.mark.parametrize("deciding", [0, 1, 2])
def test_suspicion_follows_the_sign_that_answers_support(deciding):
    alone = np.eye(3)
    found = suspicion(alone, taught(40, deciding))
    assert found.argmax() == deciding
    assert found[deciding] > 1.2 * np.delete(found, deciding).max()
    assert ((found > 0) & (found < 1)).all()


def test_suspicion_grows_with_the_answers():
    signs = np.array([[1, 0.5, 0.5], [0.5, 1, 1]])
    gaps = [
        np.diff(suspicion(signs, taught(n, 0, seed=1)))[0] for n in (0, 15, 40, 200)
    ]
    assert gaps == sorted(gaps, reverse=True), "from equal weights to the first sign"
    assert gaps[0] > 0 > gaps[-1]


@pytest.mark.parametrize(
    "answers",
    [
        [],
        taught(ENOUGH - 1, 0),
        [said(MISLABELLED, at, signs=(1, 0, 0)) for at in range(30)],
        [said(MISLABELLED, at, yes=at % 2 == 0) for at in range(30)],
        [said(GROUP, at, yes=at % 2 == 0, signs=(1, 0, 0)) for at in range(30)],
    ],
    ids=["none", "few", "one outcome", "without signs", "of groups"],
)
def test_without_enough_answers_every_sign_counts_the_same(answers):
    signs = np.random.default_rng(3).random((20, 3))
    assert_allclose(suspicion(signs, answers), signs.mean(axis=1))


def test_answers_that_tell_nothing_leave_the_weights_equal():
    answers = [
        said(MISLABELLED, at, yes=at % 2 == 0, signs=(0.9, 0.9, 0.9))
        for at in range(40)
    ]
    signs = np.random.default_rng(3).random((50, 3))
    order = suspicion(signs, answers).argsort()
    assert_array_equal(order, signs.mean(axis=1).argsort())


def test_what_was_learnt_in_one_line():
    groups = [said(GROUP, at, yes=at < 9) for at in range(10)]
    labels = [said(MISLABELLED, at, yes=at < 3) for at in range(5)]
    assert summarise([]) == ""
    assert summarise(groups) == "You agreed with 9 of 10 groups."
    assert summarise([*labels, *groups]) == (
        "You agreed with 12 of 15: 9 of 10 groups, 3 of 5 labels."
    )
