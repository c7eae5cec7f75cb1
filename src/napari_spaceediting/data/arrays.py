"""Read stacks of images: .npy, .npz and zarr, or an array in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.assemble import Found
from napari_spaceediting.data.embeddings import Features, as_embeddings
from napari_spaceediting.data.files import MOST_CHANNELS, over_black, reading
from napari_spaceediting.data.pixels import (
    ArrayPixels,
    Axes,
    PixelSource,
    StoredPixels,
    open_array,
)
from napari_spaceediting.data.splits import Split, split_from_names
from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.errors import DataError

ARRAY_SUFFIXES = frozenset({".npy", ".npz", ".zarr"})

_IMAGE_KEYS = ("images", "image", "embeddings", "features", "x", "data")
_LABEL_KEYS = ("labels", "label", "y")
_SPLIT_KEYS = ("split", "splits")
_NAME_KEYS = ("class_names", "classes")
"""Names of arrays in a `.npz` file or zarr group, in any case."""

_AXES_TEXT = {
    "NYX": "(images, height, width)",
    "NYXC": "(images, height, width, channels)",
    "NCYX": "(images, channels, height, width)",
    "NYXA": "(images, height, width, RGBA), with transparent parts over black",
}


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr store."""
    marks = ("zarr.json", ".zarray", ".zgroup")
    return path.is_dir() and any((path / mark).exists() for mark in marks)


def find_in_array(path: Path) -> Found:
    """Find the images of a stored stack.

    Parameters
    ----------
    path : Path
        A `.npy` file, or an `.npz` file or zarr store with an array `images` (or
        `x`), and `labels` (or `y`), `split` and `class_names` if they are known.
        `.npy` and zarr are read piece by piece and stay on disk. Labels are numbers
        or names; -1, NaN and empty names are unlabelled. Splits are values of `Split`,
        or names such as `train`. A matrix of fractions is taken for embeddings, a row
        each, of points without images.

    Returns
    -------
    Found

    Raises
    ------
    DataError
        The file cannot be read, its axes cannot be told, or labels do not match.
    """
    path = path.resolve()
    keys = _keys(path)
    image_key = _pick(keys or (), _IMAGE_KEYS)
    if keys is not None and image_key is None:
        raise DataError(
            f"{path.name} has no array 'images', only "
            f"{', '.join(map(repr, keys)) or 'none at all'}: rename the one with the "
            f"images."
        )
    images = open_array(path, image_key)
    shape = images.shape
    pixels: PixelSource
    features: Features = None
    if len(shape) == 2 and images.dtype.kind == "f":
        features = as_embeddings(np.asarray(images[...]), path.name)
        pixels = TextPixels(tuple(_numbers(shape[0])))
        note = f"The array {shape[0]} x {shape[1]} was read as embeddings, a row each."
    else:
        axes, note = _axes(path.name, images)
        n_channels = {"NYX": 1, "NYXA": 3, "NCYX": shape[1]}.get(axes, shape[-1])
        pixels = StoredPixels(path, image_key, axes, shape[0], n_channels)

    def beside(names: Sequence[str]) -> NDArray[Any] | None:
        key = _pick(keys or (), names)
        if key is None:
            return None
        with reading("array", path):
            return np.asarray(open_array(path, key)[...])

    labels, split, names = map(beside, (_LABEL_KEYS, _SPLIT_KEYS, _NAME_KEYS))
    name = path.stem
    for what, values in (("labels", labels), ("splits", split)):
        if values is not None and values.shape != (len(pixels),):
            shape = " x ".join(map(str, values.shape)) or "a single value"
            raise DataError(
                f"{name} has {len(pixels):,} images but its {what} are {shape}: there "
                f"must be one for each image."
            )
    class_names = None if names is None else tuple(map(str, names))
    return Found(
        name=name,
        pixels=pixels,
        ids=_numbers(len(pixels)),
        labels=_label_names(name, labels, len(pixels), class_names),
        class_names=class_names,
        split=None if split is None else _split_values(name, split),
        features=features,
        notes=(note,),
    )


def find_in_stack(
    array: Any, name: str = "Stack", channel_axis: int | None = None
) -> Found:
    """Take the planes of an array, such as that of a napari layer, as images.

    Parameters
    ----------
    array : (N, H, W), (N, H, W, C) or (N, C, H, W) numpy or dask array
    name : str
        What the data set is called.
    channel_axis : int, optional
        The axis of measured channels; by default it is guessed, and four 8-bit
        channels are taken for RGBA.

    Returns
    -------
    Found
        With the pixels in memory, or wherever the array has them.

    Raises
    ------
    DataError
        The axes cannot be told.
    """
    notes: tuple[str, ...] = ()
    if channel_axis is not None:
        array = np.moveaxis(array, channel_axis, -1)
    else:
        axes, note = _axes(name, array)
        notes = (note,)
        if axes == "NCYX":
            array = np.moveaxis(array, 1, -1)
        elif axes == "NYXA":
            array = over_black(np.asarray(array))
    pixels = ArrayPixels(array)
    return Found(name, pixels, _numbers(len(pixels)), [None] * len(pixels), notes=notes)


def _keys(path: Path) -> tuple[str, ...] | None:
    """Return the names of the arrays in a file, or None if it is one array."""
    if path.suffix.lower() == ".npy":
        return None
    with reading("array", path):
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return tuple(arrays.files)
        from napari_spaceediting.data.zarr_store import array_keys  # zarr: slow

        return array_keys(path)


def _pick(keys: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the first key with one of the wanted names."""
    lower = {key.lower(): key for key in keys}
    return next((lower[name] for name in wanted if name in lower), None)


def _axes(name: str, array: Any) -> tuple[Axes, str]:
    """Tell the order of the axes, and say how it was understood."""
    shape = tuple(array.shape)
    shape_text = " x ".join(map(str, shape))
    axes: Axes | None = None
    if len(shape) == 3:
        axes = "NYX"
    elif len(shape) == 4 and shape[3] <= min(MOST_CHANNELS, shape[1]):
        axes = "NYXA" if shape[3] == 4 and array.dtype == np.uint8 else "NYXC"
    elif len(shape) == 4 and shape[1] <= MOST_CHANNELS:
        axes = "NCYX"
    if axes is None:
        raise DataError(
            f"{name} has the shape {shape_text}, but a stack of images needs the axes "
            f"{_AXES_TEXT['NYX']}, and channels first or last with at most "
            f"{MOST_CHANNELS} of them."
        )
    return axes, f"The array {shape_text} was read as {_AXES_TEXT[axes]}."


def _numbers(length: int) -> list[str]:
    """Return ids that sort as the images lie."""
    width = len(str(length - 1))
    return [f"{index:0{width}d}" for index in range(length)]


def _label_names(
    name: str,
    labels: NDArray[Any] | None,
    length: int,
    class_names: tuple[str, ...] | None,
) -> list[str | None]:
    """Return labels as names, None where unlabelled."""
    if labels is None:
        return [None] * length
    if labels.dtype.kind == "f":
        known = ~np.isnan(labels)
        if np.any(labels[known] % 1):
            raise DataError(
                f"The labels of {name} hold fractions such as "
                f"{labels[known][labels[known] % 1 != 0][0]:g}: classes are numbered "
                f"or named."
            )
        labels = np.where(known, labels, -1).astype(np.int64)
    if labels.dtype.kind not in "iu":
        texts = [str(label) for label in labels]
    elif class_names is None:
        texts = ["" if label < 0 else str(label) for label in labels]
    else:
        if labels.size and labels.max() >= len(class_names):
            raise DataError(
                f"The labels of {name} go up to {labels.max()}, but only "
                f"{len(class_names)} classes are named, from 0 on."
            )
        texts = ["" if label < 0 else class_names[label] for label in labels]
    unknown = sorted(set(texts) - {"", *(class_names or texts)})
    if unknown:
        raise DataError(
            f"The label {unknown[0]!r} of {name} is not among its class names "
            f"{', '.join(class_names or ())}."
        )
    return [text or None for text in texts]


def _split_values(name: str, split: NDArray[Any]) -> NDArray[np.int8]:
    """Return values of `Split` from numbers or names."""
    if split.dtype.kind not in "iu":
        return split_from_names([str(part) for part in split])
    strange = split[~np.isin(split, list(Split))]
    if strange.size:
        raise DataError(
            f"The split {strange[0]} of {name} is unknown: use 0 (train), "
            f"1 (validation) or 2 (test)."
        )
    return split.astype(np.int8)
