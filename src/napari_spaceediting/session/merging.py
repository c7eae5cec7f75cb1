"""Edits that somebody else has made to the same images, in a session of their own."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.edits import Edit, check_edit
from napari_spaceediting.editing.image_edits import (
    ImageEdit,
    Intent,
    Move,
    Pin,
    Relabel,
)
from napari_spaceediting.editing.selections import SaveSelection
from napari_spaceediting.errors import EditError, SessionError
from napari_spaceediting.session.codec import Codec
from napari_spaceediting.session.people import selections, standing_edits
from napari_spaceediting.session.state import SessionState


@dataclass(frozen=True, eq=False)
class Merged:
    """What one session takes of another one.

    Parameters
    ----------
    edits : tuple of Edit
        To be replayed, with their authors.
    n_known : int
        Edits that were there already.
    notes : tuple of str
        What could not be taken as it was, one sentence each.
    """

    edits: tuple[Edit, ...]
    n_known: int
    notes: tuple[str, ...]


def merged(ours: SessionState, theirs: SessionState) -> Merged:
    """Return the edits of another session that one on the same images can take.

    Images are told by their ids. A place means something on the map that it was chosen
    on: on another one only the class of a move is taken. Edits of accepted rounds count
    as those that are open.

    Parameters
    ----------
    ours, theirs : SessionState
        The session that takes, and the other one.

    Raises
    ------
    SessionError
        If they have no image in common.
    """
    where = _where(ours, theirs)
    if not (where >= 0).any():
        raise SessionError(
            f"{theirs.dataset.name} has no image of {ours.dataset.name}, by their ids: "
            "merge sessions of the same images."
        )
    known = {_key(edit, ours) for edit in standing_edits(ours)}
    names = selections(ours)
    has_map = _same_map(ours, theirs, where)
    open_edits = set(map(id, theirs.log.done))
    held_out, done = ours.dataset.held_out, list(ours.log.done)
    taken: list[Edit] = []
    n_known = n_unplaced = n_absent = 0
    refused: list[str] = []
    for edit in standing_edits(theirs):
        if _key(edit, theirs) in known:
            n_known += 1
            continue
        mine = _with_our_images(edit, where, names)
        if mine is None:
            n_absent += 1
            continue
        if isinstance(mine, Move) and not (has_map and id(edit) in open_edits):
            mine = _unplaced(mine)
            if mine is None:
                n_unplaced += 1
                continue
        for part in _for_our_split(mine, held_out):
            try:
                check_edit(part, done, held_out, ours.checkpoint.class_names)
            except EditError as error:
                refused.append(str(error))
                continue
            taken.append(part)
            done.append(part)
    notes = [
        f"{n_absent:,} edits are of images that this session does not have."
        if n_absent
        else "",
        f"{n_unplaced:,} moves without a class were left out: they were made on "
        "another map."
        if n_unplaced
        else "",
        *(f"An edit was left out: {why}" for why in dict.fromkeys(refused)),
    ]
    return Merged(tuple(taken), n_known, tuple(filter(None, notes)))


def _where(ours: SessionState, theirs: SessionState) -> NDArray[np.int64]:
    """Return where in ours each of their images is, -1 for nowhere."""
    index = {name: at for at, name in enumerate(ours.dataset.ids.tolist())}
    return np.array([index.get(name, -1) for name in theirs.dataset.ids.tolist()])


def _same_map(
    ours: SessionState, theirs: SessionState, where: NDArray[np.int64]
) -> bool:
    """Whether the open edits of both were made on the same map."""
    own, other = ours.checkpoint.map, theirs.checkpoint.map
    if own is None or other is None:
        return False
    both = where >= 0
    return np.array_equal(own.coordinates[where[both]], other.coordinates[both])


def _key(edit: Edit, state: SessionState) -> str:
    """Return what tells an edit from all others, in whatever session it is."""
    return json.dumps(Codec(state.dataset.ids).unstructure(edit), sort_keys=True)


def _with_our_images(
    edit: Edit, where: NDArray[np.int64], taken: Container[str]
) -> Edit | None:
    """Return an edit with its images as they are counted here, None without any.

    A selection whose name is taken gets that of its author, too.
    """
    if not isinstance(edit, ImageEdit | SaveSelection):
        return edit
    at = where[edit.indices]
    kept = at >= 0
    if len(at) and not kept.any():
        return None
    if isinstance(edit, SaveSelection):
        name = f"{edit.name} ({edit.author})" if edit.name in taken else edit.name
        return replace(edit, indices=at[kept], name=name)
    return _only(edit, at, kept)


def _only(edit: ImageEdit, at: NDArray[np.int64], kept: NDArray[np.bool_]) -> ImageEdit:
    """Return an edit of some of its images, which are counted otherwise."""
    if isinstance(edit, Move):
        start, end = edit.start[kept], edit.end[kept]
        return replace(edit, indices=at[kept], start=start, end=end)
    return replace(edit, indices=at[kept])


def _unplaced(move: Move) -> Pin | None:
    """Return what a move says without its place."""
    if move.tag is None or move.intent is Intent.ARRANGE:
        return None
    return Pin(move.indices, move.tag, move.also, author=move.author, made=move.made)


def _for_our_split(edit: Edit, held_out: NDArray[np.bool_]) -> list[Edit]:
    """Return an edit, in two where some of its images are held out here only."""
    if not isinstance(edit, Move | Pin) or not held_out[edit.indices].any():
        return [edit]
    at, out = edit.indices, held_out[edit.indices]
    parts: list[Edit] = [] if out.all() else [_only(edit, at, ~out)]
    if edit.tag is not None:
        signed = {"author": edit.author, "made": edit.made}
        parts.append(Relabel(at[out], edit.tag, edit.also, **signed))
    return parts
