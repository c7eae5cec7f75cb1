"""The command `retrain`."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_spaceediting.commands.classes import add_author
from napari_spaceediting.commands.command import (
    Commands,
    Report,
    at_least_one,
    chosen,
)
from napari_spaceediting.commands.evidence import report_on_round
from napari_spaceediting.commands.terminal import run, tell, tells
from napari_spaceediting.editing.arms import comparisons
from napari_spaceediting.errors import EditError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_spaceediting.editing.edits import Edit
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "retrain", "Retrain with the edits of a session.", _retrain, is_shared=True
    )
    parser.add_argument(
        "--edits", type=Path, metavar="FILE", help="JSON list of edits to add first"
    )
    add_author(parser)
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="what `guide --json` has written, with an answer to each: yes, no or a "
        "class",
    )
    parser.add_argument("--steps", type=at_least_one)
    parser.add_argument(
        "--arms",
        nargs="*",
        choices=comparisons(),
        metavar="ARM",
        help=f"compare with any of {', '.join(comparisons())}, or with nothing",
    )
    parser.add_argument(
        "--repeats",
        type=at_least_one,
        metavar="N",
        help="repeat all of it over N seeds",
    )
    parser.add_argument("--accept", action="store_true", help="accept the round")


def _retrain(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.editing.contradictions import describe as in_words
    from napari_spaceediting.network.processes import launched

    if options.author is not None:
        session.author = options.author
    if options.edits is not None:
        session.replay(read_edits(options.edits, session.dataset.ids))
    if options.answers is not None:
        from napari_spaceediting.session.replies import reply

        tell(f"{reply(session, _entries(options.answers)):,} proposals are answered.")
    settings = chosen(options, "steps", "repeats")
    if options.arms is not None:
        settings["arms"] = tuple(dict.fromkeys(options.arms))
    session.set_retrain_settings(replace(session.state.retrain, **settings))
    for contradiction in session.contradictions():
        tell(f"Beware: {in_words(contradiction, session.dataset.ids)}")
    with launched(session.state.retrain.device):
        mapped = run(session.retraining())
    if not tells():
        return Report()
    session.propose(mapped)
    if options.accept:
        session.accept()
    done = report_on_round(session, len(session.state.rounds))
    words = [*done.words, *filter(None, [mapped.map.note])]
    if not options.accept:
        words.append(
            "The round awaits a decision: see the commands accept and roll-back."
        )
    return replace(done, words=words)


def read_edits(path: Path, ids: NDArray[np.str_]) -> list[Edit]:
    """Read a list of edits from a JSON file.

    Parameters
    ----------
    ids : (N,) str array
        Names of the images, by which the edits name them.

    Raises
    ------
    EditError
        If it cannot be read, or an edit is none or names no such image.
    """
    from napari_spaceediting.session.codec import edits_from

    return edits_from(_entries(path), ids)


def _entries(path: Path) -> list[Any]:
    """Return a list from a JSON file."""
    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EditError(
            f"The edits in {path} cannot be read ({error}): give a JSON file."
        ) from error
    if not isinstance(entries, list):
        raise EditError(
            f"{path} holds no list: write [{{'kind': 'pin', 'images': [...], "
            "'tag': ...}, ...] as JSON, or give what `guide --json` has written."
        )
    return entries
