"""The command `guide`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from napari_spaceediting.commands.command import (
    Command,
    Report,
    add_session,
    at_least_one,
    load,
)
from napari_spaceediting.commands.terminal import run


def _add_arguments(parser: ArgumentParser) -> None:
    add_session(parser)
    parser.add_argument(
        "-n", type=at_least_one, default=20, help="proposals (default 20)"
    )


def _guide(options: Namespace) -> Report:
    session = load(options)
    proposals = run(session.guiding(options.n))
    ids = session.dataset.ids
    values = [
        {
            "kind": proposal.kind.value,
            "images": ids[proposal.indices].tolist(),
            "reason": proposal.reason,
            "tag": proposal.tag,
            "place": None if proposal.place is None else proposal.place.tolist(),
            "score": proposal.score,
        }
        for proposal in proposals
    ]
    words = []
    for number, proposal in enumerate(proposals, 1):
        more = f" and {len(proposal.indices) - 1} more" * (len(proposal.indices) > 1)
        words.append(f"{number:3} {ids[proposal.indices[0]]}{more}: {proposal.reason}")
    return Report(values, words)


GUIDE = Command("guide", "List what is worth a decision.", _add_arguments, _guide)
