"""Answers to proposals that were written down outside of the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.edits import Edit
from napari_spaceediting.editing.guidance import Proposal
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.replies import agrees, edit_of_no, edit_of_yes
from napari_spaceediting.errors import EditError
from napari_spaceediting.session.session import Session

YES, NO, UNSURE = "yes", "no", "unsure"
_WAYS = f'"answer": "{YES}", "{NO}" or "{UNSURE}", or "class": the name of one'

Entry = Mapping[str, Any]


def listed(
    proposals: Sequence[Proposal], ids: NDArray[np.str_]
) -> list[dict[str, Any]]:
    """Return proposals as values for JSON, each with an answer that is still open."""
    return [
        {
            "kind": proposal.kind.value,
            "images": ids[proposal.indices].tolist(),
            "reason": proposal.reason,
            "tag": proposal.tag,
            "place": None if proposal.place is None else proposal.place.tolist(),
            "score": proposal.score,
            "signs": list(proposal.signs),
            "answer": None,
        }
        for proposal in proposals
    ]


def reply(session: Session, entries: Sequence[Any]) -> int:
    """Do what the answers to proposals say, all of it or nothing.

    Parameters
    ----------
    session : Session
        Gets the edits and remembers the answers.
    entries : sequence of mapping
        As from `listed`, with answers; what has none, or "unsure", is passed over.

    Returns
    -------
    int
        How many were answered.

    Raises
    ------
    EditError
        If an entry is no proposal, names an image that is not there, or has an answer
        that cannot be.
    """
    trial, answers, edits = Session(session.state), [], []
    index_of = {str(name): at for at, name in enumerate(session.dataset.ids)}
    for number, entry in enumerate(entries, 1):
        where = f"Proposal {number}"
        answer, name = _said(entry, where)
        if answer in (None, UNSURE) and name is None:
            continue
        proposal = _proposal(entry, index_of, where)
        edit = _edit(proposal, answer, name, trial, where)
        if edit is not None:
            trial.apply(edit)
            edits.append(edit)
        answers.append(_answer(proposal, answer, name, trial))
    session.replay(edits)
    for one in answers:
        session.answer(one)
    return len(answers)


def _said(entry: Any, where: str) -> tuple[str | None, str | None]:
    """Return the answer to an entry and the class that it names, None for neither."""
    if not isinstance(entry, Mapping):
        raise EditError(f"{where} is no object of JSON: take what `guide` has written.")
    answer, name = entry.get("answer") or None, entry.get("class") or None
    if answer is not None and name is not None:
        raise EditError(f"{where} has an answer and a class: leave one of them out.")
    if answer not in (None, YES, NO, UNSURE):
        raise EditError(f"{where} has the answer {answer!r}: write {_WAYS}.")
    if name is not None and not isinstance(name, str):
        raise EditError(f"{where} has the class {name!r}: write its name in quotes.")
    return answer, name


def _proposal(entry: Entry, index_of: Mapping[str, int], where: str) -> Proposal:
    try:
        kind, images = ProposalKind(entry["kind"]), list(entry["images"])
        place = entry.get("place")
        signs = tuple(float(sign) for sign in entry.get("signs") or ())
        at = None if place is None else np.array(place, np.float32).reshape(2)
    except (KeyError, TypeError, ValueError) as error:
        raise EditError(
            f"{where} cannot be read ({error}): it needs what `guide` has written, "
            "beside its answer."
        ) from error
    absent = [name for name in images if name not in index_of]
    if absent or not images:
        named = f'"{absent[0]}"' if absent else "no image"
        raise EditError(
            f"{where} names {named}, which is not in the data set: check that the "
            "answers belong to it."
        )
    indices = np.array([index_of[name] for name in images], np.int64)
    tag, score = entry.get("tag"), 0.0
    return Proposal(kind, indices, str(entry.get("reason", "")), tag, at, score, signs)


def _edit(
    proposal: Proposal,
    answer: str | None,
    name: str | None,
    session: Session,
    where: str,
) -> Edit | None:
    at, edits = proposal.indices, session.edits
    if name is not None:
        return Relabel(at, name)
    if answer == NO:
        return edit_of_no(proposal, at, edits)
    edit = edit_of_yes(proposal, at, edits)
    if edit is None:
        raise EditError(
            f'{where} proposes no class, so "{YES}" says nothing: write "class" with '
            "the name of one."
        )
    return edit


def _answer(
    proposal: Proposal, answer: str | None, name: str | None, session: Session
) -> Answer:
    at, accepted = proposal.indices, answer == YES
    if name is not None:
        before, now = session.shown.labels[at], session.edits.labels[at]
        accepted = agrees(proposal, before, now, session.edits)
    return Answer(proposal.kind, at, accepted, proposal.signs)
