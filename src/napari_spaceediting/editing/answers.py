"""What users said to proposals, and what guidance learns from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

LEAST_AGREEMENT = 0.1
"""Keeps a kind of proposal in a list of 50, so that it can come back."""


class ProposalKind(StrEnum):
    """Why something is proposed."""

    MISLABELLED = "mislabelled"
    GROUP = "group"
    AMBIGUOUS = "ambiguous"
    DISAGREED = "disagreed"
    ISOLATED = "isolated"


_NOUNS = {
    ProposalKind.GROUP: "groups",
    ProposalKind.MISLABELLED: "labels",
    ProposalKind.AMBIGUOUS: "doubts",
    ProposalKind.DISAGREED: "disagreements",
    ProposalKind.ISOLATED: "odd images",
}


@dataclass(frozen=True, eq=False)
class Answer:
    """What the user said to a proposal.

    Parameters
    ----------
    kind : ProposalKind
        Why it was proposed.
    indices : (n,) int64 array
        Its images.
    accepted : bool
        Whether the user agreed.
    signs : tuple of float
        What led to a doubted label, as in its `Proposal`; kept as a record, because
        a network that was trained with the answer shows others.
    """

    kind: ProposalKind
    indices: NDArray[np.int64]
    accepted: bool
    signs: tuple[float, ...] = ()

    @property
    def is_edit(self) -> bool:
        """Whether an edit came with it: any but a no that only puts aside."""
        return self.accepted or self.kind is ProposalKind.MISLABELLED

    def repeats(self, other: Answer) -> bool:
        """Whether both are about the same proposal."""
        return self.kind is other.kind and np.array_equal(self.indices, other.indices)


def standing(
    answers: Sequence[Answer], decided: NDArray[np.bool_]
) -> tuple[Answer, ...]:
    """Return the answers that count: their edits stand, or none came with them.

    Parameters
    ----------
    decided : (N,) bool array
        Images that an open or an accepted edit has touched.
    """
    return tuple(
        answer
        for answer in answers
        if not answer.is_edit or decided[answer.indices].all()
    )


def agreement(answers: Sequence[Answer], kind: ProposalKind) -> float:
    """Return how often proposals of a kind are agreed with, 0 to 1.

    The mean of the posterior after a uniform prior, Beta(1, 1): one half without an
    answer. Never less than `LEAST_AGREEMENT`.
    """
    said = [answer.accepted for answer in answers if answer.kind is kind]
    return max((sum(said) + 1) / (len(said) + 2), LEAST_AGREEMENT)


def summarise(answers: Sequence[Answer]) -> str:
    """Return in one line how often the user agreed; "" where there is no answer."""
    counts = {
        noun: [answer.accepted for answer in answers if answer.kind is kind]
        for kind, noun in _NOUNS.items()
    }
    parts = [
        f"{sum(said)} of {len(said)} {noun}" for noun, said in counts.items() if said
    ]
    if len(parts) < 2:
        return f"You agreed with {parts[0]}." if parts else ""
    agreed = sum(answer.accepted for answer in answers)
    return f"You agreed with {agreed} of {len(answers)}: {', '.join(parts)}."
