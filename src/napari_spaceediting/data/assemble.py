"""Turn what a reader found into a data set, whatever state the images are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import REJECTED, rejected_in
from napari_spaceediting.data.dataset import ImageDataset, Skipped
from napari_spaceediting.data.embeddings import flaw_of
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.groups import grouped_split, groups_of, notes_on_groups
from napari_spaceediting.data.intensity import kind_of_numbers
from napari_spaceediting.data.joining import (
    beside,
    check_embeddings,
    new_ones,
    numbers_of,
)
from napari_spaceediting.data.meaning import Header
from napari_spaceediting.data.names import listed, natural_order, readable
from napari_spaceediting.data.packed import PackedPixels
from napari_spaceediting.data.pixels import FilePixels, PixelSource
from napari_spaceediting.data.scaling import scaling_of
from napari_spaceediting.data.soft_labels import shared
from napari_spaceediting.data.splits import (
    UNLABELLED,
    classes_without_evidence,
    few_to_measure,
)
from napari_spaceediting.data.steps import Steps, in_threads
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import Progress

_SMALLEST_SIDE, _LARGEST_SIDE = 28, 224
"""Bounds of the automatic image size, in pixels: below, networks with pooling have
nothing left to see; above, training gets slow without gaining accuracy."""

_MANY = 10
"""So many images of a type that the others do not have are no mistake, nor is a share
of one in so many."""

_NOT_FINITE = "holds NaN or infinite pixels"


def assemble(found: Found, seed: int = 0, like: ImageDataset | None = None) -> Steps:
    """Look at the head of every image, leave out what is broken, decide what is open.

    Parameters
    ----------
    seed : int
        Chooses the split where the data have none.
    like : ImageDataset, optional
        One that the images are to join. They take its scaling, size and channels, its
        classes come first, and they train unless the data say otherwise or they belong
        to a group that is held out, so that what is held out stays the same. Files that
        it has are passed over.

    Raises
    ------
    DataError
        No image can be used, or all images are of one class. For images that are to
        join others: all of them have joined already.
    """
    if like is not None:
        found = new_ones(found, like)
        check_embeddings(found, like)
    looks: list[Header | str] = []
    total = len(found.ids)
    for _, block in in_threads(lambda at: [_look(found.pixels, i) for i in at], total):
        looks += block
        yield Progress(len(looks), total, "Reading images")
    found, headers, n_channels = _usable(found, looks, like)
    known = () if like is None else like.class_names
    labels, truth, class_names = _indexed_labels(found, known)
    if like is None and len(class_names) == 1 and np.all(labels != UNLABELLED):
        raise DataError(
            f"All {len(labels):,} images of {found.name} belong to one class, "
            f"{class_names[0]!r}: at least two classes are needed to tell apart."
        )
    split = found.split
    if split is None and like is not None:
        split = beside(found, like)
    elif split is None:
        groups = groups_of(found.columns, len(labels))
        split = grouped_split(labels, groups, np.random.default_rng(seed))
    pixels = found.pixels
    if isinstance(pixels, FilePixels | PackedPixels):
        pixels = replace(pixels, n_channels=n_channels)
    sizes = np.array([header.shape[:2] for header in headers])
    columns = {**found.columns} if truth is None else {**found.columns, "truth": truth}
    notes = found.notes
    if like is not None:
        scaling, image_size = like.scaling, like.image_size
        notes += (*_size_note(sizes, image_size), *_rejected_note(columns))
    else:
        scaling, about_scaling = scaling_of(found, pixels, headers, split)
        image_size = _automatic_size(sizes)
        notes += (
            *about_scaling,
            *_size_note(sizes, image_size),
            *_rejected_note(columns),
            *notes_on_groups(columns, split),
            *classes_without_evidence(labels, split, class_names),
            *few_to_measure(labels, split),
        )
    return ImageDataset(
        name=found.name,
        ids=np.asarray(found.ids, dtype=np.str_),
        labels=labels,
        class_names=class_names,
        split=split,
        pixels=pixels,
        scaling=scaling,
        image_size=image_size,
        columns=columns,
        soft_labels=shared(found.votes, class_names) if found.votes else None,
        features=found.features,
        skipped=found.skipped,
        notes=notes,
    )


def _usable(
    found: Found, looks: Sequence[Header | str], like: ImageDataset | None
) -> tuple[Found, list[Header], int]:
    """Leave out what cannot be used; return the rest, its headers and its channels."""
    if found.features is not None:
        looks = [
            flaw_of(row) or look
            for row, look in zip(found.features, looks, strict=True)
        ]
    n_channels = _common_channels(looks) if like is None else like.n_channels
    looks = [_same_channels(look, n_channels) for look in looks]
    looks = _same_numbers(looks, None if like is None else numbers_of(like))
    headers = [look for look in looks if isinstance(look, Header)]
    kept = np.flatnonzero([isinstance(look, Header) for look in looks])
    skipped = tuple(
        Skipped(name, readable(look))
        for name, look in zip(found.ids, looks, strict=True)
        if isinstance(look, str)
    )
    if not headers:
        raise DataError(_nothing_left(found.name, skipped))
    if not skipped:
        return found, headers, n_channels
    rest = found.some(kept)
    lost = sorted({*found.labels} - {*rest.labels} - {None}, key=str)
    said = f"No image of these classes can be used: {listed(list(map(str, lost)))}."
    return (
        replace(
            rest,
            skipped=found.skipped + skipped,
            notes=(*found.notes, *[said] * bool(lost)),
        ),
        headers,
        n_channels,
    )


def _look(pixels: PixelSource, index: int) -> Header | str:
    """Return the header of an image, or why it cannot be used."""
    try:
        header = pixels.header(index)
        if header is None or header.dtype.kind == "f":
            image = pixels.read(index)
            header = Header(image.shape, image.dtype)
            if header.dtype.kind == "f" and not np.isfinite(image).all():
                return _NOT_FINITE
    except DataError as error:
        return _without_name(str(error), pixels, index)
    if 0 in header.shape:
        return "has no pixels"
    if header.dtype.kind not in "buif":
        return f"holds {header.dtype} values instead of intensities"
    return header


def _without_name(sentence: str, pixels: PixelSource, index: int) -> str:
    """Return what a sentence says of an image, whose name is told beside it."""
    if not isinstance(pixels, FilePixels):
        return sentence
    return sentence.removeprefix(f"The image {pixels.paths[index]} ")


def _common_channels(looks: Sequence[Header | str]) -> int:
    """Return the most frequent number of channels; grey yields to colour."""
    counts = [look.n_channels for look in looks if isinstance(look, Header)]
    coloured = [count for count in counts if count > 1]
    return int(np.bincount(coloured).argmax()) if coloured else 1


def _same_channels(look: Header | str, n_channels: int) -> Header | str:
    """Refuse an image that has neither one channel nor those of the others."""
    if isinstance(look, str) or look.n_channels in (1, n_channels):
        return look
    return f"has {look.n_channels} channels, the others {n_channels}"


def _same_numbers(
    looks: Sequence[Header | str], known: Set[str] | None
) -> list[Header | str]:
    """Refuse images of a type that hardly any, or none that is known, has."""
    kinds = [
        kind_of_numbers(look.dtype) if isinstance(look, Header) else ""
        for look in looks
    ]
    counts = Counter(kind for kind in kinds if kind)
    if known is None:
        enough = min(_MANY, sum(counts.values()) / _MANY)
        known = {kind for kind, count in counts.items() if count >= enough}
    others = " or ".join(sorted(known))
    return [
        look
        if not kind or kind in known
        else f"has {kind} where the others have {others}: save it as they are"
        for look, kind in zip(looks, kinds, strict=True)
    ]


def _nothing_left(name: str, skipped: Sequence[Skipped]) -> str:
    """Say why no image can be used."""
    if not skipped:
        return f"{name} holds no images: open data with at least two classes of them."
    if all(image.reason == _NOT_FINITE for image in skipped):
        return (
            f"All {len(skipped):,} images of {name} hold NaN or infinite pixels: "
            f"replace these by numbers, such as 0."
        )
    return (
        f"None of the {len(skipped):,} images of {name} can be used; the first one, "
        f"{skipped[0].name}: {skipped[0].reason}"
    )


def _indexed_labels(
    found: Found, known: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, tuple[str, ...]]:
    """Return labels and truth as indices, and the classes: known ones, then others.

    Those come in natural order, unless the data have an order of their own.
    """
    labels, truth, names = found.labels, found.truth, found.class_names
    if names is None:
        said = (*labels, *(truth or ()), *chain.from_iterable(found.votes or ()))
        present = {name for name in said if name is not None}
        names = tuple(sorted(present, key=natural_order))
    names = tuple(dict.fromkeys((*known, *names)))
    index: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    index[None] = UNLABELLED

    def encoded(values: Sequence[str | None]) -> NDArray[np.int64]:
        return np.array([index[value] for value in values], dtype=np.int64)

    return encoded(labels), None if truth is None else encoded(truth), names


def _automatic_size(sizes: NDArray[np.int_]) -> tuple[int, int]:
    """Return the median height and width, shrunk and bounded."""
    median = np.median(sizes, axis=0)
    longest, shortest = median.max(), median.min()
    scale = min(1.0, _LARGEST_SIDE / longest)
    if shortest < _SMALLEST_SIDE:
        scale = min(_SMALLEST_SIDE / shortest, _LARGEST_SIDE / longest)
    height, width = np.clip(np.rint(median * scale), _SMALLEST_SIDE, _LARGEST_SIDE)
    return int(height), int(width)


def _size_note(sizes: NDArray[np.int_], image_size: tuple[int, int]) -> tuple[str, ...]:
    """Say how images are resized, if they are."""
    height, width = image_size
    (low_h, low_w), (high_h, high_w) = sizes.min(axis=0), sizes.max(axis=0)
    if (low_h, low_w) != (high_h, high_w):
        return (
            f"The images have different sizes, from {low_w} x {low_h} to "
            f"{high_w} x {high_h} px: they are brought to {width} x {height} px.",
        )
    if (low_h, low_w) != image_size:
        return (
            f"The images, {low_w} x {low_h} px, are brought to {width} x {height} px.",
        )
    return ()


def _rejected_note(columns: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Say how many images the data themselves reject, if they do."""
    rejected = rejected_in(columns)
    if rejected is None:
        return ()
    return (
        f"The column {REJECTED!r} rejects {np.count_nonzero(rejected):,} images: they "
        f"neither train nor measure until they are restored.",
    )
