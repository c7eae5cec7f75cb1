"""The commands `accept` and `roll-back`."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report
from napari_spaceediting.wording import counted

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add both."""
    commands.add_on_session(
        "accept", "Accept the round that awaits a decision.", _accept
    )
    commands.add_on_session(
        "roll-back", "Go back to before the last round that stands.", _roll_back
    )


def _accept(session: Session, options: Namespace) -> Report:
    session.accept()
    return _report(session, "The round is accepted: the next edits start from it.")


def _roll_back(session: Session, options: Namespace) -> Report:
    session.roll_back()
    again = counted(len(session.state.log.done), "edit")
    return _report(session, f"Rolled back, with {again} open again.")


def _report(session: Session, words: str) -> Report:
    values = {
        "rounds": [past.status.value for past in session.state.rounds],
        "open_edits": len(session.state.log.done),
    }
    return Report(values, [words])
