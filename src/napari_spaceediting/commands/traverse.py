"""The command `traverse`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from napari_spaceediting.commands.command import Commands, Report
from napari_spaceediting.commands.terminal import run
from napari_spaceediting.errors import SessionError
from napari_spaceediting.traversal.settings import Regime, TraverseSettings
from napari_spaceediting.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_spaceediting.data.dataset import ImageDataset
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "traverse", "Show what would make images those of another kind.", _traverse
    )
    parser.add_argument(
        "--images", nargs="+", required=True, metavar="ID", help="images to move"
    )
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--to", metavar="CLASS", help="class to move them to")
    goal.add_argument(
        "--to-images", nargs="+", metavar="ID", help="group of images to move them to"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the images"
    )
    parser.add_argument(
        "--regime",
        choices=get_args(Regime),
        help="mixtures of real images, for small ones that lie alike, or changes of "
        "features, for photographs (chosen by the images and the network)",
    )
    parser.add_argument(
        "--layers", nargs="+", metavar="NAME", help="modules that make the features"
    )


def _traverse(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.traversal.export import write_traversal

    dataset = session.dataset
    images = indices_of(dataset, options.images)
    group = options.to_images
    settings = TraverseSettings(
        layers=None if options.layers is None else tuple(options.layers),
        regime=options.regime,
    )
    target = options.to if group is None else indices_of(dataset, group)
    job = session.traversing(images, target, settings)
    traversal = run(job)
    kept = session.keep(job, traversal)
    values = write_traversal(traversal, kept.asked, dataset, options.out)
    words = list(traversal.notes)
    for entry in values["images"]:
        seen = entry["probabilities"]["to"]
        likely = "" if seen is None else f", {seen[0]:.0%} to {seen[-1]:.0%}"
        words.append(f"{entry['id']}: {entry['from']} to {entry['to']}{likely}")
    words.append(
        f"Moved {counted(len(images), 'image')} in {traversal.seconds:.1f} s; "
        f"the filmstrips are in {options.out}."
    )
    return Report(values, words)


def indices_of(dataset: ImageDataset, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the indices of images by their ids, each once."""
    import numpy as np

    index_of = {str(name): at for at, name in enumerate(dataset.ids)}
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in index_of]
    if unknown:
        raise SessionError(
            f'There is no image "{unknown[0]}" in {dataset.name}: give ids as the '
            "command guide lists them."
        )
    return np.array([index_of[name] for name in wanted], np.int64)
