"""Turn what a reader found into a data set, whatever state the images are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.columns import REJECTED, rejected_in
from napari_spaceediting.data.dataset import ImageDataset, Skipped
from napari_spaceediting.data.embeddings import Features, are_images, flaw_of
from napari_spaceediting.data.groups import (
    column_of,
    grouped_split,
    groups_of,
    names_of,
    notes_on_groups,
)
from napari_spaceediting.data.intensity import (
    EIGHT_BITS,
    IntensityScaling,
    is_dark,
    judge,
    kind_of_numbers,
)
from napari_spaceediting.data.meaning import Header, with_channels
from napari_spaceediting.data.names import listed, natural_order, readable
from napari_spaceediting.data.packed import PackedPixels
from napari_spaceediting.data.pixels import (
    FilePixels,
    PixelSource,
    files_of,
    select,
)
from napari_spaceediting.data.soft_labels import shared
from napari_spaceediting.data.splits import (
    UNLABELLED,
    Split,
    classes_without_evidence,
)
from napari_spaceediting.data.steps import Steps, in_threads
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import Progress

_SMALLEST_SIDE, _LARGEST_SIDE = 28, 224
"""Bounds of the automatic image size, in pixels: below, networks with pooling have
nothing left to see; above, training gets slow without gaining accuracy."""

_IMAGES_FOR_SCALING = 200

_MANY = 10
"""So many images of a type that the others do not have are no mistake, nor is a share
of one in so many."""

_LOOKED_AT = 20
"""Images of a data set that tell which types it has."""

_NOT_FINITE = "holds NaN or infinite pixels"


@dataclass(frozen=True)
class Found:
    """What a reader found, before any image was looked at.

    Parameters
    ----------
    name : str
        What the data set is called.
    pixels : PixelSource
        The images.
    ids : sequence of N str
        Unique names.
    labels : sequence of N str or None
        Class names, None where unknown.
    class_names : tuple of str, optional
        All classes in order; by default those among `labels`, sorted.
    truth : sequence of N str or None, optional
        True classes, where `labels` are incomplete or noisy on purpose.
    votes : sequence of N sequences of str, optional
        The class that each of several people named, where several did.
    split : (N,) int8, optional
        Parts that are given; by default they are drawn.
    columns : mapping
        Further values of every image.
    features : (N, F) float32 array or None
        Embeddings of the images.
    skipped, notes : tuple
        What the reader left out and decided already.
    """

    name: str
    pixels: PixelSource
    ids: Sequence[str]
    labels: Sequence[str | None]
    class_names: tuple[str, ...] | None = None
    truth: Sequence[str | None] | None = None
    votes: Sequence[Sequence[str]] | None = None
    split: NDArray[np.int8] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    features: Features = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def assemble(found: Found, seed: int = 0, like: ImageDataset | None = None) -> Steps:
    """Look at the head of every image, leave out what is broken, decide what is open.

    Parameters
    ----------
    found : Found
        What to look at.
    seed : int
        Chooses the split where the data have none.
    like : ImageDataset, optional
        One that the images are to join. They take its scaling, size and channels, its
        classes come first, and they train unless the data say otherwise or they belong
        to a group that is held out, so that what is held out stays the same. Files that
        it has are passed over.

    Yields
    ------
    Progress
        In images looked at.

    Returns
    -------
    ImageDataset

    Raises
    ------
    DataError
        No image can be used, or all images are of one class. For images that are to
        join others: all of them have joined already.
    """
    if like is not None:
        found = _new_ones(found, like)
        _check_embeddings(found, like)
    looks: list[Header | str] = []
    total = len(found.ids)
    for _, block in in_threads(lambda at: [_look(found.pixels, i) for i in at], total):
        looks += block
        yield Progress(len(looks), total, "Reading images")

    if found.features is not None:
        looks = [
            flaw_of(row) or look
            for row, look in zip(found.features, looks, strict=True)
        ]
    n_channels = _common_channels(looks) if like is None else like.n_channels
    looks = [_same_channels(look, n_channels) for look in looks]
    looks = _same_numbers(looks, None if like is None else _numbers_of(like))
    headers = [look for look in looks if isinstance(look, Header)]
    kept = np.flatnonzero([isinstance(look, Header) for look in looks])
    skipped = tuple(
        Skipped(name, readable(look))
        for name, look in zip(found.ids, looks, strict=True)
        if isinstance(look, str)
    )
    if not headers:
        raise DataError(_nothing_left(found.name, skipped))
    before = set(found.labels)
    if len(kept) < total:
        found = _some_of(found, kept)
    lost = sorted(label for label in before - set(found.labels) if label is not None)
    known = () if like is None else like.class_names
    labels, truth, class_names = _indexed_labels(found, known)
    if like is None and len(class_names) == 1 and np.all(labels != UNLABELLED):
        raise DataError(
            f"All {len(kept):,} images of {found.name} belong to one class, "
            f"{class_names[0]!r}: at least two classes are needed to tell apart."
        )
    split = found.split
    if split is None and like is not None:
        split = _beside(found, like)
    elif split is None:
        groups = groups_of(found.columns, len(kept))
        split = grouped_split(labels, groups, np.random.default_rng(seed))
    pixels = found.pixels
    if isinstance(pixels, FilePixels | PackedPixels):
        pixels = replace(pixels, n_channels=n_channels)
    sizes = np.array([header.shape[:2] for header in headers])
    about_scaling: tuple[str, ...] = ()
    if like is not None:
        scaling, image_size = like.scaling, like.image_size
    else:
        scaling, about_scaling = _scaling(found, pixels, headers, split)
        image_size = _automatic_size(sizes)
    columns = {**found.columns} if truth is None else {**found.columns, "truth": truth}
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
        skipped=found.skipped + skipped,
        notes=(
            *found.notes,
            *([f"No image of these classes can be used: {listed(lost)}."] * bool(lost)),
            *about_scaling,
            *_size_note(sizes, image_size),
            *_rejected_note(columns),
            *(notes_on_groups(columns, split) * (like is None)),
            *(classes_without_evidence(labels, split, class_names) * (like is None)),
        ),
    )


def _new_ones(found: Found, like: ImageDataset) -> Found:
    """Pass over files that have joined already, and name the others differently."""
    there = set(files_of(like.pixels))
    files = files_of(found.pixels)
    new = np.array([path not in there for path in files] or [True] * len(found.ids))
    if not new.any():
        raise DataError(
            f"All {len(found.ids):,} images of {found.name} are in {like.name} "
            "already: there is nothing to add."
        )
    if not new.all():
        found = _some_of(found, np.flatnonzero(new))
    taken = set(like.ids.tolist())
    # The numbers of images in an array say nothing by themselves.
    if files and taken.isdisjoint(found.ids):
        return found
    ids = [f"{found.name}/{name}" for name in found.ids]
    again = [name for name in ids if name in taken]
    if again:
        raise DataError(
            f"{len(again):,} of the images, such as {again[0]}, are in {like.name} "
            "already: rename the new data, or remove from it what is there."
        )
    return replace(found, ids=ids)


def _check_embeddings(found: Found, like: ImageDataset) -> None:
    """Refuse what is to join images with embeddings, or none, if it is of another kind.

    Embeddings are no harm where there are images that a network sees.
    """
    if like.features is None:
        if not are_images(found.pixels):
            raise DataError(
                f"{found.name} has embeddings but no images, which {like.name} has: "
                "add images."
            )
        return
    width = like.features.shape[1]
    if found.features is None or found.features.shape[1] != width:
        has = "none" if found.features is None else f"{found.features.shape[1]:,}"
        raise DataError(
            f"The images of {like.name} have embeddings of {width:,} numbers, those of "
            f"{found.name} {has}: add a table that has both, computed in the same way."
        )
    if len(like) and are_images(found.pixels) != like.has_images:
        raise DataError(
            f"Either all or none of {like.name} and {found.name} must have images."
        )


def _beside(found: Found, like: ImageDataset) -> NDArray[np.int8]:
    """Return the parts of images that join others: where the rest of their group is."""
    split = np.full(len(found.ids), Split.TRAIN, np.int8)
    there, new = column_of(like.columns), column_of(found.columns)
    if there is not None and new is not None:
        part_of = dict(zip(names_of(there).tolist(), like.split, strict=True))
        for at, name in enumerate(names_of(new).tolist()):
            split[at] = part_of.get(name, Split.TRAIN) if name else Split.TRAIN
    return split


def _some_of(found: Found, kept: NDArray[np.intp]) -> Found:
    """Return what a reader found, with some of the images only."""
    truth, votes = found.truth, found.votes
    return replace(
        found,
        pixels=select(found.pixels, kept),
        ids=[found.ids[i] for i in kept],
        labels=[found.labels[i] for i in kept],
        truth=None if truth is None else [truth[i] for i in kept],
        votes=None if votes is None else [votes[i] for i in kept],
        split=None if found.split is None else found.split[kept],
        columns={name: values[kept] for name, values in found.columns.items()},
        features=None if found.features is None else found.features[kept],
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


def _numbers_of(dataset: ImageDataset) -> set[str]:
    """Return the types that a data set knows to scale."""
    known = set(dataset.scaling.others)
    # An array has a type even where it has no image.
    few, last = min(len(dataset), _LOOKED_AT), max(len(dataset) - 1, 0)
    for index in np.linspace(0, last, max(few, 1), dtype=np.intp).tolist():
        with suppress(DataError):
            header = dataset.pixels.header(index)
            image = dataset.original(index) if header is None else header
            known.add(kind_of_numbers(image.dtype))
    return known


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


def _scaling(
    found: Found,
    pixels: PixelSource,
    headers: Sequence[Header],
    split: NDArray[np.int8],
) -> tuple[IntensityScaling, tuple[str, ...]]:
    """Judge the scaling of each type from some of the training images, and say it."""
    if not are_images(pixels):
        return IntensityScaling(), ()
    training = np.flatnonzero(split == Split.TRAIN)
    training = training if len(training) else np.arange(len(split))
    kinds = np.array([kind_of_numbers(header.dtype) for header in headers])
    counts = Counter(kinds.tolist()).most_common()
    scalings: dict[str, IntensityScaling] = {}
    notes: list[str] = []
    if len(counts) > 1:
        listed = ", ".join(f"{kind} ({count:,} images)" for kind, count in counts)
        notes.append(
            f"The images are of several types, {listed}: those of each are stretched "
            f"by themselves."
        )
    for kind, _ in counts:
        own = training[kinds[training] == kind]
        own = own if len(own) else np.flatnonzero(kinds == kind)
        few = min(len(own), _IMAGES_FOR_SCALING)
        chosen = own[np.linspace(0, len(own) - 1, few, dtype=np.intp)].tolist()
        scalings[kind], said = _scaling_of(found, pixels, chosen, kind)
        notes += said
    first = counts[0][0]
    others = {kind: scaling for kind, scaling in scalings.items() if kind != first}
    return replace(scalings[first], others=others), tuple(notes)


def _scaling_of(
    found: Found, pixels: PixelSource, chosen: Sequence[int], kind: str
) -> tuple[IntensityScaling, tuple[str, ...]]:
    """Judge the scaling of one type from some images, and say what is odd."""

    def images() -> Iterator[NDArray[Any]]:
        return (with_channels(pixels.read(i), pixels.n_channels) for i in chosen)

    if kind == EIGHT_BITS and not is_dark(images()):
        return IntensityScaling(), ()
    scaling, odd = judge(images())
    notes = []
    if len(odd):
        notes.append(
            f"Far brighter or darker than all others are {found.ids[chosen[odd[0]]]}"
            f"{f' and {len(odd) - 1:,} more' if len(odd) > 1 else ''}: they are "
            f"shown white or black."
        )
    if kind == EIGHT_BITS and not any(image.any() for image in images()):
        notes.append(
            "All images that were looked at are black. Where something is drawn in "
            "black on a transparent ground, lay it over white before."
        )
        return IntensityScaling(), tuple(notes)
    return scaling, tuple(notes)
