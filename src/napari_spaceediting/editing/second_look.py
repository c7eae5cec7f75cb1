"""Which of one's own answers deserve a second look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PARTS = 5
_MOST = 5000
"""Images that are learnt from at most: the rest would only take time."""
_CLEARLY = 0.1
"""By which another class has to be likelier than the one that was said."""


@dataclass(frozen=True, eq=False)
class SecondLook:
    """An answer that all other labels speak against.

    Parameters
    ----------
    indices : (n,) int64 array
        Images that were named together and still have that class.
    other : int
        The class that the others say.
    belief : float
        How probable it is to them, 0 to 1.
    excess : float
        By how much more than the class that was said.
    """

    indices: NDArray[np.int64]
    other: int
    belief: float
    excess: float


def second_looks(
    latents: NDArray[np.float32],
    labels: NDArray[np.int64],
    named_by: NDArray[np.int64],
    among: NDArray[np.bool_],
    n_classes: int,
    seed: int,
) -> list[SecondLook]:
    """Find answers against which all other labels speak, the clearest first.

    Named images are dealt into five parts, those of one answer always into the same.
    What each part is judged by, a logistic regression on standardised latents, learns
    from the labels of the four others. An answer that was wrong cannot speak for
    itself then, as it does in a network that was trained with it.

    Parameters
    ----------
    latents : (N, D) float32 array
        Of all images.
    labels : (N,) int64 array
        Classes, -1 for none.
    named_by : (N,) int64 array
        Number of the answer that named an image, -1 for none.
    among : (N,) bool array
        Images that may give evidence.
    n_classes : int
        Number of classes C.
    seed : int
        Of the dealing.
    """
    rng = np.random.default_rng(seed)
    known = np.flatnonzero((labels >= 0) & among)
    named = known[named_by[known] >= 0]
    part = rng.integers(0, _PARTS, len(labels))
    part[named] = rng.integers(0, _PARTS, named_by.max(initial=-1) + 1)[named_by[named]]
    believed = _believed(latents, labels, known, named, part, n_classes, rng)
    looks = []
    answers, rows = np.unique(named_by[named], return_inverse=True)
    for answer in range(len(answers)):
        at = named[rows == answer]
        for said in np.unique(labels[at]).tolist():
            together = at[labels[at] == said]
            mean = believed[together].mean(axis=0)
            other = int(np.where(np.arange(n_classes) == said, -1, mean).argmax())
            excess = float(mean[other] - mean[said])
            if excess >= _CLEARLY:
                looks.append(SecondLook(together, other, float(mean[other]), excess))
    return sorted(looks, key=lambda look: -look.excess)


def _believed(
    latents: NDArray[np.float32],
    labels: NDArray[np.int64],
    known: NDArray[np.int64],
    named: NDArray[np.int64],
    part: NDArray[np.int64],
    n_classes: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return what the other parts say of named images, (N, C); 0 for all others."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    believed = np.zeros((len(labels), n_classes))
    for number in range(_PARTS):
        asked = named[part[named] == number]
        taught = known[part[known] != number]
        if len(taught) > _MOST:
            taught = rng.choice(taught, _MOST, replace=False)
        if not len(asked) or len(np.unique(labels[taught])) < 2:
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
        model.fit(latents[taught], labels[taught])
        # Rows by columns: numpy would pair two lists of indices.
        believed[np.ix_(asked, model.classes_)] = model.predict_proba(latents[asked])
    return believed
