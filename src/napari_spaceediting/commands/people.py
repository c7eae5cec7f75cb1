"""The commands `merge` and `agreement`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report
from napari_spaceediting.commands.terminal import tell
from napari_spaceediting.wording import counted

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add both."""
    parser = commands.add_on_session(
        "merge",
        "Take the edits that somebody else has made to the same images.",
        _merge,
    )
    parser.add_argument("other", type=Path, help="their session; it stays as it is")
    commands.add_on_session(
        "agreement",
        "Tell how far the people agree who have named the same images.",
        _agreement,
        saves=False,
    )


def _merge(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.session.merging import merged
    from napari_spaceediting.session.storage import load_session

    taken = merged(session.state, load_session(options.other, tell))
    session.replay(taken.edits)
    edits = counted(len(taken.edits), "edit")
    known = f"; {taken.n_known:,} were there already" if taken.n_known else ""
    found = _agreement(session, options)
    return Report(
        {
            "taken": len(taken.edits),
            "known": taken.n_known,
            "notes": list(taken.notes),
            "agreement": found.values,
        },
        [f"Took {edits}{known}.", *taken.notes, *found.words],
    )


def _agreement(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.session.people import agreements

    found = agreements(session.state)
    ids = session.dataset.ids
    values = [
        {
            "people": list(each.people),
            "images": each.n_both,
            "agreement": each.agreement,
            "kappa": None if each.kappa != each.kappa else each.kappa,
            "differ": ids[each.differ].tolist(),
        }
        for each in found
    ]
    words = [each.describe() for each in found]
    return Report(values, words or ["No two people have named the same images."])
