"""Read a folder that has one subfolder per class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_spaceediting.data.assemble import Found
from napari_spaceediting.data.files import IMAGE_SUFFIXES, is_image_file
from napari_spaceediting.data.pixels import FilePixels
from napari_spaceediting.data.splits import SPLIT_NAMES, Split
from napari_spaceediting.errors import DataError

UNLABELLED_FOLDERS = frozenset({"unlabelled", "unlabeled", "unknown"})
"""Names of folders whose images have no label, in any case."""


def find_class_folders(path: Path) -> Found:
    """Find images whose class is the name of their folder.

    Parameters
    ----------
    path : Path
        A folder with one subfolder per class, or with folders such as `train`,
        `val` and `test` that hold the class folders. Images that lie beside the
        class folders, or in one called `unlabelled`, have no label.

    Returns
    -------
    Found
        Ids are paths below the folder.

    Raises
    ------
    DataError
        There is no image, or a folder stands beside `train` that is no part of a
        split.
    """
    path = path.resolve()
    parts = _split_folders(path)
    rows: list[tuple[Path, str | None, Split]] = []
    for folder, part in parts or [(path, Split.TRAIN)]:
        rows += [(file, label, part) for file, label in _labelled_files(folder)]
    if not rows:
        raise DataError(
            f"The folder {path} holds no images: they may end in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    files, labels, split = zip(*rows, strict=True)
    return Found(
        name=path.name,
        pixels=FilePixels(files, n_channels=1),
        ids=[file.relative_to(path).as_posix() for file in files],
        labels=labels,
        split=np.array(split, dtype=np.int8) if parts else None,
    )


def _split_folders(path: Path) -> list[tuple[Path, Split]]:
    """Return the folders of the parts, or nothing if the data have no parts."""
    folders = [entry for entry in sorted(path.iterdir()) if entry.is_dir()]
    parts = {folder: SPLIT_NAMES.get(folder.name.lower()) for folder in folders}
    if Split.TRAIN not in parts.values():
        return []
    for folder, part in parts.items():
        if part is None and next(_images_below(folder), None) is not None:
            raise DataError(
                f"The folder {folder.name!r} stands beside a training folder in "
                f"{path}: use train, validation or test."
            )
    return [(folder, part) for folder, part in parts.items() if part is not None]


def _labelled_files(folder: Path) -> list[tuple[Path, str | None]]:
    """Return the images of all class folders, and those beside them."""
    rows: list[tuple[Path, str | None]] = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            unlabelled = entry.name.lower() in UNLABELLED_FOLDERS
            label = None if unlabelled else entry.name
            rows += [(file, label) for file in sorted(_images_below(entry))]
        elif is_image_file(entry):
            rows.append((entry, None))
    return rows


def _images_below(folder: Path) -> Iterator[Path]:
    """Yield all image files at any depth."""
    return (file for file in folder.rglob("*") if is_image_file(file))
