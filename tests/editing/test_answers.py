from __future__ import annotations

import numpy as np
import pytest

from napari_spaceediting.editing.answers import (
    LEAST_AGREEMENT,
    Answer,
    ProposalKind,
    agreement,
    standing,
    summarise,
)

GROUP, AMBIGUOUS = ProposalKind.GROUP, ProposalKind.AMBIGUOUS
MISLABELLED = ProposalKind.MISLABELLED


def said(kind: ProposalKind, *images: int, yes: bool = True) -> Answer:
    return Answer(kind, np.array(images), yes)


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


def test_what_was_learnt_in_one_line():
    groups = [said(GROUP, at, yes=at < 9) for at in range(10)]
    labels = [said(MISLABELLED, at, yes=at < 3) for at in range(5)]
    assert summarise([]) == ""
    assert summarise(groups) == "You agreed with 9 of 10 groups."
    assert summarise([*labels, *groups]) == (
        "You agreed with 12 of 15: 9 of 10 groups, 3 of 5 labels."
    )
