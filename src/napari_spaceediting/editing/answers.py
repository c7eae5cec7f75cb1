"""What users said to proposals, and what guidance learns from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

ENOUGH = 10
"""Answers to doubted labels from which the weights of their signs are learnt."""
LEAST_AGREEMENT = 0.1
"""Keeps a kind of proposal in a list of 50, so that it can come back."""
_PRIOR_WEIGHT = 3.0
"""Answers that the prior for equal weights counts as, for and against."""


class ProposalKind(StrEnum):
    """Why something is proposed."""

    MISLABELLED = "mislabelled"
    GROUP = "group"
    AMBIGUOUS = "ambiguous"
    ISOLATED = "isolated"


_NOUNS = {
    ProposalKind.GROUP: "groups",
    ProposalKind.MISLABELLED: "labels",
    ProposalKind.AMBIGUOUS: "doubts",
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
        The signs that led to a doubted label, as in its `Proposal`; they are kept
        because a network that was trained with the answer shows others.
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
    answers : sequence of Answer
        All that were given.
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


def suspicion(
    signs: NDArray[np.float64], answers: Sequence[Answer]
) -> NDArray[np.float64]:
    """Return how probably labels are wrong, as far as answers have taught it.

    The mean of the signs at first. From `ENOUGH` answers to doubted labels on, if
    there are both outcomes, a logistic regression of the outcome on the signs. Its
    prior is a label with all signs that is wrong and one with none that is right,
    which alone give equal weights.

    Parameters
    ----------
    signs : (n, S) float array
        Signs of n labels, each 0 to 1, 1 for the most suspicious.
    answers : sequence of Answer
        Those that count.

    Returns
    -------
    (n,) float array
        0 to 1; only its order matters.
    """
    n_signs = signs.shape[1]
    told = [
        answer
        for answer in answers
        if answer.kind is ProposalKind.MISLABELLED and len(answer.signs) == n_signs
    ]
    outcomes = {answer.accepted for answer in told}
    if len(told) < ENOUGH or len(outcomes) < 2:
        return np.asarray(signs.mean(axis=1))
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression()
    model.fit(
        [*(answer.signs for answer in told), [1.0] * n_signs, [0.0] * n_signs],
        [*(answer.accepted for answer in told), True, False],
        [1.0] * len(told) + [_PRIOR_WEIGHT] * 2,
    )
    return np.asarray(model.predict_proba(signs)[:, 1])


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
