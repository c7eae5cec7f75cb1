"""Read a folder that has one subfolder per class."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.data.files import is_image_file
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.kinds import READ_SUFFIXES
from napari_spaceediting.data.names import listed, readable, text_of
from napari_spaceediting.data.pixels import FilePixels
from napari_spaceediting.data.splits import Split, split_of
from napari_spaceediting.data.tree import Tree, Walk, identity
from napari_spaceediting.errors import DataError

UNLABELLED_FOLDERS = frozenset({"unlabelled", "unlabeled", "unknown"})
"""Names of folders whose images have no label, in any case."""

_IMAGES = frozenset({"images", "image", "imgs", "img"})
_MASKS = frozenset({"masks", "mask", "labels", "annotations", "segmentations"})
"""Folders of a segmentation, which are no two classes, in lower case."""

_NEAR = 100
"""Folders beside the one that was opened that are looked into, at most."""


class _Row(NamedTuple):
    """An image file with its class and its part."""

    file: Path
    label: str | None
    part: Split


def find_class_folders(path: Path) -> Found:
    """Find images whose class is the name of their folder.

    Parameters
    ----------
    path : Path
        A folder with one subfolder per class, or with folders such as `train`,
        `val` and `test` that hold the class folders, or are held by them. These may
        lie one or more folders below, if each of those is the only one with images.
        Images that lie beside the class folders, or in one called `unlabelled`, have
        no label. Hidden and system folders are passed over, links are followed.

    Returns
    -------
    Found
        Ids are paths below the folder. A file that is there twice, by links, is one
        image; where it is of several classes, its label is shared between them.

    Raises
    ------
    DataError
        There is no image, none of them is for training, or a folder stands beside
        `train` that is no part of a split.
    """
    path = path.resolve()
    walk = Walk(path)
    whole = walk.tree()
    tree = _down(whole)
    rows, is_split = _rows(tree)
    if not rows:
        left_out = [entry.name for entry in walk.skipped]
        more = f" Left out: {listed(left_out)}." if left_out else ""
        raise DataError(
            f"The folder {path} holds no images: they may end in "
            f"{', '.join(sorted(READ_SUFFIXES))}.{more}"
        )
    if is_split and all(row.part != Split.TRAIN for row in rows):
        raise DataError(
            f"The folder {path} has images for validation and test, but none for "
            f"training: put these into a folder 'train' beside them."
        )
    kept, votes, again, notes = _once(rows, walk)
    labelled = any(row.label is not None for row in kept)
    return Found(
        name=readable(path.name),
        pixels=FilePixels(tuple(row.file for row in kept), n_channels=1),
        ids=[walk.shown(row.file) for row in kept],
        labels=[row.label for row in kept],
        votes=votes,
        split=np.array([row.part for row in kept], np.int8) if is_split else None,
        skipped=(*walk.skipped, *again),
        notes=(
            *notes,
            *_where(whole, tree),
            *_empty(tree),
            *walk.notes(),
            *_nearby(path, is_split=is_split, is_labelled=labelled),
        ),
    )


def has_class_folders(path: Path) -> bool:
    """Tell, without looking at all of it, whether a folder has folders of images."""
    try:
        folders = [p for p in islice(path.iterdir(), _NEAR) if p.is_dir()]
        return any(
            is_image_file(entry) or (entry.is_dir() and _has_images(entry))
            for folder in folders
            if not folder.name.startswith(".")
            for entry in islice(folder.iterdir(), _NEAR)
        )
    except OSError:
        return False


def _down(tree: Tree) -> Tree:
    """Go down while a folder holds all images and no class is named yet."""
    while not tree.images and len(full := _without_masks(tree)) == 1:
        only = full[0]
        is_one_class = len(only.full) == 1 and not only.full[0].full
        is_class = only.images or not only.full or is_one_class
        if is_class and only.name.lower() not in _IMAGES:
            break
        tree = only
    return tree


def _without_masks(tree: Tree) -> list[Tree]:
    """Return the folders with images, without those of masks beside `images`."""
    names = {folder.name.lower() for folder in tree.full}
    masks = _MASKS if names & _IMAGES else set()
    return [folder for folder in tree.full if folder.name.lower() not in masks]


def _rows(tree: Tree) -> tuple[list[_Row], bool]:
    """Return all images, and whether the folders say which part they belong to."""
    parts = _parts(tree)
    if parts:
        stray = [_Row(file, None, Split.TRAIN) for file in tree.images]
        below = (_labelled(folder, part) for folder, part in _level(parts))
        return [*stray, *(row for rows in below for row in rows)], True
    rows = _labelled(tree, Split.TRAIN)
    if not _are_split_within(tree):
        return rows, False
    deep = len(tree.path.parts) + 1
    return [
        row._replace(part=split_of(row.file.parts[deep]) or Split.TRAIN) for row in rows
    ], True


def _parts(tree: Tree) -> list[tuple[Tree, Split]]:
    """Return the folders of the parts, or nothing if the data have no parts."""
    named = {folder: split_of(folder.name) for folder in tree.full}
    parts = {folder: part for folder, part in named.items() if part is not None}
    others = [
        folder
        for folder, part in named.items()
        if part is None and folder.name.lower() not in UNLABELLED_FOLDERS
    ]
    have_classes = any(folder.full for folder in parts)
    if others and have_classes and Split.TRAIN in parts.values():
        raise DataError(
            f"The folder {others[0].name!r} stands beside a training folder in "
            f"{tree.path}: use train, validation or test."
        )
    if others or not (have_classes or len(set(parts.values())) > 1):
        return []
    return [(folder, named[folder] or Split.TRAIN) for folder in tree.full]


def _level(parts: list[tuple[Tree, Split]]) -> list[tuple[Tree, Split]]:
    """Go down where each part has one folder only, of the same name or the part's."""
    only = [folder.full[0] for folder, _ in parts if len(folder.full) == 1]
    same = len({folder.name for folder in only}) == 1 or all(
        split_of(folder.name) == part
        for folder, (_, part) in zip(only, parts, strict=False)
    )
    stray = any(folder.images for folder, _ in parts)
    is_level = len(only) == len(parts) and same and not stray
    if not (is_level and any(folder.full for folder in only)):
        return parts
    deeper = [(down, part) for down, (_, part) in zip(only, parts, strict=True)]
    return _level(deeper)


def _are_split_within(tree: Tree) -> bool:
    """Tell whether every class folder holds folders of parts and nothing else."""
    inner = {split_of(part.name) for folder in tree.full for part in folder.full}
    stray = any(folder.images for folder in tree.full)
    return Split.TRAIN in inner and len(inner) > 1 and None not in inner and not stray


def _labelled(tree: Tree, part: Split) -> list[_Row]:
    """Return the images of all class folders, and those beside them."""
    rows = [_Row(file, None, part) for file in tree.images]
    is_unlabelled = tree.name.lower() in UNLABELLED_FOLDERS
    for folder in tree.full:
        unlabelled = is_unlabelled or folder.name.lower() in UNLABELLED_FOLDERS
        label = None if unlabelled else text_of(readable(folder.name))
        rows += [_Row(file, label, part) for file in folder.files()]
    return sorted(rows, key=lambda row: row.file.parts)


def _once(
    rows: Sequence[_Row], walk: Walk
) -> tuple[list[_Row], list[list[str]] | None, list[Skipped], tuple[str, ...]]:
    """Return each file once, with what is said of it where that differs.

    A file that is both trained on and held out is held out.
    """
    first: dict[object, int] = {}
    kept: list[_Row] = []
    said: list[list[str]] = []
    again: list[Skipped] = []
    for row in rows:
        at = first.setdefault(identity(row.file), len(kept))
        if at == len(kept):
            kept.append(row)
            said.append([] if row.label is None else [row.label])
            continue
        if row.label is not None and row.label not in said[at]:
            said[at].append(row.label)
        best = kept[at]
        kept[at] = best._replace(
            label=best.label or row.label, part=max(best.part, row.part)
        )
        reason = f"is the same file as {walk.shown(best.file)}"
        again.append(Skipped(walk.shown(row.file), reason))
    several = [
        walk.shown(kept[i].file) for i, names in enumerate(said) if len(names) > 1
    ]
    if not several:
        return kept, None, again, ()
    return (
        kept,
        said,
        again,
        (
            f"Linked into folders of several classes, between which their labels are "
            f"shared: {listed(several)}.",
        ),
    )


def _where(whole: Tree, tree: Tree) -> tuple[str, ...]:
    """Say which folder holds the classes, if it is not the one that was opened."""
    if tree is whole:
        return ()
    below = readable(tree.path.relative_to(whole.path).as_posix())
    if not tree.full:
        return (f"The images in {below!r} were taken; they have no class.",)
    return (f"The classes are the folders in {below!r}.",)


def _empty(tree: Tree) -> tuple[str, ...]:
    """Say which folders beside the classes hold no image."""
    full = {folder.path for folder in tree.full}
    empty = [readable(f.name) for f in tree.folders if f.path not in full]
    return (f"Without images, and so no class: {listed(empty)}.",) if empty else ()


def _nearby(path: Path, *, is_split: bool, is_labelled: bool) -> tuple[str, ...]:
    """Say that the folder above may be what was meant."""
    if is_split or path.parent == path:
        return ()
    try:
        beside = [
            entry
            for entry in islice(path.parent.iterdir(), _NEAR)
            if entry != path and not entry.name.startswith(".") and entry.is_dir()
        ]
    except OSError:
        return ()
    above = readable(path.parent.name)
    if split_of(path.name) is not None:
        parts = sorted(e.name for e in beside if split_of(e.name) is not None)
        if parts:
            return (
                f"{listed(parts)} lies beside it: open {above!r} to have the parts as "
                f"they are.",
            )
    if not is_labelled:
        images = sorted(readable(e.name) for e in beside if _has_images(e))
        if images:
            return (
                f"Beside it are folders of images, such as {images[0]!r}: if these "
                f"are classes, open {above!r}.",
            )
    return ()


def _has_images(folder: Path) -> bool:
    try:
        return any(is_image_file(entry) for entry in islice(folder.iterdir(), _NEAR))
    except OSError:
        return False
