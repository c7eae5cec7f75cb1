"""What an answer to a proposal edits, and whether it agrees with the proposal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.edits import EditState
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Move, Pin, name_images

Indices = NDArray[np.int64]


def edit_of_yes(proposal: Proposal, at: Indices, edits: EditState) -> Move | Pin | None:
    """Return what is proposed, for these of its images; None where that is no class."""
    if proposal.tag is None:
        return None
    return name_images(at, proposal.tag, edits.positions, proposal.place)


def edit_of_no(proposal: Proposal, at: Indices, edits: EditState) -> Pin | None:
    """Return what confirms a label that was doubted; other proposals are put aside."""
    label = int(edits.labels[proposal.indices[0]])
    if proposal.kind is not ProposalKind.MISLABELLED or label < 0:
        return None
    return Pin(at, edits.class_names[label])


def agrees(proposal: Proposal, before: Indices, now: Indices, edits: EditState) -> bool:
    """Whether the class that images have got agrees with a proposal.

    So does any where none was proposed, or where a label that was doubted turns out to
    be another.

    Parameters
    ----------
    before, now : (n,) int64 arrays
        Labels of its images before the open edits and with them.
    edits : EditState
        With the names of the classes.
    """
    if proposal.kind is ProposalKind.MISLABELLED:
        return not np.array_equal(before, now)
    return proposal.tag in (None, edits.class_names[now[0]])
