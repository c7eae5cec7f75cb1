"""Read stacks of images: .npy, .npz and zarr, or an array in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.embeddings import Features, as_embeddings
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.meaning import MOST_CHANNELS, over_black
from napari_spaceediting.data.names import plain_labels, readable, text_of
from napari_spaceediting.data.pixels import (
    ArrayPixels,
    Axes,
    PixelSource,
    StoredPixels,
    join,
    open_array,
)
from napari_spaceediting.data.reading import reading
from napari_spaceediting.data.splits import Split, split_from_names, split_of
from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.errors import DataError

ARRAY_SUFFIXES = frozenset({".npy", ".npz", ".zarr"})

_IMAGE_KEYS = ("images", "image", "imgs", "embeddings", "features", "x", "data")
_LABEL_KEYS = ("labels", "label", "y", "targets", "target")
_SPLIT_KEYS = ("split", "splits")
_NAME_KEYS = ("class_names", "classes")
"""Names of arrays in a `.npz` file or zarr group, in any case."""

_WORDS = re.compile(r"^[xy](?=train|test|val)|[a-z]+")
"""Words in the name of an array, such as `x_train`, `xtrain` or `train_images`."""
_LEAST_SIDE = 4
"""Pixels of a side below which an array of three axes may be a stack of lines."""

_AXES_TEXT = {
    "NYX": "(images, height, width)",
    "NYXC": "(images, height, width, channels)",
    "NCYX": "(images, channels, height, width)",
    "NYXA": "(images, height, width, RGBA), with transparent parts over black",
}


def find_in_array(path: Path) -> Found:
    """Find the images of a stored stack.

    Parameters
    ----------
    path : Path
        A `.npy` file, or an `.npz` file or zarr store with an array `images` (or
        `x`), and `labels` (or `y`), `split` and `class_names` if they are known.
        `.npy` and zarr are read piece by piece and stay on disk. Labels are numbers
        or names, or one-hot; numbers below 0, NaN and empty names are unlabelled.
        Splits are values of `Split`, or names such as `train`. A file may have an
        array for each part, such as `x_train` and `y_train`, or `train_images`. A
        matrix of fractions is taken for embeddings, a row each, of points without
        images.

    Raises
    ------
    DataError
        The file cannot be read, its axes cannot be told, or labels do not match.
    """
    path = path.resolve()
    name = readable(path.stem)
    keys = _keys(path)
    blocks = _blocks(path, keys)
    arrays = [open_array(path, block.images) for block in blocks]
    pixels, features, notes = _contents(path, blocks, arrays)
    lengths = [array.shape[0] for array in arrays]
    labels = [
        _one_each(name, "labels", _beside(path, block.labels), length)
        for block, length in zip(blocks, lengths, strict=True)
    ]
    names = _beside(path, _pick(keys or (), _NAME_KEYS))
    class_names = None if names is None else tuple(map(text_of, names.ravel().tolist()))
    return Found(
        name=name,
        pixels=pixels,
        ids=_numbers(len(pixels)),
        labels=_label_names(name, labels, lengths, class_names),
        class_names=class_names,
        split=_split(name, path, keys, blocks, lengths),
        features=features,
        notes=notes,
    )


def _contents(
    path: Path, blocks: Sequence[_Block], arrays: Sequence[Any]
) -> tuple[PixelSource, Features, tuple[str, ...]]:
    """Return what the arrays hold, images or embeddings, and how it was understood."""
    if all(array.ndim == 2 and array.dtype.kind == "f" for array in arrays):
        shapes = [_by(array.shape) for array in arrays]
        if len({array.shape[1] for array in arrays}) > 1:
            raise DataError(
                f"{path.name} has embeddings of several lengths, {', '.join(shapes)}: "
                f"all must be of one length."
            )
        with reading("array", path):
            rows = np.concatenate([array[...] for array in arrays])
        notes = tuple(
            f"The array {s} was read as embeddings, a row each." for s in shapes
        )
        features = as_embeddings(rows, path.name)
        return TextPixels(tuple(_numbers(len(rows)))), features, notes
    sources, said = [], []
    for block, array in zip(blocks, arrays, strict=True):
        axes, note = _axes(path.name, array)
        shape = array.shape
        n_channels = {"NYX": 1, "NYXA": 3, "NCYX": shape[1]}.get(axes, shape[-1])
        sources.append(StoredPixels(path, block.images, axes, shape[0], n_channels))
        said.append(note)
    return join(*sources), None, tuple(dict.fromkeys(said))


class _Block(NamedTuple):
    """Arrays that belong together: images and, if there are any, their labels."""

    images: str | None
    labels: str | None
    part: Split | None


def _blocks(path: Path, keys: tuple[str, ...] | None) -> list[_Block]:
    """Find the arrays with images: one, or one for each part."""
    if keys is None:
        return [_Block(None, None, None)]
    if image_key := _pick(keys, _IMAGE_KEYS):
        return [_Block(image_key, _pick(keys, _LABEL_KEYS), None)]
    if "arr_0" in keys:  # what numpy calls arrays without a name
        return [_Block("arr_0", _pick(keys, ("arr_1",)), None)]
    of_parts: dict[Split, dict[bool, str]] = {}
    for key in keys:
        words = _WORDS.findall(key.lower())
        parts = [part for word in words if (part := split_of(word)) is not None]
        kinds = [word for word in words if word in (*_IMAGE_KEYS, *_LABEL_KEYS)]
        if len(parts) == len(kinds) == 1:
            of_parts.setdefault(parts[0], {})[kinds[0] in _IMAGE_KEYS] = key
    blocks = [
        _Block(found[True], found.get(False), part)
        for part, found in sorted(of_parts.items())
        if True in found
    ]
    if not blocks:
        raise DataError(
            f"{path.name} has no array 'images', only "
            f"{', '.join(map(repr, keys)) or 'none at all'}: rename the one with the "
            f"images."
        )
    return blocks


def _beside(path: Path, key: str | None) -> NDArray[Any] | None:
    """Return a small array of a file, None if it has none."""
    if key is None:
        return None
    with reading("array", path):
        return np.asarray(open_array(path, key)[...])


def _one_each(
    name: str, what: str, values: NDArray[Any] | None, length: int
) -> NDArray[Any] | None:
    """Return one value for each image, of columns or one-hot rows as well."""
    if values is None:
        return None
    if values.shape == (length, 1):
        return values[:, 0]
    if values.ndim == 2 and len(values) == length and values.dtype.kind in "buif":
        counts = (values == 1).sum(axis=1)
        zeros = (values == 0).sum(axis=1)
        if np.all(counts + zeros == values.shape[1]) and set(counts) in ({1}, {0, 1}):
            return np.where(counts == 1, values.argmax(axis=1), -1)
    if values.shape != (length,):
        raise DataError(
            f"{name} has {length:,} images but its {what} are {_by(values.shape)}: "
            f"there must be one for each image."
        )
    return values


def _split(
    name: str,
    path: Path,
    keys: tuple[str, ...] | None,
    blocks: Sequence[_Block],
    lengths: Sequence[int],
) -> NDArray[np.int8] | None:
    """Return the parts of all images, None if they are not given."""
    parts = [block.part for block in blocks]
    if None in parts:
        split = _beside(path, _pick(keys or (), _SPLIT_KEYS))
        each = _one_each(name, "splits", split, lengths[0])
        return None if each is None else _split_values(name, each)
    return np.repeat(np.array(parts, np.int8), lengths) if len(parts) > 1 else None


def finest(array: Any) -> Any:
    """Return the level of a pyramid that has all details, or the array itself.

    Parameters
    ----------
    array : array, or sequence of arrays
        Such as the data of a multiscale layer, the finest level first.
    """
    return array[0] if isinstance(array, Sequence) else array


def find_in_stack(
    array: Any,
    name: str = "Stack",
    channel_axis: int | None = None,
    *,
    rgb: bool = False,
) -> Found:
    """Take the planes of an array, such as that of a napari layer, as images.

    Parameters
    ----------
    array : (N, H, W), (N, H, W, C) or (N, C, H, W) numpy or dask array
        Or several of them, the levels of a pyramid.
    channel_axis : int, optional
        The axis of measured channels; by default it is guessed, and four 8-bit
        channels are taken for RGBA.
    rgb : bool
        Whether the last axis is known to be RGB or RGBA.

    Returns
    -------
    Found
        With the pixels in memory, or wherever the array has them.

    Raises
    ------
    DataError
        The axes cannot be told, or it is a single image.
    """
    array = finest(array)
    notes: tuple[str, ...] = ()
    if rgb or channel_axis is not None:
        array = channels_last(name, array, -1 if rgb else channel_axis, rgb=rgb)
        if array.ndim != 4:
            raise _no_stack(name, array.shape)
        notes = (_as_read(array.shape, "NYXC"),)
    else:
        axes, note = _axes(name, array)
        notes = (note,)
        if axes == "NCYX":
            array = np.moveaxis(array, 1, -1)
        elif axes == "NYXA":
            array = over_black(np.asarray(array))
    pixels = ArrayPixels(array)
    return Found(name, pixels, _numbers(len(pixels)), [None] * len(pixels), notes=notes)


def channels_last(
    name: str, array: Any, channel_axis: int | None, *, rgb: bool = False
) -> Any:
    """Return an array with its axis of channels at the end.

    Parameters
    ----------
    array : array
    rgb : bool
        Whether it is RGB or RGBA, which is laid over black.

    Raises
    ------
    DataError
        There is no such axis.
    """
    if channel_axis is None:
        return array
    if not -array.ndim <= channel_axis < array.ndim:
        raise DataError(
            f"{name} has no axis {channel_axis}, it has the shape "
            f"{_by(array.shape)}: axes are counted from 0 to {array.ndim - 1}."
        )
    moved = np.moveaxis(array, channel_axis, -1)
    return over_black(np.asarray(moved)) if rgb and moved.shape[-1] == 4 else moved


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
    axes: Axes | None = None
    if len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) > _LEAST_SIDE:
        raise _no_stack(name, shape)
    if len(shape) == 3:
        axes = "NYX"
    elif len(shape) == 4 and shape[3] <= min(MOST_CHANNELS, shape[1]):
        axes = "NYXA" if shape[3] == 4 and array.dtype == np.uint8 else "NYXC"
    elif len(shape) == 4 and shape[1] <= MOST_CHANNELS:
        axes = "NCYX"
    if axes is None:
        raise DataError(
            f"{name} has the shape {_by(shape)}, but a stack of images needs the axes "
            f"{_AXES_TEXT['NYX']}, and channels first or last with at most "
            f"{MOST_CHANNELS} of them."
        )
    return axes, _as_read(shape, axes)


def _as_read(shape: tuple[int, ...], axes: Axes) -> str:
    return f"The array {_by(shape)} was read as {_AXES_TEXT[axes]}."


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "of a single value"


def _no_stack(name: str, shape: tuple[int, ...]) -> DataError:
    """Say that an array is one image."""
    return DataError(
        f"{name}, {_by(tuple(shape))}, is one image with channels: choose a stack of "
        f"images, or a segmentation whose objects become the images."
    )


def _numbers(length: int) -> list[str]:
    """Return ids that sort as the images lie."""
    width = len(str(length - 1))
    return [f"{index:0{width}d}" for index in range(length)]


def _label_names(
    name: str,
    labels: Sequence[NDArray[Any] | None],
    lengths: Sequence[int],
    class_names: tuple[str, ...] | None,
) -> list[str | None]:
    """Return labels of all images as names, None where unlabelled."""
    blocks = zip(labels, lengths, strict=True)
    texts, _ = plain_labels(
        [
            text
            for values, n in blocks
            for text in _label_texts(name, values, n, class_names)
        ]
    )
    if class_names is None:
        return [text or None for text in texts]
    if all(values is None or values.dtype.kind in "buif" for values in labels):
        numbers = [int(text) if text else -1 for text in texts]
        if max(numbers, default=-1) >= len(class_names):
            raise DataError(
                f"The labels of {name} go up to {max(numbers)}, but only "
                f"{len(class_names)} classes are named, from 0 on."
            )
        return [None if at < 0 else class_names[at] for at in numbers]
    unknown = sorted({*texts} - {"", *class_names})
    if unknown:
        raise DataError(
            f"The label {unknown[0]!r} of {name} is not among its class names "
            f"{', '.join(class_names)}."
        )
    return [text or None for text in texts]


def _label_texts(
    name: str,
    labels: NDArray[Any] | None,
    length: int,
    class_names: tuple[str, ...] | None,
) -> list[str]:
    """Return labels as text, "" where there are none."""
    if labels is None:
        return [""] * length
    if labels.dtype.kind == "b" and class_names is not None:
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "f":
        known = ~np.isnan(labels)
        odd = [label for label in labels[known].tolist() if not label.is_integer()]
        if odd:
            raise DataError(
                f"The labels of {name} hold fractions such as {odd[0]:g}: classes are "
                f"numbered or named."
            )
        return [
            str(int(label)) if is_known else ""
            for label, is_known in zip(labels.tolist(), known, strict=True)
        ]
    return [text_of(label) for label in labels.tolist()]


def _split_values(name: str, split: NDArray[Any]) -> NDArray[np.int8]:
    """Return values of `Split` from numbers or names."""
    if split.dtype.kind not in "iu":
        return split_from_names([text_of(part) for part in split.tolist()])
    strange = split[~np.isin(split, sorted({*Split} - {Split.REJECTED}))]
    if strange.size:
        raise DataError(
            f"The split {strange[0]} of {name} is unknown: use 0 (train), "
            f"1 (validation) or 2 (test)."
        )
    return split.astype(np.int8)
