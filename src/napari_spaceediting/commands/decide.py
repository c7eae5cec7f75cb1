"""The commands `accept` and `roll-back`."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import (
    Command,
    Report,
    add_session,
    load,
    save,
)

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session


def _accept(options: Namespace) -> Report:
    session = load(options)
    session.accept()
    save(session, options)
    return _report(session, "The round is accepted: the next edits start from it.")


def _roll_back(options: Namespace) -> Report:
    session = load(options)
    session.roll_back()
    save(session, options)
    n_open = len(session.state.log.done)
    again = "1 edit is" if n_open == 1 else f"{n_open} edits are"
    return _report(session, f"Rolled back; {again} open again.")


def _report(session: Session, words: str) -> Report:
    values = {
        "rounds": [past.status.value for past in session.state.rounds],
        "open_edits": len(session.state.log.done),
    }
    return Report(values, [words])


ACCEPT = Command(
    "accept", "Accept the round that awaits a decision.", add_session, _accept
)
ROLL_BACK = Command(
    "roll-back",
    "Go back to before the last round that stands.",
    add_session,
    _roll_back,
)
