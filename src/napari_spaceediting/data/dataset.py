"""The images that the user works on, with their labels and splits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_spaceediting.colours import channels_to_rgb
from napari_spaceediting.data.embeddings import Features, are_images
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.meaning import with_channels
from napari_spaceediting.data.pixels import JoinedPixels, PixelSource, join, select
from napari_spaceediting.data.resize import fit
from napari_spaceediting.data.soft_labels import (
    SoftLabels,
    believed,
    renamed,
    rows_of,
    stacked,
)
from napari_spaceediting.data.splits import UNLABELLED, Split
from napari_spaceediting.errors import DataError

__all__ = ["UNLABELLED", "ImageDataset", "Skipped", "Split"]

_READING = 2
"""To be raised when files give other pixels than before, which caches have kept."""

_AT_ONCE = 1 << 18
"""Values of raw images that are scaled and resized in one go: what a cache can hold."""


@dataclass(frozen=True)
class Skipped:
    """An image that was left out, and why.

    Parameters
    ----------
    name : str
        The image's id, or its path below the folder that was opened.
    reason : str
        Why it was left out, in a few words or one sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Images with labels and splits; pixels are read when they are needed.

    Parameters
    ----------
    name : str
        What the data set is called.
    ids : (N,) str
        A unique name of every image.
    labels : (N,) int64
        Class of every image as an index into `class_names`, `UNLABELLED` (-1)
        where it is not known.
    class_names : tuple of str
        Names of the classes, each once.
    split : (N,) int8
        Values of `Split`.
    pixels : PixelSource
        Raw images.
    scaling : IntensityScaling
        How raw intensities become numbers between 0 and 1.
    image_size : tuple of two int
        Height and width, in pixels, that every image is brought to.
    columns : mapping of str to (N,) arrays
        Further values of every image. `truth` holds the true class (int64) where
        labels are hidden or noisy on purpose.
    skipped : tuple of Skipped
        Images that were left out.
    notes : tuple of str
        What was decided on the way, or is worth a warning; one sentence each.
    soft_labels : (N, C) float32 array or None
        Shares of the classes for images on which people disagree (see `soft_labels`).
    features : (N, F) float32 array or None
        Embeddings that came with the images, or in place of them.

    Raises
    ------
    DataError
        Lengths differ, ids are not unique, or a value is out of its range.
    """

    name: str
    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    split: NDArray[np.int8]
    pixels: PixelSource
    scaling: IntensityScaling
    image_size: tuple[int, int]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    soft_labels: SoftLabels = None
    features: Features = None

    def __post_init__(self) -> None:
        size = len(self.ids)
        lengths = {
            "labels": len(self.labels),
            "splits": len(self.split),
            "images": len(self.pixels),
            **({} if self.features is None else {"embeddings": len(self.features)}),
            **{f"values of {name!r}": len(v) for name, v in self.columns.items()},
        }
        for what, length in lengths.items():
            if length != size:
                raise DataError(
                    f"{self.name} has {size} ids but {length} {what}: there must be "
                    f"one for each image."
                )
        for what, names in (("ids", self.ids), ("class names", self.class_names)):
            if len(np.unique(names)) != len(names):
                raise DataError(
                    f"The {what} {repeated(names)} occur more than once: each must be "
                    f"unique."
                )
        if size and not (
            self.labels.min() >= UNLABELLED and self.labels.max() < self.n_classes
        ):
            raise DataError(
                f"The labels of {self.name} go from {self.labels.min()} to "
                f"{self.labels.max()}, but there are {self.n_classes} classes."
            )
        soft = self.soft_labels
        if soft is not None and soft.shape != (size, self.n_classes):
            shape = " x ".join(map(str, soft.shape))
            raise DataError(
                f"The soft labels of {self.name} are {shape}: there must be one for "
                f"each of {size} images and {self.n_classes} classes."
            )
        if not np.isin(self.split, list(Split)).all():
            raise DataError(
                f"The splits of {self.name} must be 0 (train), 1 (validation), 2 "
                f"(test) or 3 (rejected)."
            )
        if min(self.image_size) < 1:
            raise DataError(f"The image size {self.image_size} must be positive.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_channels(self) -> int:
        """Channels of every image."""
        return self.pixels.n_channels

    @property
    def has_images(self) -> bool:
        """Whether there are images, and not embeddings alone."""
        return are_images(self.pixels)

    @property
    def n_classes(self) -> int:
        """Number of classes, whether they have images or not."""
        return len(self.class_names)

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """(N,) True for all but training images: nothing is learnt from them."""
        held_out: NDArray[np.bool_] = self.split != Split.TRAIN
        return held_out

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """(N,) True where the class is known."""
        labelled: NDArray[np.bool_] = self.labels != UNLABELLED
        return labelled

    def classes(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the (n, C) probabilities of the classes of labelled images."""
        soft = rows_of(self.soft_labels, at)
        return believed(self.labels[at], soft, self.n_classes)

    def original(self, index: int) -> NDArray[Any]:
        """Return image `index` as read, (H, W) or (H, W, C) of its own dtype.

        Raises
        ------
        DataError
            The image is missing or cannot be read.
        """
        return self.pixels.read(int(index))

    def raw(self, index: int) -> NDArray[Any]:
        """Return raw image `index` as (H, W, C) with the data set's channels.

        Raises
        ------
        DataError
            The image is missing, cannot be read or has other channels.
        """
        image = with_channels(self.pixels.read(index), self.n_channels)
        if image.shape[-1] != self.n_channels:
            raise DataError(
                f"The image {self.ids[index]} has {image.shape[-1]} channels, but the "
                f"others have {self.n_channels}."
            )
        return image

    def images(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return images ready for a network.

        Parameters
        ----------
        indices : (n,) int

        Returns
        -------
        (n, C, height, width) float32 in [0, 1]
            Scaled, and resized with their aspect ratio kept.

        Raises
        ------
        DataError
            An image is missing or cannot be read.
        """
        return _for_network(*self._fitted(indices, self.image_size))

    def thumbnails(self, indices: ArrayLike, size: int = 64) -> NDArray[np.uint8]:
        """Return images ready for the screen.

        Parameters
        ----------
        indices : (n,) int
        size : int
            Height and width in pixels.

        Returns
        -------
        (n, size, size, 3) uint8
            As `channels_to_rgb`.

        Raises
        ------
        DataError
            An image is missing or cannot be read.
        """
        return channels_to_rgb(*self._fitted(indices, (size, size)))

    def images_and_thumbnails(
        self, indices: ArrayLike, size: int = 64
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return `images` and `thumbnails`, each image decoded once for both."""
        fitted, tiles = self._fitted(indices, self.image_size, (size, size))
        return _for_network(fitted), channels_to_rgb(tiles)

    def with_labels(
        self,
        labels: NDArray[np.int64],
        class_names: Sequence[str] | None = None,
        soft_labels: SoftLabels = None,
    ) -> ImageDataset:
        """Return the same images with other labels, and classes if they are given."""
        names = self.class_names if class_names is None else tuple(class_names)
        return replace(self, labels=labels, class_names=names, soft_labels=soft_labels)

    def keep_labels(self, per_class: int, rng: np.random.Generator) -> ImageDataset:
        """Hide the labels of all but a few training images of each class.

        Parameters
        ----------
        per_class : int
            Training labels that every class keeps, drawn at random.
        rng : numpy.random.Generator
            The same state keeps the same labels.

        Returns
        -------
        ImageDataset
            With the column `truth`; labels of held-out images are kept.
        """
        labels = self.labels.copy()
        candidates = ~self.held_out & self.is_labelled
        for index in range(self.n_classes):
            members = np.flatnonzero(candidates & (self.labels == index))
            labels[rng.permutation(members)[per_class:]] = UNLABELLED
        columns = {"truth": self.labels, **self.columns}
        soft = self.soft_labels
        if soft is not None:
            soft = np.where((labels == UNLABELLED)[:, None], np.float32(0), soft)
        return replace(self, labels=labels, columns=columns, soft_labels=soft)

    def subset(self, indices: ArrayLike) -> ImageDataset:
        """Return a data set of only the images at `indices`, in that order."""
        chosen = np.atleast_1d(np.asarray(indices, dtype=np.intp))
        return replace(
            self,
            ids=self.ids[chosen],
            labels=self.labels[chosen],
            split=self.split[chosen],
            pixels=select(self.pixels, chosen),
            columns={name: values[chosen] for name, values in self.columns.items()},
            soft_labels=rows_of(self.soft_labels, chosen),
            features=None if self.features is None else self.features[chosen],
        )

    def joined(self, more: ImageDataset) -> ImageDataset:
        """Return a data set with further images after those of this one.

        Parameters
        ----------
        more : ImageDataset
            With the same scaling, image size and channels, embeddings if this one has
            some, other ids, and the classes of this one before its own.

        Returns
        -------
        ImageDataset
            With the classes of `more`. Columns that only one of both has are empty for
            the other's images: NaN, an empty text or, for integers, -1.
        """
        names = dict.fromkeys((*self.columns, *more.columns))
        columns = {
            name: np.concatenate(
                [
                    self.columns.get(name, _empty(len(self), more.columns.get(name))),
                    more.columns.get(name, _empty(len(more), self.columns.get(name))),
                ]
            )
            for name in names
        }
        return replace(
            self,
            ids=np.concatenate([self.ids, more.ids]),
            labels=np.concatenate([self.labels, more.labels]),
            class_names=more.class_names,
            split=np.concatenate([self.split, more.split]),
            pixels=join(self.pixels, more.pixels),
            columns=columns,
            soft_labels=stacked(
                [
                    (
                        renamed(self.soft_labels, self.class_names, more.class_names),
                        len(self),
                    ),
                    (more.soft_labels, len(more)),
                ],
                more.n_classes,
            ),
            features=(
                None
                if self.features is None or more.features is None
                else np.concatenate([self.features, more.features])
            ),
            skipped=(*self.skipped, *more.skipped),
            notes=(*self.notes, *more.notes),
        )

    def before_joined(self) -> ImageDataset | None:
        """Return the data set as it was before images joined it, None if none did."""
        if not isinstance(self.pixels, JoinedPixels):
            return None
        pixels = join(*self.pixels.sources[:-1])
        return replace(self.subset(np.arange(len(pixels))), pixels=pixels)

    def parts(self) -> list[ImageDataset]:
        """Return the data sets that have joined, each with pixels of its own."""
        if not isinstance(self.pixels, JoinedPixels):
            return [self]
        parts, start = [], 0
        for source in self.pixels.sources:
            rows = np.arange(start, start + len(source))
            parts.append(replace(self.subset(rows), pixels=source))
            start += len(source)
        return parts

    def content_key(self) -> str:
        """Return a digest that changes when what `images` returns changes.

        Files are judged by path, size and time of change, so it is cheap for them.
        """
        how = [asdict(self.scaling), list(self.image_size)]
        content = [_READING, self.pixels.key(), *how]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]

    def raw_images(self) -> list[NDArray[Any]]:
        """Return all images as read, each (H, W, C) of its own dtype and size."""
        return [self.raw(index) for index in range(len(self))]

    def _fitted(
        self, indices: ArrayLike, *sizes: tuple[int, int]
    ) -> list[NDArray[np.float32]]:
        """Return (n, *size, C) float32 images in [0, 1], for each of the sizes."""
        chosen = np.atleast_1d(np.asarray(indices, dtype=np.intp)).tolist()
        n, channels = len(chosen), self.n_channels
        fitted = [np.empty((n, *size, channels), np.float32) for size in sizes]
        block: list[NDArray[Any]] = []
        start = n_values = 0
        for stop, index in enumerate(chosen, 1):
            block.append(self.raw(index))
            n_values += block[-1].size
            if n_values >= _AT_ONCE or stop == n:
                self._fit(block, [part[start:stop] for part in fitted])
                block, start, n_values = [], stop, 0
        return fitted

    def _fit(
        self, block: list[NDArray[Any]], fitted: list[NDArray[np.float32]]
    ) -> None:
        """Scale images and put them, resized, into each of the arrays."""
        for kind in {(image.shape, image.dtype) for image in block}:
            # Images of one shape are scaled and resized together.
            at = [k for k, im in enumerate(block) if (im.shape, im.dtype) == kind]
            scaled = self.scaling.apply(np.stack([block[k] for k in at]))
            for out in fitted:
                out[at] = fit(scaled, out.shape[1:3])


def _for_network(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, C, H, W) of (n, H, W, C) images."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))


def _empty(n_images: int, like: NDArray[Any] | None) -> NDArray[Any]:
    """Return n empty values that go with a column."""
    if like is None or like.dtype.kind == "f":
        return np.full(n_images, np.nan)
    return np.full(n_images, -1 if like.dtype.kind in "iu" else "")


def repeated(names: ArrayLike) -> str:
    """Return the names that occur more than once, up to five of them, or nothing."""
    values, counts = np.unique(np.asarray(names, dtype=np.str_), return_counts=True)
    found = values[counts > 1]
    more = f" and {len(found) - 5:,} more" if len(found) > 5 else ""
    return ", ".join(found[:5]) + more
