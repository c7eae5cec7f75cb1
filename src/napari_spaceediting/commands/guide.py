"""The command `guide`."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report, at_least_one
from napari_spaceediting.commands.terminal import run

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "guide", "List what is worth a decision.", _guide, saves=False
    )
    parser.add_argument(
        "-n", type=at_least_one, default=20, help="proposals (default 20)"
    )


def _guide(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.session.replies import listed

    proposals = run(session.guiding(options.n))
    ids = session.dataset.ids
    words = []
    for number, proposal in enumerate(proposals, 1):
        more = f" and {len(proposal.indices) - 1} more" * (len(proposal.indices) > 1)
        words.append(f"{number:3} {ids[proposal.indices[0]]}{more}: {proposal.reason}")
    return Report(listed(proposals, ids), words)
