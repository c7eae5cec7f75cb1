"""How the images of a data set are scaled, and what is to be told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.embeddings import are_images
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.intensity import (
    EIGHT_BITS,
    IntensityScaling,
    is_dark,
    judge,
    kind_of_numbers,
)
from napari_spaceediting.data.meaning import Header, with_channels
from napari_spaceediting.data.pixels import PixelSource
from napari_spaceediting.data.splits import Split

_IMAGES_FOR_SCALING = 200


def scaling_of(
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
        scalings[kind], said = _of_type(found, pixels, chosen, kind)
        notes += said
    first = counts[0][0]
    others = {kind: scaling for kind, scaling in scalings.items() if kind != first}
    return replace(scalings[first], others=others), tuple(notes)


def _of_type(
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
