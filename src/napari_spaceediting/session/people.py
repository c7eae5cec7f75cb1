"""What several people say of the same images, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.classes import ClassEdit, Classes
from napari_spaceediting.editing.contradictions import Contradiction
from napari_spaceediting.editing.edits import Edit, EditState, images_of, standing_in
from napari_spaceediting.editing.image_edits import Naming, Reject, Reset, Restore
from napari_spaceediting.editing.selections import saved_by
from napari_spaceediting.session.state import SessionState

REJECTED = "(rejected)"
"""Said of an image that somebody has taken out."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far two people agree on the images that both have named.

    Parameters
    ----------
    people : (str, str)
        The two, "" for one who is not known.
    n_both : int
        Images that both have named.
    kappa : float
        Cohen's kappa (1960): the agreement beyond that by chance, 1 at most; NaN where
        both have named one and the same class only.
    differ : (k,) int64 array
        The images that they call otherwise.
    said : tuple of (str, str)
        What the two call each of those.
    """

    people: tuple[str, str]
    n_both: int
    kappa: float
    differ: NDArray[np.int64] = field(repr=False)
    said: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def agreement(self) -> float:
        """Share of the images that both call the same, 0 to 1."""
        return 1 - len(self.differ) / self.n_both

    def describe(self) -> str:
        """Return it in one sentence."""
        one, other = (name or "somebody" for name in self.people)
        n_same = self.n_both - len(self.differ)
        kappa = "" if np.isnan(self.kappa) else f", kappa {self.kappa:.2f}"
        return (
            f"{one} and {other} agree on {n_same:,} of {self.n_both:,} images "
            f"({self.agreement:.0%}{kappa})."
        )


def standing_edits(state: SessionState) -> tuple[Edit, ...]:
    """Return all edits that stand: those of rounds that do, and the open ones."""
    open_edits = () if state.proposal else state.log.done
    return tuple(
        edit
        for edits in (*(past.edits for past in state.standing_rounds), open_edits)
        for _, edit in standing_in(edits)
    )


def selections(state: SessionState) -> dict[str, NDArray[np.int64]]:
    """Return the saved selections by their names, each as (n,) dataset indices."""
    return saved_by(standing_edits(state))


def names_by(state: SessionState) -> dict[str, dict[int, str]]:
    """Return what each person has said last of each image.

    A class is called as it is now, whatever it was called when it was said. What names
    shares of several classes says none.

    Returns
    -------
    dict of str to dict of int to str
        By the author, the class of each image.
    """
    classes = Classes(state.dataset.class_names)
    said: dict[str, dict[int, int | None]] = {}
    for edit in standing_edits(state):
        if isinstance(edit, ClassEdit):
            classes.follow(edit)
            continue
        at, slot = images_of(edit).tolist(), None
        if isinstance(edit, Reset | Restore):
            for by in said.values():
                for image in at:
                    if isinstance(edit, Reset) or by.get(image, 0) is None:
                        by.pop(image, None)
            continue
        if isinstance(edit, Naming):
            if edit.tag is None or edit.also:
                continue
            slot = classes.slot(edit.tag)
        elif not isinstance(edit, Reject):
            continue
        said.setdefault(edit.author, {}).update(dict.fromkeys(at, slot))
    names, places = (*classes.names, ""), classes.places()
    return {
        author: {
            image: REJECTED if slot is None else names[places[slot]]
            for image, slot in by.items()
        }
        for author, by in said.items()
    }


def agreements(state: SessionState) -> tuple[Agreement, ...]:
    """Return how far any two people agree, those with most images in common first."""
    if len({edit.author for edit in standing_edits(state)}) < 2:
        return ()
    said = names_by(state)
    found = [_compared(one, other, said) for one, other in combinations(said, 2)]
    both = [each for each in found if each is not None]
    return tuple(sorted(both, key=lambda each: -each.n_both))


def contradictions_among(
    found: Sequence[Agreement], edits: EditState
) -> list[Contradiction]:
    """Return where people contradict each other on images with open edits."""
    return [
        Contradiction(image, image, said, each.people)
        for each in found
        for image, said in zip(each.differ.tolist(), each.said, strict=True)
        if edits.edited[image]
    ]


def _compared(
    one: str, other: str, said: dict[str, dict[int, str]]
) -> Agreement | None:
    from sklearn.metrics import cohen_kappa_score

    both = sorted(said[one].keys() & said[other].keys())
    if not both:
        return None
    first, second = ([said[who][image] for image in both] for who in (one, other))
    pairs = list(zip(first, second, strict=True))
    kappa = np.nan
    if len({*first, *second}) > 1:
        kappa = float(cohen_kappa_score(first, second))
    return Agreement(
        people=(one, other),
        n_both=len(both),
        kappa=kappa,
        differ=np.array(both, np.int64)[[a != b for a, b in pairs]],
        said=tuple((a, b) for a, b in pairs if a != b),
    )
