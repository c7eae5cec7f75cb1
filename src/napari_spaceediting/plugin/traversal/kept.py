"""The traversals that the session keeps, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from napari_spaceediting.session.history import describe_kept, stage_of
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.traversals import KeptTraversal
from napari_spaceediting.traversal.result import Traversal


def titles(kept: Sequence[KeptTraversal], session: Session) -> list[tuple[str, str]]:
    """Return what each result is, and when it was made, for a list and its tooltips."""
    words = [describe_kept(one, session.state) for one in kept]
    # What sounds alike is told apart by the time.
    return [
        (f"{text}, {_made(one):%X}" if words.count(text) > 1 else text, _when(one))
        for text, one in zip(words, kept, strict=True)
    ]


def notice(kept: KeptTraversal, traversal: Traversal, session: Session) -> str:
    """Return what the user should know of a result, which `traversal` is."""
    notes = list(traversal.notes)
    network = session.shown.network
    if network is None or network.state is not kept.weights:
        notes.append(
            f"Made by an earlier network ({stage_of(kept, session.state)}): to the "
            "present one it may be otherwise."
        )
    return " ".join(notes)


def details(kept: KeptTraversal, traversal: Traversal, session: Session) -> str:
    """Return how a result, which `traversal` is, was made."""
    return (
        f"{_when(kept)} in {traversal.seconds:.0f} s.\n"
        f"Network: {stage_of(kept, session.state)}. Layers: "
        f"{', '.join(traversal.layers)}."
    )


def _made(kept: KeptTraversal) -> datetime:
    """Return when a result was made, in local time."""
    return datetime.fromisoformat(kept.created).astimezone()


def _when(kept: KeptTraversal) -> str:
    made = _made(kept)
    return f"Made on {made.day} {made:%B %Y, %H:%M}"
