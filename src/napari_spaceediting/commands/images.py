"""The commands `new` and `add`: images into a session."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report, count
from napari_spaceediting.commands.terminal import run
from napari_spaceediting.errors import SessionError

if TYPE_CHECKING:
    from napari_spaceediting.data.dataset import ImageDataset
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add both."""
    parser = commands.add(
        "new", "Start a session on images or embeddings, in a folder or file.", _new
    )
    parser.add_argument("data", help="path, or sample:digits, sample:poses, ...")
    parser.add_argument("session", type=Path, help="folder NAME.spaceediting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--labels-per-class", type=count, metavar="N", help="hide all other labels"
    )
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE",
        help="of the images: a matrix in their order, or a table that names them",
    )
    parser = commands.add_on_session(
        "add", "Add images to a session, on its map as it is.", _add
    )
    parser.add_argument("data", type=Path, help="folder, table or array")


def _new(options: Namespace) -> Report:
    from napari_spaceediting.data.words import in_words
    from napari_spaceediting.session.folder import SUFFIX, SessionFolder
    from napari_spaceediting.session.session import new_session

    if options.session.suffix != SUFFIX:
        raise SessionError(
            f"'{options.session}' is no name for a session: let it end in {SUFFIX}."
        )
    with SessionFolder.new(options.session, program="the command new") as folder:
        dataset = _dataset(options)
        folder.save(new_session(dataset, seed=options.seed).state)
    values = {
        "images": len(dataset),
        "labelled": int(dataset.is_labelled.sum()),
        "classes": list(dataset.class_names),
        "skipped": [[entry.name, entry.reason] for entry in dataset.skipped],
        "notes": list(dataset.notes),
    }
    return Report(values, [in_words(dataset)])


def _dataset(options: Namespace) -> ImageDataset:
    import numpy as np

    from napari_spaceediting.data.open import opening

    job = opening(options.data, options.seed, options.embeddings)
    dataset: ImageDataset = run(job)
    if options.labels_per_class is not None:
        dataset = dataset.keep_labels(
            options.labels_per_class, np.random.default_rng(options.seed)
        )
    return dataset


def _add(session: Session, options: Namespace) -> Report:
    added = run(session.adding(options.data))
    session.take_images(added)
    more, n_images = added.more, len(session.dataset)
    n_labelled = int(more.is_labelled.sum())
    skipped = [[entry.name, entry.reason] for entry in more.skipped]
    values = {
        "added": len(more),
        "labelled": n_labelled,
        "images": n_images,
        "skipped": skipped,
    }
    words = [
        f"Added {len(more):,} images, {n_labelled:,} of them labelled; the session has "
        f"{n_images:,}.",
        *(f"Left out {name}: {reason}" for name, reason in skipped[:5]),
    ]
    return Report(values, words)
