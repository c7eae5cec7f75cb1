"""The command `select`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report, at_least_one
from napari_spaceediting.commands.terminal import run
from napari_spaceediting.errors import QueryError
from napari_spaceediting.wording import counted

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session

_SHOWN = 20
"""Images that are told at most; JSON has all."""


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "select", "List images by a condition or by their looks, or save them.", _select
    )
    parser.add_argument(
        "condition",
        nargs="?",
        help="such as 'date > 2024 and plate == \"B3\"', on the columns of an exported "
        "table, or words",
    )
    parser.add_argument(
        "--like", type=Path, metavar="FILE", help="most similar to this image first"
    )
    parser.add_argument("-n", type=at_least_one, help="images at most")
    parser.add_argument(
        "--save", metavar="NAME", help="save them as a selection of the session"
    )


def _select(session: Session, options: Namespace) -> Report:
    import numpy as np

    from napari_spaceediting.editing.selections import SaveSelection
    from napari_spaceediting.session.export.results import results_of
    from napari_spaceediting.session.query import matching
    from napari_spaceediting.session.similar import finding_similar

    if options.condition is None and options.like is None:
        raise QueryError("Say which images: give a condition, or --like FILE.")
    images, distances = np.arange(len(session.dataset)), None
    if options.like is not None:
        found = run(finding_similar(session, options.like, len(images)))
        images, distances = found.images, found.distances
    if options.condition is not None:
        meant = matching(results_of(session).columns, options.condition)
        has_it = np.isin(images, meant)
        images = images[has_it]
        distances = None if distances is None else distances[has_it]
    images = images[: options.n]
    if options.save is not None:
        session.apply(SaveSelection(images, options.save))
    ids = session.dataset.ids[images].tolist()
    values: dict[str, object] = {"images": ids}
    words = ids[:_SHOWN]
    if distances is not None:
        values["distances"] = distances[: len(images)].tolist()
        told = zip(words, distances.tolist(), strict=False)
        words = [f"{away:.3f} {name}" for name, away in told]
    if len(ids) > _SHOWN:
        words.append(f"and {len(ids) - _SHOWN:,} more")
    saved = "" if options.save is None else f", saved as {options.save}"
    return Report(values, [f"{counted(len(ids), 'image')}{saved}.", *words])
