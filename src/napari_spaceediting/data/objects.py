"""Every object of a segmentation becomes an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.arrays import channels_last, finest
from napari_spaceediting.data.dataset import Skipped
from napari_spaceediting.data.found import Found
from napari_spaceediting.data.groups import by_picture
from napari_spaceediting.data.meaning import MOST_CHANNELS
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.errors import DataError

_LEAST = 16
"""Pixels that an object needs; smaller ones are left out."""


def find_objects(
    image: Any,
    label_image: Any,
    *,
    padding: float = 0.2,
    mask_outside: bool = False,
    channel_axis: int | None = None,
    rgb: bool = False,
    name: str = "Objects",
) -> Found:
    """Cut out every object of a segmentation.

    Parameters
    ----------
    image : (H, W) or (P, H, W) array, with a further axis if it has channels
    label_image : (H, W) or (P, H, W) int array
        Number of the object that each pixel belongs to, 0 for none. Planes, of
        time or depth, are taken one by one. Both may be the levels of a pyramid, of
        which the finest counts.
    padding : float
        Margin on each side, as a share of the object's longer side. Crops are
        square, but for objects at the border of the image.
    mask_outside : bool
        Whether everything but the object is blanked, with the smallest intensity of
        each channel.
    channel_axis : int, optional
        Axis of channels; by default the last one, if there is one too many.
    rgb : bool
        Whether the last axis of the image is RGB or RGBA.

    Returns
    -------
    Found
        Unlabelled, with the columns `plane`, `object`, `y`, `x` (centre, in
        pixels) and `area` (in pixels). Objects of one plane are a group, if there are
        enough planes to hold some of them out (`by_picture`).

    Raises
    ------
    DataError
        Shapes do not match, or there is no object that is large enough.
    """
    image = np.asarray(finest(image))
    if rgb or channel_axis is not None:
        image = channels_last(name, image, -1 if rgb else channel_axis, rgb=rgb)
        channel_axis = -1
    planes, objects = _aligned(image, np.asarray(finest(label_image)), channel_axis)
    lowest, planes, notes = _filled(planes, objects)
    table = _measure(objects)
    if not len(table["object"]):
        raise DataError(f"{name} has no objects: all pixels of the labels are 0.")
    small = table["area"] < _LEAST
    names = _names(table, n_planes=len(objects))
    skipped = tuple(
        Skipped(names[i], f"has only {table['area'][i]} pixels")
        for i in np.flatnonzero(small)
    )
    if small.all():
        raise DataError(
            f"All {len(small):,} objects of {name} are smaller than {_LEAST} pixels: "
            f"choose labels of larger ones."
        )
    table = {column: values[~small] for column, values in table.items()}
    crops = []
    boxes = _boxes(table, padding, objects.shape[1:])
    for number, box in zip(table["object"], boxes, strict=True):
        plane, top, bottom, left, right = box
        at = plane, slice(top, bottom), slice(left, right)
        crop = planes[at]
        if mask_outside:
            inside = objects[at] == number
            crop = np.where(inside[..., None], crop, lowest[plane])
        crops.append(crop)
    columns = {key: table[key] for key in ("plane", "object", "y", "x", "area")}
    groups, about_groups = by_picture(
        [f"{name} {plane}" for plane in table["plane"]], len(objects)
    )
    return Found(
        name=name,
        pixels=ArrayPixels(crops),
        ids=_names(table, n_planes=len(objects)),
        labels=[None] * len(crops),
        columns={**columns, **groups},
        skipped=skipped,
        notes=(*notes, *about_groups),
    )


def _aligned(
    image: NDArray[Any], objects: NDArray[Any], channel_axis: int | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the image as (P, H, W, C) and the objects as (P, H, W)."""
    if objects.dtype.kind not in "iu":
        raise DataError(
            f"The labels hold {objects.dtype} values: an object is marked by a whole "
            f"number."
        )
    grey = image.ndim == objects.ndim and channel_axis is None
    if channel_axis is not None:
        image = np.moveaxis(image, channel_axis, -1)
    elif grey:
        image = image[..., None]
    if image.shape[:-1] != objects.shape or image.shape[-1] > MOST_CHANNELS:
        shown = image.shape[:-1] if grey else image.shape
        raise DataError(
            f"The image ({' x '.join(map(str, shown))}) does not match the labels "
            f"({' x '.join(map(str, objects.shape))}): choose the layers that belong "
            f"together."
        )
    if objects.ndim == 2:
        return image[None], objects[None]
    if objects.ndim == 3:
        return image, objects
    raise DataError(
        f"The labels have {objects.ndim} axes: planes of height and width, and one "
        f"axis of time or depth, can be cut out."
    )


def _filled(
    planes: NDArray[Any], objects: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
    """Give pixels outside all objects that are no numbers the smallest intensity.

    That is (P, C), and comes before the planes, (P, H, W, C), and a note on it.
    """
    if planes.dtype.kind != "f":
        return planes.min(axis=(1, 2)), planes, ()
    finite = np.isfinite(planes)
    lowest = planes.min(axis=(1, 2), where=finite, initial=np.inf)
    lowest[~np.isfinite(lowest)] = 0
    void = ~finite & (objects == 0)[..., None]
    if not void.any():
        return lowest, planes, ()
    filled = np.where(void, lowest[:, None, None], planes)
    return lowest, filled, ("Pixels without a number outside all objects are dark.",)


def _measure(objects: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return plane, number, area, centre and bounding box of every object."""
    from skimage.measure import regionprops_table

    properties = ("label", "area", "centroid", "bbox")
    tables: list[dict[str, NDArray[Any]]] = []
    for plane in objects:
        numbers, dense = _dense(plane)
        table = regionprops_table(dense, properties=properties)  # type: ignore[no-untyped-call]
        tables.append({**table, "label": numbers[table["label"]]})
    joined = {key: np.concatenate([t[key] for t in tables]) for key in tables[0]}
    counts = [len(t["label"]) for t in tables]
    return {
        "plane": np.repeat(np.arange(len(objects)), counts),
        "object": joined["label"].astype(np.int64),
        "area": joined["area"].astype(np.int64),
        "y": joined["centroid-0"],
        "x": joined["centroid-1"],
        "box": np.stack([joined[f"bbox-{i}"] for i in range(4)], axis=-1),
    }


def _dense(plane: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the numbers of objects, 0 first, and a plane of indices into them.

    A number may be as large as 2^40, or below 0; measuring takes room for all up to it.
    """
    if plane.min() >= 0 and plane.max() < plane.size:
        return np.arange(plane.max() + 1), plane
    numbers = np.unique(plane)
    numbers = np.append(0, numbers[numbers != 0])
    order = np.argsort(numbers)
    return numbers, order[np.searchsorted(numbers, plane, sorter=order)]


def _names(table: dict[str, NDArray[Any]], n_planes: int) -> list[str]:
    """Return ids such as `object-12`, or `plane-3-object-12` in a stack."""
    return [
        f"object-{number}" if n_planes == 1 else f"plane-{plane}-object-{number}"
        for plane, number in zip(table["plane"], table["object"], strict=True)
    ]


def _boxes(
    table: dict[str, NDArray[Any]], padding: float, shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """Return plane, top, bottom, left, right of square crops within the image."""
    top, left, bottom, right = table["box"].T
    longer = np.maximum(bottom - top, right - left)
    side = np.ceil(longer * (1 + 2 * padding)).astype(np.int64)
    tops = (top + bottom - side) // 2
    lefts = (left + right - side) // 2
    return np.stack(
        [
            table["plane"],
            np.clip(tops, 0, None),
            np.clip(tops + side, None, shape[0]),
            np.clip(lefts, 0, None),
            np.clip(lefts + side, None, shape[1]),
        ],
        axis=-1,
    ).astype(np.int64)
